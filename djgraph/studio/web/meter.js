// @ts-check
// A peak meter with hold: the bar falls by 20 dB a second, the line stays for a second and a half, red stays until clicked.

import { make } from "./control.js";

const FLOOR = -60, FALL = 20, HOLD = 1.5;
/** @type {Set<(now: number) => boolean>} */
const running = new Set();
let asked = false;

/** @param {string} tap @param {import("./store.js").Store} store @returns {HTMLElement} */
export function makeMeter(tap, store) {
  const element = make("div", "meter"), canvas = /** @type {HTMLCanvasElement} */ (make("canvas", ""));
  canvas.width = 28;
  canvas.height = 300;
  element.setAttribute("role", "meter");
  element.setAttribute("aria-label", `${tap}, level`);
  element.setAttribute("aria-valuemin", String(FLOOR));
  element.setAttribute("aria-valuemax", "6");
  element.append(canvas);
  element.title = `${tap}: peak; a click clears the red`;
  /** @type {{level: number, top: number, since: number}[]} */
  let bars = [];
  let over = false, last = 0;
  element.addEventListener("click", () => { over = false; wake(draw); });

  store.on("meters", event => {
    const peaks = event.peaks[tap];
    if (!peaks) return;
    const now = performance.now() / 1000;
    if (bars.length !== peaks.length) bars = peaks.map(() => ({ level: FLOOR, top: FLOOR, since: 0 }));
    peaks.forEach((/** @type {number} */ peak, /** @type {number} */ i) => {
      const level = peak > 0 ? 20 * Math.log10(peak) : FLOOR;
      bars[i].level = Math.max(bars[i].level, level);
      if (level >= bars[i].top) Object.assign(bars[i], { top: level, since: now });
      over ||= peak > 1;
    });
    element.setAttribute("aria-valuenow", Math.max(FLOOR, ...bars.map(bar => bar.level)).toFixed(0));
    wake(draw);
  });

  /** @param {number} now @returns {boolean} whether it goes on */
  function draw(now) {
    const passed = Math.min(0.1, now - last);
    last = now;
    const g = canvas.getContext("2d");
    if (!g) return false;
    const style = getComputedStyle(element), { width, height } = canvas;
    g.clearRect(0, 0, width, height);
    let moving = false;
    const count = Math.max(1, bars.length), wide = width / count;
    bars.forEach((bar, i) => {
      const x = i * wide + 1, w = wide - 2;
      for (const [from, to, colour] of /** @type {[number, number, string][]} */ ([[FLOOR, -12, "--good"], [-12, -3, "--warm"], [-3, 6, "--hot"]])) {
        if (bar.level <= from) continue;
        const y = place(Math.min(bar.level, to), height);
        g.fillStyle = style.getPropertyValue(colour);
        g.fillRect(x, y, w, place(from, height) - y);
      }
      if (bar.top > FLOOR) {
        g.fillStyle = style.getPropertyValue("--text");
        g.fillRect(x, place(bar.top, height), w, 2);
      }
      bar.level = Math.max(FLOOR, bar.level - FALL * passed);
      if (now - bar.since > HOLD) bar.top = Math.max(FLOOR, bar.top - FALL * passed);
      moving ||= bar.level > FLOOR || bar.top > FLOOR;
    });
    if (over) { g.fillStyle = style.getPropertyValue("--hot"); g.fillRect(0, 0, width, 8); }
    return moving;
  }
  return element;
}

/** @param {number} level @param {number} height */
function place(level, height) {
  return height * (1 - (level - FLOOR) / (6 - FLOOR));
}

/** All meters are drawn in one frame, while one moves. @param {(now: number) => boolean} draw */
function wake(draw) {
  running.add(draw);
  if (asked) return;
  asked = true;
  const tick = () => {
    const now = performance.now() / 1000;
    for (const one of running) if (!one(now)) running.delete(one);
    asked = running.size > 0;
    if (asked) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}
