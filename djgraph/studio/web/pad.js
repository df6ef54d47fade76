// @ts-check
// A pad: two controls at once, one across and one up.

import { make } from "./control.js";
import { positionOf, snapped, valueAt, written } from "./scale.js";

/** @typedef {import("./scale.js").Control} Control */

/**
 * @param {Control} x @param {Control} y
 * @param {{store: import("./store.js").Store, hold: (name: string, value: number) => void,
 *   watch: (name: string, show: (value: number, held: boolean) => void) => void}} tools
 */
export function makePad(x, y, { store, hold, watch }) {
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
  const from = (/** @type {PointerEvent} */ event) => {
    const box = pad.getBoundingClientRect();
    take((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  };
  pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); pad.focus(); from(event); event.preventDefault(); });
  pad.addEventListener("pointermove", event => { if (pad.hasPointerCapture(event.pointerId)) from(event); });
  pad.addEventListener("dblclick", () => take(positionOf(x, x.neutral), positionOf(y, y.neutral)));
  pad.addEventListener("keydown", event => {
    const step = event.shiftKey ? 0.004 : 0.02;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    take(positionOf(x, now(x)) + dx * step, positionOf(y, now(y)) + dy * step);
    event.preventDefault();
  });
  watch(x.name, show);
  watch(y.name, show);
  show();
  return pad;
}
