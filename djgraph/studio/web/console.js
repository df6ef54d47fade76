// @ts-check
// The console: strips in order, generated from what the server says of the graph.

import { make, makeControl } from "./control.js";
import { showInGraph, showInText } from "./reveal.js";
import { makeMeter } from "./meter.js";
import { makePad } from "./pad.js";

/** @typedef {import("./scale.js").Control} Control */
/** @typedef {{node: string, effect: string, title: string, controls: Control[], pad?: string[]}} Block */
/** @typedef {{name: string, kind: string, width: string, meter: boolean, to: string[], alike: string, group: string,
 *   mutes: boolean, blocks: Block[], own?: Control[]}} Section */

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeConsole(store, wire) {
  const root = make("div", "desk"), strips = make("div", "console");
  /** @type {Map<string, ((value: number, held: boolean) => void)[]>} */
  const shown = new Map();
  /** @type {Map<string, (value: number|null) => void>} */
  const ghosts = new Map();
  /** @type {Set<string>} */
  const dirty = new Set();

  /** @param {Control} c */
  const control = c => {
    const made = makeControl(c, value => hold(c.name, value), () => release(c.name),
      () => wire.say({ do: "take", controls: [c.name] }), message => store.tell("say", { message, wrong: true }));
    ghosts.set(c.name, made.ghost);
    watch(c.name, made.show);
    linked(made.element, c, store);
    return made.element;
  };
  /** @param {string} name @param {number} value */
  const hold = (name, value) => {
    store.values.set(name, value);
    wire.say({ do: "hold", control: name, value });
  };
  /** @param {string} name */
  const release = name => wire.say({ do: "release", control: name });
  /** @param {string} name @param {(value: number, held: boolean) => void} show */
  const watch = (name, show) => shown.set(name, [...(shown.get(name) ?? []), show]);

  /** @type {Section[]} */
  const sections = [...store.console.sections];
  if (store.console.macros.length) {
    sections.push({ name: "macros", kind: "macros", width: "", meter: false, to: [], alike: "macros", group: "", mutes: false,
      blocks: [{ node: "", effect: "", title: "Macros", controls: store.console.macros }] });
  }
  const made = sections.map(section => strip(section, { store, wire, control, hold, release, watch }));
  let group = "";
  /** @type {HTMLElement|null} */ let box = null;
  made.forEach((one, i) => {
    const section = sections[i];
    if (section.group && section.group === group && box) box.lastElementChild?.append(one);
    else if (section.group) {
      box = grouped(section.group, sections, made);
      box.lastElementChild?.append(one);
      strips.append(box);
    } else strips.append(one);
    group = section.group;
  });
  root.append(tools(store, wire, strips, sections, made), strips);

  const flush = () => {
    for (const name of dirty) for (const show of shown.get(name) ?? []) show(store.values.get(name) ?? 0, store.held.has(name));
    dirty.clear();
  };
  /** @param {string} name */
  const mark = name => {
    if (!dirty.size) requestAnimationFrame(flush);
    dirty.add(name);
  };
  for (const name of shown.keys()) dirty.add(name);
  flush();
  store.on("control", mark);
  /** @param {string} name */
  const haunt = name => ghosts.get(name)?.(store.ghosts?.values.get(name) ?? null);
  for (const name of store.ghosts?.values.keys() ?? []) haunt(name);
  store.on("ghost", haunt);
  return root;
}

/** What stands above strips of one group. @param {string} name @param {Section[]} sections @param {HTMLElement[]} made */
function grouped(name, sections, made) {
  const box = make("div", "group"), head = make("button", "head"), row = make("div", "row");
  head.textContent = name;
  head.setAttribute("aria-expanded", "true");
  head.title = `fold ${name}`;
  head.addEventListener("click", () => {
    const open = head.getAttribute("aria-expanded") === "true";
    head.setAttribute("aria-expanded", String(!open));
    sections.forEach((section, i) => { if (section.group === name) fold(made[i], open); });
  });
  box.append(head, row);
  return box;
}

/** @param {HTMLElement} strip @param {boolean} folded */
function fold(strip, folded) {
  strip.classList.toggle("folded", folded);
  const button = strip.querySelector("button.fold");
  button?.setAttribute("aria-expanded", String(!folded));
}

/**
 * The bar above: what is shown, what is folded, and everything back.
 * @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @param {HTMLElement} strips
 * @param {Section[]} sections @param {HTMLElement[]} made
 */
function tools(store, wire, strips, sections, made) {
  const bar = make("div", "tools");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Console");
  const filter = /** @type {HTMLInputElement} */ (make("input", "filter"));
  filter.type = "search";
  filter.placeholder = "Filter controls: vocals gain, eq low, …";
  filter.setAttribute("aria-label", "Filter controls");
  const moved = toggle("Moved only", "controls that are not at their default"), held = toggle("Held only", "controls that a hand is on");
  const count = make("span", "count");
  count.setAttribute("aria-live", "polite");

  const sift = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = moved.getAttribute("aria-pressed") === "true", hands = held.getAttribute("aria-pressed") === "true";
    let visible = 0;
    for (const strip of made) {
      let some = false;
      for (const element of /** @type {NodeListOf<HTMLElement>} */ (strip.querySelectorAll("[data-control]"))) {
        const c = store.controls.get(element.dataset.control ?? "");
        if (!c) continue;
        const text = `${c.name} ${c.label} ${c.role} ${element.dataset.block ?? ""}`.toLowerCase();
        const shows = words.every(word => text.includes(word)) && (!only || (store.values.get(c.name) ?? c.default) !== c.default) && (!hands || store.held.has(c.name));
        element.hidden = !shows;
        some ||= shows;
        if (shows) visible++;
      }
      for (const block of /** @type {NodeListOf<HTMLElement>} */ (strip.querySelectorAll(".block"))) block.hidden = !block.querySelector("[data-control]:not([hidden])");
      strip.hidden = !some && (words.length > 0 || only || hands);
    }
    for (const group of /** @type {NodeListOf<HTMLElement>} */ (strips.querySelectorAll(".group"))) group.hidden = !group.querySelector(".strip:not([hidden])");
    count.textContent = `${visible} of ${store.controls.size} controls`;
  };
  filter.addEventListener("input", sift);
  for (const one of [moved, held]) one.addEventListener("click", () => {
    one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
    sift();
  });
  sift();

  const alike = new Map();
  for (const section of sections) alike.set(section.alike, (alike.get(section.alike) ?? 0) + 1);
  const folding = toggle("Fold equal strips", "one strip stays open for each kind");
  folding.hidden = ![...alike.values()].some(n => n > 2);
  folding.addEventListener("click", () => {
    const on = folding.getAttribute("aria-pressed") !== "true";
    folding.setAttribute("aria-pressed", String(on));
    sections.forEach((section, i) => { if (alike.get(section.alike) > 2 && section.alike !== section.name) fold(made[i], on); });
  });

  const back = make("button", "give-back");
  back.textContent = "Back to automation";
  back.title = "let go of every control that is held";
  const count_held = () => { /** @type {HTMLButtonElement} */ (back).disabled = store.held.size === 0; };
  back.addEventListener("click", () => wire.say({ do: "release", control: null }));
  store.on("control", count_held);
  count_held();
  bar.append(filter, moved, held, folding, back, count);
  return bar;
}

/** @param {string} text @param {string} title */
function toggle(text, title) {
  const button = make("button", "toggle");
  button.textContent = text;
  button.title = title;
  button.setAttribute("aria-pressed", "false");
  return button;
}

/**
 * @typedef {{store: import("./store.js").Store, wire: import("./wire.js").Wire, control: (c: Control) => HTMLElement,
 *   hold: (name: string, value: number) => void, release: (name: string) => void, watch: (name: string, show: (value: number, held: boolean) => void) => void}} Tools
 */

/** @param {Section} section @param {Tools} tools */
function strip(section, tools) {
  const element = make("section", `strip ${section.kind}`);
  element.setAttribute("aria-label", `${section.kind} ${section.name}`);
  element.dataset.strip = section.name;
  const head = make("h2", ""), name = make("span", "name"), folder = make("button", "fold");
  name.textContent = section.group ? section.name.slice(section.group.length + 1) : section.name;
  name.title = `${section.name}${section.width ? `, ${section.width}` : ""}${section.to.length ? ` → ${section.to.join(", ")}` : ""}`;
  folder.setAttribute("aria-label", `fold ${section.name}`);
  folder.setAttribute("aria-expanded", "true");
  folder.addEventListener("click", () => fold(element, !element.classList.contains("folded")));
  if (section.kind !== "macros") head.append(name, toGraph(section.name, tools.store), folder);
  else head.append(name, folder);
  element.append(head);
  /** @type {Control[]} */
  const faders = [];
  const body = make("div", "body");
  if (section.own?.length) body.append(block({ node: "", effect: "", title: "Strip", controls: section.own }, tools));
  for (const one of section.blocks) {
    const others = one.controls.filter(c => c.widget !== "fader");
    faders.push(...one.controls.filter(c => c.widget === "fader"));
    if (others.length) body.append(block({ ...one, controls: others }, tools));
  }
  const foot = make("div", "foot"), levels = make("div", "levels");
  levels.append(...faders.map(tools.control));
  if (section.meter) levels.append(makeMeter(section.name, tools.store));
  if (section.mutes) foot.append(listening(section.name, tools));
  foot.append(levels);
  element.append(body);
  if (foot.childElementCount > 1 || levels.childElementCount) element.append(foot);
  return element;
}

/** @param {Block} one @param {Tools} tools */
function block(one, tools) {
  const box = make("div", "block"), title = make("h3", ""), controls = make("div", "controls");
  title.textContent = one.title;
  for (const c of one.controls) {
    const made = tools.control(c);
    made.dataset.block = `${one.title} ${one.effect}`;
    controls.append(made);
  }
  box.append(title, controls);
  const [x, y] = (one.pad ?? []).map(name => one.controls.find(c => c.name === name));
  if (x && y) {
    const open = make("button", "xy");
    open.textContent = "XY";
    open.setAttribute("aria-pressed", "false");
    open.title = `${x.label} across, ${y.label} up`;
    title.append(open);
    /** @type {HTMLElement|null} */ let pad = null;
    open.addEventListener("click", () => {
      pad ??= makePad(x, y, tools);
      const on = open.getAttribute("aria-pressed") !== "true";
      open.setAttribute("aria-pressed", String(on));
      if (!on) { pad.remove(); return; }
      box.append(pad);
      pad.scrollIntoView({ block: "nearest" });
    });
  }
  return box;
}

/** A control's label leads to the line of the text that declares it; so does T. @param {HTMLElement} element @param {Control} c @param {import("./store.js").Store} store */
function linked(element, c, store) {
  const label = element.querySelector(".label"), line = c.line;
  if (!(label instanceof HTMLElement) || !line || (c.file !== store.extra.text?.name && c.file !== "<text>")) return;
  label.classList.add("linked");
  label.title = `${c.name}: line ${line} of the text (T)`;
  label.addEventListener("click", () => showInText(store, line));
  element.addEventListener("keydown", event => {
    if (event.key.toLowerCase() !== "t" || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    showInText(store, line);
  });
}

/** What leads from a strip to its box in the drawing. @param {string} name @param {import("./store.js").Store} store */
function toGraph(name, store) {
  const one = make("button", "to-graph");
  one.textContent = "◇";
  one.title = `show ${name} in the graph`;
  one.setAttribute("aria-label", one.title);
  one.addEventListener("click", () => showInGraph(store, name));
  return one;
}

/** Mute and solo of what one listens to. @param {string} name @param {Tools} tools */
function listening(name, { store, wire }) {
  const row = make("div", "listen");
  /** @param {string} text @param {"muted"|"soloed"} what */
  const button = (text, what) => {
    const one = make("button", what);
    one.textContent = text;
    one.setAttribute("aria-label", `${what === "muted" ? "mute" : "solo"} ${name}`);
    one.addEventListener("click", () => {
      const now = store.listening, on = now[what].includes(name);
      wire.say({ do: "listen", ...now, [what]: on ? now[what].filter(n => n !== name) : [...now[what], name] });
    });
    const show = () => one.setAttribute("aria-pressed", String(store.listening[what].includes(name)));
    store.on("listening", show);
    show();
    return one;
  };
  row.append(button("M", "muted"), button("S", "soloed"));
  return row;
}
