// @ts-check
// The transport in the bar at the top: play and stop, back to the start, loop, tempo with tapping, where playing stands,
// loudness, and how much of its time the machine takes for the sound, with what takes it and what would take less.

import { make } from "./control.js";
import { takesSpace } from "./space-bar.js";

/** @typedef {import("./store.js").Store} Store @typedef {import("./wire.js").Wire} Wire @typedef {import("./sound.js").Sound} Sound */
/** @typedef {{lowering: string, block: number, meters: boolean}} Choice @typedef {Choice & {load: number}} Weight */

const BLOCKS = [512, 1024, 2048];
const TAPS = 8; // the last so many taps say the tempo
const PAUSE = 2500; // ms after which taps begin anew

/** @param {Store} store @param {Wire} wire @param {() => Sound|null} sound @returns {{left: HTMLElement[], right: HTMLElement[]}} */
export function makeTransport(store, wire, sound) {
  return {
    left: [makeButtons(store, wire, sound), makePlace(store), makeTempo(store, wire)],
    right: [makeLoudness(store), makeLoad(store, wire, sound)],
  };
}

/** @param {Store} store @param {Wire} wire @param {() => Sound|null} sound */
function makeButtons(store, wire, sound) {
  const element = make("div", "seg transport"), back = make("button", "back"), play = make("button", "play"), loop = make("button", "loop");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", "Playing");
  back.append(drawn("M3 3h2v10H3zM13 3v10L6 8z"));
  back.title = "Back to the start of the loop or the clip (Shift+Space)";
  back.setAttribute("aria-label", "Return");
  loop.append(drawn("M4 3h7V1l4 3-4 3V5H5v3H3V4zM12 13H5v2l-4-3 4-3v2h6V8h2v4z"));
  loop.setAttribute("aria-label", "Loop");
  const toggle = async () => {
    const playing = store.transport.playing;
    if (!playing) await sound()?.start();
    wire.say({ do: playing ? "stop" : "play" });
  };
  const start = () => wire.say({ do: "seek", seconds: store.transport.loop?.[0] ?? 0 });
  play.addEventListener("click", toggle);
  back.addEventListener("click", start);
  loop.addEventListener("click", () => {
    if (store.transport.loop) { wire.say({ do: "loop", region: null }); return; }
    wire.say({ do: "loop", region: around(store) });
  });
  const show = () => {
    const { playing, loop: region } = store.transport;
    play.textContent = playing ? "Stop" : "Play";
    play.title = playing ? "Stop (Space)" : "Play (Space)";
    play.setAttribute("aria-pressed", String(playing));
    loop.setAttribute("aria-pressed", String(!!region));
    loop.title = region ? `Loop: ${region.map((/** @type {number} */ s) => beats(store, s)).join(" to ")}; click to go on` : "Loop the four bars that are heard now";
  };
  store.on("transport", show);
  store.on("project", show);
  show();
  const keyed = (/** @type {KeyboardEvent} */ event) => {
    if (!element.isConnected) { removeEventListener("keydown", keyed); return; }
    if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey || event.repeat || takesSpace(event.target)) return;
    event.preventDefault();
    if (event.shiftKey) start(); else toggle();
  };
  addEventListener("keydown", keyed);
  element.append(back, play, loop);
  return element;
}

/** A small picture in the button's colour. @param {string} path in a square of 16 */
function drawn(path) {
  const names = "http://www.w3.org/2000/svg", svg = document.createElementNS(names, "svg"), shape = document.createElementNS(names, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  shape.setAttribute("fill", "currentColor");
  svg.append(shape);
  return svg;
}

/** Four bars around what is heard, in seconds. @param {Store} store @returns {[number, number]} */
function around(store) {
  const { tempo, seconds } = store.transport, bar = (store.project?.beats_per_bar ?? 4) * 60 / tempo, four = 4 * bar;
  const begin = Math.min(Math.floor(seconds / four) * four, Math.max(0, store.seconds - bar));
  return [begin, Math.min(begin + four, store.seconds)];
}

/** Bar and beat, from 1 on, where the tempo does not change before. @param {Store} store @param {number} seconds */
export function beats(store, seconds) {
  const count = beatOf(store.project?.tempo ?? [[0, 120, "hold"]], seconds), each = store.project?.beats_per_bar ?? 4;
  const whole = Math.floor(count + 1e-6);
  return `${Math.floor(whole / each) + 1}.${whole % each + 1}`;
}

/** The beat at a second of a tempo map. @param {[number, number, string][]} entries @param {number} seconds */
export function beatOf(entries, seconds) {
  let left = seconds;
  for (let i = 0; ; i++) {
    const [beat, bpm, ramp] = entries[i], next = entries[i + 1];
    if (!next) return beat + left * bpm / 60;
    const count = next[0] - beat, lasts = lasting(count, bpm, next[1], ramp);
    if (left < lasts) return beat + passed(left, count, bpm, next[1], ramp);
    left -= lasts;
  }
}

/** Seconds of so many beats. @param {number} count @param {number} a @param {number} b BPM @param {string} ramp */
function lasting(count, a, b, ramp) {
  if (ramp === "hold" || a === b) return 60 * count / a;
  if (ramp === "per_second") return 120 * count / (a + b);
  return 60 * count / (b - a) * Math.log(b / a);
}

/** Beats in so many seconds. @param {number} seconds @param {number} count @param {number} a @param {number} b @param {string} ramp */
function passed(seconds, count, a, b, ramp) {
  if (ramp === "hold" || a === b) return seconds * a / 60;
  if (ramp === "per_second") return seconds * (a + (b - a) * seconds / lasting(count, a, b, ramp) / 2) / 60;
  const rise = (b - a) / count;
  return a / rise * Math.expm1(rise * seconds / 60);
}

/** @param {Store} store */
function makePlace(store) {
  const element = make("div", "place"), bar = make("span", "bar"), time = make("span", "time");
  bar.title = "Bar and beat";
  const show = () => {
    const s = store.transport.seconds;
    bar.textContent = beats(store, s);
    time.textContent = `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
  };
  store.on("transport", show);
  store.on("project", show);
  show();
  element.append(bar, time);
  return element;
}

/** @param {Store} store @param {Wire} wire */
function makeTempo(store, wire) {
  const element = make("div", "tempo"), field = /** @type {HTMLInputElement} */ (make("input", "bpm")), tap = make("button", "tap");
  Object.assign(field, { type: "number", min: "20", max: "400", step: "0.1" });
  field.setAttribute("aria-label", "Tempo in BPM");
  tap.textContent = "Tap";
  tap.title = "Tap the tempo: four beats or more";
  /** @param {number} bpm */
  const set = bpm => wire.say({ do: "tempo", bpm: Math.min(400, Math.max(20, Math.round(bpm * 100) / 100)) });
  field.addEventListener("change", () => { if (field.value && Number.isFinite(field.valueAsNumber)) set(field.valueAsNumber); else show(); });
  field.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === "Escape") field.blur(); });
  field.addEventListener("blur", () => show());
  /** @type {number[]} */
  let taps = [];
  tap.addEventListener("pointerdown", event => { event.preventDefault(); beat(event.timeStamp); });
  tap.addEventListener("click", event => { if (event.detail === 0) beat(event.timeStamp); }); // a key
  /** @param {number} at */
  const beat = at => {
    if (taps.length && at - taps[taps.length - 1] > PAUSE) taps = [];
    taps = [...taps, at].slice(-TAPS);
    if (taps.length < 4) { tap.textContent = `Tap ${taps.length}`; return; }
    tap.textContent = "Tap";
    const bpm = tapped(taps);
    if (bpm >= 20 && bpm <= 400) set(Math.round(bpm * 10) / 10);
  };
  const show = () => {
    if (document.activeElement === field) return;
    field.value = String(Math.round(10 * store.transport.tempo) / 10);
    const changes = (store.project?.tempo.length ?? 1) > 1, fixed = store.extra.tempo_is ?? (changes ? "The tempo changes over time, as it was said where the project began" : null);
    field.readOnly = fixed !== null;
    field.title = fixed ?? "Tempo in BPM";
    tap.toggleAttribute("disabled", fixed !== null);
  };
  store.on("transport", show);
  store.on("project", event => { const tempo = event?.project?.tempo; if (tempo?.length === 1) store.transport.tempo = tempo[0][1]; show(); });
  show();
  element.append(field, tap);
  return element;
}

/** The tempo of taps, by a straight line through them. @param {number[]} times in ms @returns {number} BPM */
export function tapped(times) {
  const n = times.length, middle = (n - 1) / 2, mean = times.reduce((sum, t) => sum + t, 0) / n;
  let above = 0, below = 0;
  times.forEach((t, i) => { above += (i - middle) * (t - mean); below += (i - middle) ** 2; });
  return 60000 / (above / below);
}

/** @param {Store} store */
function makeLoudness(store) {
  const element = make("span", "loudness");
  element.title = "Momentary loudness, integrated loudness since playing began, true peak";
  store.on("meters", event => {
    const [momentary, integrated, peak] = event.loudness.map((/** @type {number|null} */ n) => n === null ? "−∞" : n.toFixed(1).replace("-", "−"));
    element.textContent = `${momentary} LUFS  ∫ ${integrated}  ${peak} dBTP`;
  });
  return element;
}

/** @param {Store} store @param {Wire} wire @param {() => Sound|null} sound */
function makeLoad(store, wire, sound) {
  const details = /** @type {HTMLDetailsElement} */ (make("details", "load")), summary = make("summary", ""), body = make("div", "sheet");
  const text = make("span", "text"), about = make("p", "about"), causes = make("ul", "causes"), choices = make("div", "choices");
  const told = make("p", "told");
  summary.append(text);
  body.append(about, causes, choices, told);
  details.append(summary, body);
  let state = store.sound, load = [0, 0], slow = false;

  const head = () => {
    const percent = Math.round(100 * load[0]), over = state?.over;
    const first = over?.causes.slice(0, 2).map((/** @type {[string, number]} */ cause) => cause[0]).join(", ");
    text.textContent = over ? `${overText(over.load)}: ${first}` : `load ${percent} %`;
    summary.title = over ? `${text.textContent}. Click for what takes less` : "Click for what takes the time";
    details.classList.toggle("over", !!over || load[0] > 1);
    details.classList.toggle("near", !over && load[0] > 0.7 && load[0] <= 1);
    const now = sound();
    const ready = now ? `${Math.round(1000 * now.ahead.samples / now.rate)} ms lie ready in the page` : "";
    about.textContent = `Half of all blocks take up to ${percent} % of their own length, 99 of 100 up to ${Math.round(100 * load[1])} %. ${ready}${now?.gaps ? `; gaps so far: ${now.gaps}` : ""}`;
  };
  const tell = () => {
    const over = state?.over;
    const names = over ? over.causes.slice(0, 3).map((/** @type {[string, number]} */ c) => c[0]).join(", ") : "";
    told.textContent = over ? `The machine is too slow: ${overText(over.load)}: ${names}. What follows takes less.` : "";
    if (!!over === slow) return;
    slow = !!over;
    // The sheet is closed most of the time, and what is closed is not read aloud.
    store.tell("say", over ? { message: `The machine is too slow: ${overText(over.load)}: ${names}. The load, at the top, leads to what takes less.`, wrong: true }
      : { message: "The machine is fast enough again." });
  };
  store.on("meters", event => { load = event.load; head(); });
  store.on("causes", event => {
    if (!details.open) return;
    causes.replaceChildren(...event.causes.map((/** @type {[string, number]} */ [name, share]) => {
      const item = make("li", ""), bar = make("meter", "");
      Object.assign(bar, { min: 0, max: 1, value: Math.min(1, share) });
      const label = make("span", ""), number = make("span", "number");
      label.textContent = name;
      number.textContent = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
      item.append(label, bar, number);
      return item;
    }));
  });
  store.on("sound", event => { state = event.sound; sound()?.blocks(state.block); draw(); tell(); head(); });

  const draw = () => {
    if (!state) return;
    const focused = document.activeElement instanceof HTMLElement && choices.contains(document.activeElement) ? document.activeElement.dataset.choice : undefined;
    choices.replaceChildren(
      choice("Filters", [["studio", "Studio: no phase shift, looks ahead"], ["causal", "Causal: at once, as analogue"]], state.lowering, v => ({ lowering: v }), v => ({ lowering: v })),
      choice("Blocks", BLOCKS.map(n => [String(n), `${n} samples, ${Math.round(1000 * n / store.console.sample_rate)} ms`]), String(state.block), v => ({ block: Number(v) }), v => ({ block: Number(v) })),
      choice("Strip meters", [["on", "On"], ["off", "Off"]], state.meters ? "on" : "off", v => ({ meters: v === "on" }), v => ({ meters: v === "on" })),
      weigh(),
    );
    if (state.why_not) choices.append(note(state.why_not));
    if (state.channels > 2) choices.append(note(`The output has ${state.channels} channels; the page plays the first two. Exports have all.`));
    if (focused) /** @type {HTMLElement|null} */ (choices.querySelector(`[data-choice="${focused}"]`))?.focus();
  };

  /** @param {string} words */
  const note = words => { const p = make("p", "about"); p.textContent = words; return p; };

  /** @param {string} title @param {string[][]} options @param {string} value @param {(v: string) => object} message @param {(v: string) => Partial<Choice>} what */
  const choice = (title, options, value, message, what) => {
    const label = make("label", ""), name = make("span", ""), select = /** @type {HTMLSelectElement} */ (make("select", ""));
    name.textContent = title;
    select.dataset.choice = title;
    for (const [key, words] of options) {
      const option = document.createElement("option");
      const weight = weightOf({ ...current(), ...what(key) });
      option.value = key;
      option.textContent = weight === null ? words : `${words} (load ${Math.round(100 * weight)} %)`;
      select.append(option);
    }
    select.value = value;
    select.addEventListener("change", () => wire.say({ do: "sound", ...message(select.value) }));
    label.append(name, select);
    return label;
  };

  /** @returns {Choice} */
  const current = () => ({ lowering: state.lowering, block: state.block, meters: state.meters });

  /** @param {Choice} what @returns {number|null} */
  const weightOf = what => state.weights.find((/** @type {Weight} */ w) => w.lowering === what.lowering && w.block === what.block && w.meters === what.meters)?.load ?? null;

  const weigh = () => {
    const button = /** @type {HTMLButtonElement} */ (make("button", "weigh"));
    button.dataset.choice = "weigh";
    button.textContent = state.weighing ? "Measuring …" : "Measure what each would take";
    button.disabled = state.weighing;
    button.addEventListener("click", () => wire.say({ do: "weigh" }));
    return button;
  };

  const elsewhere = (/** @type {PointerEvent} */ event) => {
    if (!details.isConnected) removeEventListener("pointerdown", elsewhere);
    else if (!(event.target instanceof Node && details.contains(event.target))) details.open = false;
  };
  addEventListener("pointerdown", elsewhere);
  details.addEventListener("keydown", event => { if (event.key === "Escape" && details.open) { details.open = false; summary.focus(); } });
  details.addEventListener("toggle", () => { if (details.open && state && !state.weights.length && !state.weighing) wire.say({ do: "weigh" }); });
  draw();
  tell();
  head();
  return details;
}

/** @param {number} load */
function overText(load) {
  return load > 1 ? `${Math.round(100 * (load - 1))} % over budget` : `load ${Math.round(100 * load)} %, nearly too much`;
}
