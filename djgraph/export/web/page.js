// @ts-check
// The page: stems that come with it or are dropped onto it, a transport, a console whose controls move with the
// automation until a hand takes them, and a mix to save. All that it knows stands in its own `data` element.
"use strict";

const data = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "");
const { program } = data;
const TAPER = 60; // dB that a control of scale `db` travels
const STEPS = 1000; // of a slider

/** @type {(Float32Array[]|null)[]} */ const signals = program.inputs.map(() => null);
/** @type {(number|null)[]} */ const hands = data.columns.map(() => null);
let samples = data.samples ?? 0, position = 0, playing = false, seeking = false, output = program.outputs[0].name;
/** @type {AudioContext|null} */ let context = null;
/** @type {AudioWorkletNode|null} */ let node = null;
let address = ""; // of the engine, the first that this browser loads

// ---- values

/** Position 0…1 → value. @param {any} c @param {number} u */
function valueAt(c, u) {
  const range = c.max - c.min;
  if (u <= 0) return c.min;
  if (u >= 1) return c.max;
  if (c.scale === "log") return c.min * (c.max / c.min) ** u;
  if (c.scale === "db") { const k = 10 ** (TAPER / 20); return c.min + range * (k ** u - 1) / (k - 1); }
  return c.min + range * (c.scale === "power" ? u ** c.exponent : u);
}

/** Value → position 0…1. @param {any} c @param {number} value */
function positionOf(c, value) {
  const share = Math.min(1, Math.max(0, (value - c.min) / (c.max - c.min)));
  if (c.scale === "log") return Math.log(Math.min(c.max, Math.max(c.min, value)) / c.min) / Math.log(c.max / c.min);
  if (c.scale === "db") { const k = 10 ** (TAPER / 20); return Math.log(1 + share * (k - 1)) / Math.log(k); }
  return c.scale === "power" ? share ** (1 / c.exponent) : share;
}

/** As people read it. @param {any} c @param {number} value */
function written(c, value) {
  const digits = (/** @type {number} */ x) => x.toFixed(Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2).replace("-", "−");
  if (c.names.length) return c.names[Math.round(value - c.min)] ?? String(value);
  if (c.amplitude && c.unit === "ratio") return value <= 0 ? "−∞ dB" : `${digits(20 * Math.log10(value))} dB`;
  if (c.unit === "Hz" && value >= 1000) return `${digits(value / 1000)} kHz`;
  return digits(value) + (c.unit === "ratio" ? "" : ` ${c.unit}`);
}

/** What the automation says of a control at a sample. @param {number} column @param {number} sample */
function courseAt(column, sample) {
  const { at, values, held } = program.rows[column];
  let low = 0, high = at.length - 1;
  if (sample <= at[0]) return values[0];
  while (low < high) { const middle = (low + high + 1) >> 1; if (at[middle] <= sample) low = middle; else high = middle - 1; }
  if (held || low + 1 === at.length) return values[low];
  return values[low] + (values[low + 1] - values[low]) * (sample - at[low]) / (at[low + 1] - at[low]);
}

/** @param {number} sample */
function clock(sample) {
  const seconds = sample / program.rate, minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

// ---- elements

/** @param {string} tag @param {Record<string, any>} [properties] @param {(Node|string)[]} inner @returns {any} */
function make(tag, properties = {}, ...inner) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-")) element.setAttribute(name, value); else /** @type {any} */ (element)[name] = value;
  }
  element.append(...inner);
  return element;
}

const said = make("p", { className: "said", role: "status" });
said.setAttribute("role", "status");
/** @param {string} text @param {boolean} [wrong] */
function say(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

const play = make("button", { className: "play", textContent: "Play", onclick: () => toggle() });
const seek = make("input", { type: "range", className: "seek", min: 0, max: 1, step: "any", value: 0, "aria-label": "Position" });
const time = make("span", { className: "time" });
const save = make("button", { textContent: "Save WAV", title: "Mix all of it and save it as a sound file", onclick: () => keep() });
const back = make("button", { textContent: "All back", title: "Every control back to what the page says", onclick: () => data.columns.forEach((/** @type {any} */ c) => hold(c.column, null)) });
const ports = make("select", { "aria-label": "Output", onchange: () => { output = ports.value; if (node) { node.port.postMessage({ output }); heard(node); } } });
for (const one of program.outputs) ports.append(make("option", { value: one.name, textContent: one.name }));
ports.hidden = program.outputs.length < 2;
const stems = make("section", { className: "stems", "aria-label": "Stems" });
const desk = make("section", { className: "desk", "aria-label": "Controls" });

seek.addEventListener("input", () => { seeking = true; show(Math.round(seek.value * samples)); });
seek.addEventListener("change", () => {
  seeking = false;
  position = Math.round(seek.value * samples);
  node?.port.postMessage({ seek: position });
});

/** @type {{show: (sample: number) => void, held: () => void}[]} */ const faces = [];

/** @param {any} c */
function control(c) {
  const name = make("label", { textContent: c.label, title: `${c.name}\n${c.description}` });
  const value = make("output", { title: "" });
  const element = make("div", { className: "control" }, name);
  const moving = data.moving.includes(c.name);
  /** @type {any} */ let input;
  const listed = c.choices.length ? c.choices : c.names.length ? c.names.map((/** @type {string} */ _, /** @type {number} */ i) => c.min + i) : null;
  if (listed) {
    input = make("select", { onchange: () => hold(c.column, Number(input.value)) });
    for (const one of listed) input.append(make("option", { value: one, textContent: written(c, one) }));
  } else {
    input = make("input", { type: "range", min: 0, max: STEPS, step: 1 });
    input.addEventListener("input", () => {
      let wanted = valueAt(c, input.value / STEPS);
      if (c.step) wanted = Math.min(c.max, c.min + Math.round((wanted - c.min) / c.step) * c.step);
      hold(c.column, wanted);
    });
    input.addEventListener("dblclick", () => hold(c.column, null));
  }
  input.disabled = c.fixed;
  input.id = `control-${c.column}`;
  input.setAttribute("aria-label", c.name);
  name.htmlFor = input.id;
  value.htmlFor = input.id;
  value.addEventListener("click", () => hold(c.column, null));
  element.append(input, value);
  const lane = moving ? drawn(c) : null;
  if (lane) element.append(lane.element);
  let shown = NaN;
  const face = {
    show: (/** @type {number} */ sample) => {
      lane?.show(sample);
      const now = hands[c.column] ?? courseAt(c.column, sample);
      if (now === shown) return;
      shown = now;
      value.textContent = written(c, now);
      if (listed) input.value = String(listed.reduce((/** @type {number} */ a, /** @type {number} */ b) => Math.abs(b - now) < Math.abs(a - now) ? b : a));
      else { input.value = String(positionOf(c, now) * STEPS); input.setAttribute("aria-valuetext", value.textContent); }
    },
    held: () => {
      const held = hands[c.column] !== null;
      element.classList.toggle("held", held);
      value.title = held ? "By hand; click to give it back" : "";
    },
  };
  faces[c.column] = face;
  return element;
}

/** What the automation does to a control over the clip. @param {any} c */
function drawn(c) {
  const space = "http://www.w3.org/2000/svg";
  const element = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path"), head = document.createElementNS(space, "line");
  element.setAttribute("class", "lane");
  element.setAttribute("viewBox", "0 0 1000 26");
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  for (const [name, value] of [["y1", "0"], ["y2", "26"]]) head.setAttribute(name, value);
  element.append(path, head);
  let of = 0;
  return {
    element,
    show: (/** @type {number} */ sample) => {
      if (of !== samples && samples) {
        of = samples;
        const points = Array.from({ length: 251 }, (_, i) => [4 * i, 24 - 22 * positionOf(c, courseAt(c.column, i / 250 * samples))]);
        path.setAttribute("d", points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y.toFixed(1)}`).join(""));
      }
      const x = String(samples ? sample / samples * 1000 : 0);
      head.setAttribute("x1", x);
      head.setAttribute("x2", x);
    },
  };
}

/** A hand on a control, or off it. @param {number} column @param {number|null} value */
function hold(column, value) {
  if (data.columns[column].fixed) return;
  hands[column] = value;
  node?.port.postMessage({ hand: column, value });
  faces[column].held();
  faces[column].show(position);
  back.disabled = hands.every((one) => one === null);
}

/** @param {number} sample */
function show(sample) {
  time.textContent = `${clock(sample)} / ${clock(samples)}`;
  if (!seeking) seek.value = samples ? String(sample / samples) : "0";
  for (const face of faces) face.show(sample);
}

for (const group of data.groups) {
  const strip = make("section", { className: `strip ${group.kind}` }, make("h2", { textContent: group.name }));
  for (const block of group.blocks) {
    if (block.title) strip.append(make("h3", { textContent: block.title }));
    for (const column of block.columns) strip.append(control(data.columns[column]));
  }
  desk.append(strip);
}

// ---- stems

/** @type {any[]} */ const chips = [];
for (const name of new Set(program.inputs.map((/** @type {any} */ one) => one.input))) {
  const box = make("div", { className: "input" }, make("b", { textContent: name }));
  box.dataset.input = name;
  program.inputs.forEach((/** @type {any} */ one, /** @type {number} */ number) => {
    if (one.input !== name) return;
    const file = make("input", { type: "file", accept: "audio/*,.wav,.flac,.ogg,.mp3,.aiff,.m4a", "aria-label": `${name} ${one.stem ?? ""}: choose a file` });
    const chip = make("label", { className: "stem", textContent: one.stem ?? "choose a file" }, file);
    file.addEventListener("change", () => { if (file.files?.length) take([[number, file.files[0]]]); });
    chips[number] = chip;
    box.append(chip);
  });
  stems.append(box);
}

/** Which inputs files are for, by their names; the first free ones where names say nothing. @param {File[]} files @param {string} [only] the input on which they were dropped @returns {[number, File][]} */
function placed(files, only) {
  const free = new Set([...program.inputs.keys()].filter((number) => !only || program.inputs[number].input === only));
  const words = (/** @type {string} */ text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  return files.map((file) => {
    const text = ` ${words(file.webkitRelativePath || file.name)} `;
    const score = (/** @type {number} */ n) => {
      const { input, stem } = program.inputs[n];
      return (stem && text.includes(` ${words(stem)} `) ? 2 : 0) + (text.includes(` ${words(input)} `) ? 3 : 0) + (signals[n] ? 0 : 1);
    };
    const best = [...free].sort((a, b) => score(b) - score(a) || a - b)[0];
    free.delete(best);
    return /** @type {[number, File]} */ ([best, file]);
  }).filter(([number]) => number !== undefined);
}

addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const files = [...(event.dataTransfer?.files ?? [])];
  const box = event.target instanceof Element ? /** @type {HTMLElement|null} */ (event.target.closest(".input")) : null;
  if (files.length) take(placed(files, box?.dataset.input));
});

/** @param {[number, File][]} chosen */
async function take(chosen) {
  for (const [number, file] of chosen) {
    try { put(number, await decoded(await file.arrayBuffer()), 1); } catch { say(`${file.name}: this browser cannot read it as sound`, true); return; }
  }
  say(`${chosen.map(([number, file]) => `${file.name} plays ${named(number)}`).join("\n")}`);
  sent();
}

/** @param {number} number */
function named(number) {
  const { input, stem } = program.inputs[number];
  return stem ? `${input} ${stem}` : input;
}

/** Sound in channels at the graph's rate. @param {ArrayBuffer} bytes */
async function decoded(bytes) {
  const decoder = new OfflineAudioContext(1, 1, program.rate), buffer = await decoder.decodeAudioData(bytes);
  return Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
}

/** @param {number} number @param {Float32Array[]} channels @param {number} gain */
function put(number, channels, gain) {
  const wanted = program.inputs[number].channels;
  if (gain !== 1) for (const one of channels) for (let i = 0; i < one.length; i++) one[i] *= gain;
  if (wanted === 1 && channels.length > 1) {
    const sum = new Float32Array(channels[0].length);
    for (const one of channels) for (let i = 0; i < one.length; i++) sum[i] += one[i] / channels.length;
    channels = [sum];
  }
  signals[number] = Array.from({ length: wanted }, (_, c) => channels[Math.min(c, channels.length - 1)]);
  chips[number].classList.add("there");
  if (!program.inputs[number].stem) chips[number].firstChild.data = "another file";
}

/**
 * The clip is as long as its longest stem, or, while there is none, as the page says; the sound gets all of them. What
 * sources play says nothing of that, unless nobody else does.
 */
function sent() {
  const most = (/** @type {(Float32Array[]|null)[]} */ some) => Math.max(0, ...some.map((one) => one?.[0]?.length ?? 0));
  const plain = signals.filter((_, n) => program.inputs[n].source === null), there = most(signals);
  const longest = plain.length ? most(plain) : there && (data.samples || there);
  samples = longest || (data.samples ?? 0);
  const missing = program.inputs.map((/** @type {any} */ one, /** @type {number} */ n) => one.optional || signals[n] ? "" : named(n)).filter(Boolean);
  play.disabled = save.disabled = !longest;
  if (missing.length) say(`${longest ? "Silent, since nothing plays it" : "Drop sound files onto this page"}: ${missing.join(", ")}`);
  position = Math.min(position, samples);
  node?.port.postMessage({ inputs: signals, samples, at: position });
  show(position);
}

// ---- sound

/** From a file Chromium loads no worklet from a Blob, but from a data address; elsewhere it may be the other way round. @param {BaseAudioContext} target */
async function load(target) {
  if (address) return target.audioWorklet.addModule(address);
  address = `data:text/javascript;charset=utf-8,${encodeURIComponent(data.engine)}`;
  try { return await target.audioWorklet.addModule(address); } catch { /* the other way */ }
  address = URL.createObjectURL(new Blob([data.engine], { type: "text/javascript" }));
  return target.audioWorklet.addModule(address);
}

/** The engine for a context. @param {BaseAudioContext} target @param {Record<string, any>} more */
async function engine(target, more) {
  if (!target.audioWorklet) throw new Error("this browser gives pages from files no AudioWorklet; Chromium and Firefox do");
  await load(target);
  const outputChannelCount = program.outputs.map((/** @type {any} */ one) => one.channels);
  const made = new AudioWorkletNode(target, "djgraph", {
    numberOfInputs: 0, numberOfOutputs: outputChannelCount.length, outputChannelCount, processorOptions: { program, inputs: signals, samples, hands, output, ...more },
  });
  made.onprocessorerror = () => say("the engine stopped: this page has an error", true);
  heard(made);
  return made;
}

/** The chosen output, with as many channels as it has, and no other. @param {AudioWorkletNode} made */
function heard(made) {
  made.disconnect();
  made.connect(made.context.destination, program.outputs.findIndex((/** @type {any} */ one) => one.name === output));
}

async function toggle() {
  try {
    if (!context) {
      context = new AudioContext({ sampleRate: program.rate, latencyHint: "playback" });
      node = await engine(context, { start: position });
      node.port.onmessage = ({ data: told }) => {
        playing = told.playing;
        if (!seeking) position = told.position;
        play.textContent = playing ? "Stop" : "Play";
        if (!playing && !seeking) show(position);
      };
    }
    await context.resume();
    playing = !playing;
    node?.port.postMessage({ play: playing });
    play.textContent = playing ? "Stop" : "Play";
    if (playing) requestAnimationFrame(follow);
  } catch (fault) { say(String(fault instanceof Error ? fault.message : fault), true); }
}

function follow() {
  if (!seeking) show(position);
  if (playing) requestAnimationFrame(follow);
}

/** All of the clip through the engine, faster than it plays: channels as they are heard. */
async function render() {
  const { channels } = program.outputs.find((/** @type {any} */ one) => one.name === output);
  const offline = new OfflineAudioContext(channels, samples + program.latency, program.rate);
  await engine(offline, { play: true });
  const buffer = await offline.startRendering();
  return Array.from({ length: channels }, (_, c) => buffer.getChannelData(c).subarray(program.latency));
}

async function keep() {
  save.disabled = true;
  say("Mixing …");
  try {
    const mixed = await render(), count = mixed.length, bytes = samples * count * 4, file = new DataView(new ArrayBuffer(44 + bytes));
    const text = (/** @type {number} */ at, /** @type {string} */ word) => [...word].forEach((one, i) => file.setUint8(at + i, one.charCodeAt(0)));
    text(0, "RIFF"); file.setUint32(4, 36 + bytes, true); text(8, "WAVEfmt "); file.setUint32(16, 16, true);
    file.setUint16(20, 3, true); file.setUint16(22, count, true); file.setUint32(24, program.rate, true);
    file.setUint32(28, program.rate * count * 4, true); file.setUint16(32, count * 4, true); file.setUint16(34, 32, true);
    text(36, "data"); file.setUint32(40, bytes, true);
    for (let i = 0, at = 44; i < samples; i++) for (let c = 0; c < count; c++, at += 4) file.setFloat32(at, mixed[c][i], true);
    const link = make("a", { href: URL.createObjectURL(new Blob([file], { type: "audio/wav" })), download: `${data.name}.wav` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("Saved, with the controls as they are.");
  } catch (fault) { say(String(fault instanceof Error ? fault.message : fault), true); }
  save.disabled = !samples;
}

// ---- begin

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
/** @type {HTMLElement} */ (document.querySelector("header")).append(make("p", { className: "about", textContent: data.description }));
main.replaceChildren(
  make("div", { className: "bar" }, play, seek, time, ports, back, save), stems, said, desk,
  make("footer", { textContent: `A mix by djgraph ${data.version}. Move a control to take it from the automation; click its value to give it back. Everything is in this file: it asks for nothing from anywhere.` }),
);
play.disabled = save.disabled = back.disabled = true;
addEventListener("keydown", (event) => {
  if (event.key !== " " || /** @type {HTMLElement} */ (event.target).closest("button, select, input, label")) return;
  event.preventDefault();
  if (!play.disabled) toggle();
});

/** The stems that came with the page. */
async function bring() {
  for (const one of data.stems) {
    const number = program.inputs.findIndex((/** @type {any} */ input) => input.input === one.input && input.stem === one.stem);
    const text = /** @type {HTMLElement} */ (document.getElementById(one.id));
    const bytes = Uint8Array.from(atob(text.textContent ?? ""), (letter) => letter.charCodeAt(0));
    text.remove();
    say(`Reading ${named(number)} …`);
    put(number, await decoded(bytes.buffer), one.gain);
  }
  say("");
  sent();
}

/** For tests, and for whoever wants the samples. */
const ready = bring().catch((fault) => say(`a stem of this page cannot be read: ${fault}`, true));
Object.assign(window, { djgraph: { ready, render, hold, placed, signals } });
show(0);
