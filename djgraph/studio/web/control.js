// @ts-check
// One control of a console, whatever it looks like: dragged, turned by the wheel, by keys, typed, put back by a double click.

import { allowed, parsed, positionOf, snapped, valueAt, written } from "./scale.js";

/** @typedef {import("./scale.js").Control} Control */

const DRAG = 180; // pixels for the whole travel
const FINE = 0.1;

/**
 * @param {Control} c
 * @param {(value: number) => void} move  a hand moved it
 * @param {() => void} release  the hand let go
 * @param {() => void} [accept]  what is proposed for it is taken
 * @param {(text: string) => void} [refuse]  what was typed is no value of it: why
 * @returns {{element: HTMLElement, show: (value: number, held: boolean) => void, ghost: (value: number|null) => void}}
 */
export function makeControl(c, move, release, accept, refuse) {
  let now = c.default;
  const element = make("div", "control");
  element.dataset.control = c.name;
  const face = c.widget === "switch" || c.widget === "button" ? switchFace(c, take)
    : c.widget === "fader" ? faderFace(c) : dialFace(c);
  const value = /** @type {HTMLInputElement} */ (make("input", "value"));
  value.setAttribute("aria-label", `${c.name}, value`);
  value.spellcheck = false;
  const label = make("span", "label");
  label.textContent = c.label;
  element.title = `${c.name}\n${c.description}`;
  element.append(label, face.element, value);

  /** @type {number|undefined} */ let rest;
  let dragging = false;
  /** @param {number} wanted */
  function take(wanted) {
    now = snapped(c, wanted);
    show(now, true);
    move(now);
    clearTimeout(rest);
    if (!dragging) rest = setTimeout(release, 400);
  }

  /** @param {number} current @param {boolean} held */
  function show(current, held) {
    now = current;
    element.classList.toggle("held", held);
    const text = written(c, current);
    if (document.activeElement !== value) value.value = text;
    face.show(current);
    if (face.slider) {
      face.element.setAttribute("aria-valuenow", String(current));
      face.element.setAttribute("aria-valuetext", text);
    }
  }

  /** @type {HTMLElement|null} */ let taker = null;
  /** Where a proposal would have it. @param {number|null} proposed */
  function ghost(proposed) {
    element.classList.toggle("haunted", proposed !== null);
    face.ghost(proposed);
    if (proposed === null) { taker?.remove(); taker = null; return; }
    if (!taker && accept) {
      taker = make("button", "accept");
      taker.textContent = "Take";
      taker.addEventListener("click", accept);
      element.append(taker);
    }
    if (taker) {
      taker.title = `Proposed here: ${written(c, proposed)}. Take what is proposed for ${c.name}`;
      taker.setAttribute("aria-label", `Take ${c.name} as proposed, here ${written(c, proposed)}`);
    }
  }

  if (face.slider) {
    const slider = face.element;
    slider.tabIndex = 0;
    slider.setAttribute("role", "slider");
    slider.setAttribute("aria-label", `${c.name}: ${c.label}`);
    slider.setAttribute("aria-valuemin", String(c.min));
    slider.setAttribute("aria-valuemax", String(c.max));
    slider.setAttribute("aria-orientation", "vertical");
    let from = 0, at = 0;
    slider.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      slider.setPointerCapture(event.pointerId);
      slider.focus();
      dragging = true;
      from = event.clientY;
      at = positionOf(c, now);
      event.preventDefault();
    });
    slider.addEventListener("pointermove", event => {
      if (!slider.hasPointerCapture(event.pointerId)) return;
      const travel = (c.widget === "fader" ? slider.clientHeight - 14 : DRAG) / (event.shiftKey ? FINE : 1);
      at = Math.min(1, Math.max(0, at + (from - event.clientY) / travel));
      from = event.clientY;
      take(valueAt(c, at));
    });
    for (const end of ["pointerup", "pointercancel"]) slider.addEventListener(end, () => {
      if (dragging) release();
      dragging = false;
    });
    slider.addEventListener("dblclick", () => take(c.neutral));
    slider.addEventListener("wheel", event => {
      event.preventDefault();
      nudge(event.deltaY < 0 ? 1 : -1, event.shiftKey);
    }, { passive: false });
    slider.addEventListener("keydown", event => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (step) nudge(step, event.shiftKey);
      else if (event.key === "Home") take(c.min);
      else if (event.key === "End") take(c.max);
      else if (event.key === "Delete" || event.key === "Backspace") take(c.neutral);
      else if (event.key === "Enter") { value.focus(); value.select(); }
      else return;
      event.preventDefault();
    });
  }

  /** @param {number} steps @param {boolean} fine */
  function nudge(steps, fine) {
    if (c.step) take(now + steps * c.step);
    else if (c.choices.length) take(c.choices[Math.min(c.choices.length - 1, Math.max(0, c.choices.indexOf(now) + Math.sign(steps)))]);
    else take(valueAt(c, positionOf(c, now) + steps * (fine ? 0.002 : 0.02)));
  }

  value.addEventListener("focus", () => value.select());
  value.addEventListener("keydown", event => {
    if (event.key === "Enter") { enter(); face.element.focus(); }
    if (event.key === "Escape") { value.value = written(c, now); face.element.focus(); }
  });
  value.addEventListener("change", enter);
  function enter() {
    const typed = parsed(c, value.value);
    if (typed === null) {
      if (value.value.trim()) refuse?.(`“${value.value}” is no value of ${c.name}: ${allowed(c)}`);
      value.value = written(c, now);
    }
    else if (typed !== now) take(typed);
  }
  return { element, show, ghost };
}

/** @param {Control} c */
function faderFace(c) {
  const element = make("div", "travel");
  const neutral = make("div", "neutral"), cap = make("div", "cap"), shade = make("div", "cap ghost");
  neutral.style.top = place(positionOf(c, c.neutral));
  shade.hidden = true;
  element.append(neutral, cap, shade);
  return {
    element, slider: true,
    show: (/** @type {number} */ value) => { cap.style.top = place(positionOf(c, value)); },
    ghost: (/** @type {number|null} */ value) => {
      shade.hidden = value === null;
      if (value !== null) shade.style.top = place(positionOf(c, value));
    },
  };
}

/** @param {number} u */
function place(u) {
  return `calc(7px + (100% - 14px) * ${1 - u})`;
}

/** @param {Control} c */
function dialFace(c) {
  const element = /** @type {HTMLElement} */ (/** @type {unknown} */ (svg("svg", { class: "dial", viewBox: "0 0 44 44" })));
  const arc = svg("path", { class: "arc" }), hand = svg("line", { class: "hand", x1: 22, y1: 22 });
  const shade = svg("line", { class: "ghost", x1: 22, y1: 22 });
  element.append(svg("path", { class: "track", d: sweep(0, 1) }), arc, svg("circle", { class: "cap", cx: 22, cy: 22, r: 12 }), hand);
  const home = c.widget === "bipolar" ? positionOf(c, c.neutral) : 0;
  return {
    element, slider: true,
    show: (/** @type {number} */ value) => {
      const u = positionOf(c, value), [x, y] = rim(u, 11);
      arc.setAttribute("d", Math.abs(u - home) < 0.002 ? "" : sweep(Math.min(home, u), Math.max(home, u)));
      hand.setAttribute("x2", String(x));
      hand.setAttribute("y2", String(y));
    },
    ghost: (/** @type {number|null} */ value) => {
      if (value === null) { shade.remove(); return; }
      const u = positionOf(c, value), [x1, y1] = rim(u, 6), [x, y] = rim(u, 20);
      for (const [key, at] of Object.entries({ x1, y1, x2: x, y2: y })) shade.setAttribute(key, at.toFixed(2));
      if (!shade.isConnected) element.append(shade);
    },
  };
}

/** @param {number} u @param {number} radius */
function rim(u, radius) {
  const angle = (0.75 + 1.5 * u) * Math.PI;
  return [22 + radius * Math.cos(angle), 22 + radius * Math.sin(angle)];
}

/** @param {number} from @param {number} to */
function sweep(from, to) {
  const [x1, y1] = rim(from, 18), [x2, y2] = rim(to, 18);
  return `M${x1.toFixed(2)} ${y1.toFixed(2)}A18 18 0 ${to - from > 2 / 3 ? 1 : 0} 1 ${x2.toFixed(2)} ${y2.toFixed(2)}`;
}

/** @param {Control} c @param {(value: number) => void} take */
function switchFace(c, take) {
  if (c.widget === "button") {
    const element = make("button", "toggle");
    const [off, on] = c.choices.length ? c.choices : [c.min, c.max];
    element.setAttribute("aria-label", `${c.name}: ${c.label}`);
    let now = off;
    element.addEventListener("click", () => take(now === on ? off : on));
    return { element, slider: false, show: (/** @type {number} */ value) => {
      now = value;
      element.setAttribute("aria-pressed", String(value === on));
      element.textContent = c.names.length ? written(c, value) : value === on ? "on" : "off";
    }, ghost: () => {} };
  }
  const element = /** @type {HTMLSelectElement} */ (make("select", "choice"));
  element.setAttribute("aria-label", `${c.name}: ${c.label}`);
  const count = Math.round((c.max - c.min) / (c.step ?? 1)) + 1;
  const values = c.choices.length ? c.choices : Array.from({ length: count }, (_, i) => c.min + i * (c.step ?? 1));
  for (const one of values) {
    const option = document.createElement("option");
    option.value = String(one);
    option.textContent = written(c, one);
    element.append(option);
  }
  element.addEventListener("change", () => take(Number(element.value)));
  return { element, slider: false, show: (/** @type {number} */ value) => { element.value = String(snapped(c, value)); }, ghost: () => {} };
}

/** @param {string} tag @param {string} name */
export function make(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

/** @param {string} tag @param {Record<string, string|number>} attributes */
function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
