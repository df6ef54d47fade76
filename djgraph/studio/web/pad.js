// @ts-check
// A pad: two controls at once, one across and one up.

import { make } from "./control.js";
import { positionOf, snapped, valueAt, written } from "./scale.js";

/** @typedef {import("./scale.js").Control} Control */

const RESTED = 400; // ms after which keys count as let go

/**
 * @param {Control} x @param {Control} y
 * @param {{store: import("./store.js").Store, hold: (name: string, value: number) => void, release: (name: string) => void,
 *   watch: (name: string, show: (value: number, held: boolean) => void) => void}} tools
 */
export function makePad(x, y, { store, hold, release, watch }) {
  const pad = make("div", "pad"), dot = make("div", "dot");
  pad.append(dot);
  pad.tabIndex = 0;
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", `pad: ${x.name} across, ${y.name} up; arrow keys move it`);
  const now = (/** @type {Control} */ c) => store.values.get(c.name) ?? c.default;
  const show = () => {
    dot.style.left = `${100 * positionOf(x, now(x))}%`;
    dot.style.top = `${100 * (1 - positionOf(y, now(y)))}%`;
    pad.title = `${x.label} ${written(x, now(x))}, ${y.label} ${written(y, now(y))}`;
  };
  /** @param {number} across @param {number} up */
  const take = (across, up) => {
    hold(x.name, snapped(x, valueAt(x, across)));
    hold(y.name, snapped(y, valueAt(y, up)));
    store.tell("control", x.name);
    store.tell("control", y.name);
    show();
  };
  /** @type {number|undefined} */ let rest;
  const leave = () => { for (const c of [x, y]) release(c.name); };
  /** @param {number} across @param {number} up */
  const step = (across, up) => {
    take(across, up);
    clearTimeout(rest);
    rest = setTimeout(leave, RESTED);
  };
  const from = (/** @type {PointerEvent} */ event) => {
    const box = pad.getBoundingClientRect();
    take((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  };
  pad.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    pad.focus();
    clearTimeout(rest);
    from(event);
    event.preventDefault();
  });
  pad.addEventListener("pointermove", event => { if (pad.hasPointerCapture(event.pointerId)) from(event); });
  pad.addEventListener("lostpointercapture", leave);
  pad.addEventListener("dblclick", () => step(positionOf(x, x.neutral), positionOf(y, y.neutral)));
  pad.addEventListener("keydown", event => {
    const by = event.shiftKey ? 0.004 : 0.02;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    step(positionOf(x, now(x)) + dx * by, positionOf(y, now(y)) + dy * by);
    event.preventDefault();
  });
  watch(x.name, show);
  watch(y.name, show);
  show();
  return pad;
}
