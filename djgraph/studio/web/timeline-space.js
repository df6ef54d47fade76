// @ts-check
// Where times lie on the timeline: seconds to pixels, snapping, the marks of the ruler.

import { TempoMap } from "./timeline-tempo.js";

export const SNAPS = [["off", "Off"], ["0.25", "1/4 beat"], ["0.5", "1/2 beat"], ["1", "1 beat"], ["bar", "1 bar"]];
const LEAST = 2, MOST = 1500; // pixels a second

export class Space {
  constructor() {
    this.zoom = 40; // pixels a second
    this.left = 0; // pixels scrolled away
    this.width = 800;
    this.seconds = 1;
    this.tempo = new TempoMap([[0, 120, "hold"]]);
    this.bar = 4; // beats
    this.snap = "1";
  }

  /** @param {number} seconds @param {[number, number, string][]} tempo @param {number} bar */
  take(seconds, tempo, bar) {
    this.seconds = Math.max(seconds, 0.01);
    this.tempo = new TempoMap(tempo);
    this.bar = bar;
  }

  /** Pixels from the clip's start. @param {number} second */
  x(second) { return second * this.zoom; }
  /** @param {number} beat */
  xOf(beat) { return this.tempo.seconds(beat) * this.zoom; }
  /** @param {number} x */
  second(x) { return Math.min(this.seconds, Math.max(0, x / this.zoom)); }
  /** @param {number} x */
  beat(x) { return Math.max(0, this.tempo.beat(this.second(x))); }
  /** The clip's last beat. */
  get end() { return this.tempo.beat(this.seconds); }
  /** Beats that are snapped to; 0 where nothing is. */
  get step() { return this.snap === "off" ? 0 : this.snap === "bar" ? this.bar : Number(this.snap); }

  /** @param {number} beat @param {boolean} [free]  as it is */
  snapped(beat, free = false) {
    const step = this.step;
    return Math.min(this.end, Math.max(0, free || !step ? beat : Math.round(beat / step) * step));
  }

  /** @param {number} zoom */
  zoomed(zoom) {
    this.zoom = Math.min(MOST, Math.max(Math.min(LEAST, this.width / this.seconds), zoom));
  }

  fit() { this.zoomed((this.width - 12) / this.seconds); }

  /** The marks of beats that are visible, so far apart that they can be read. level 2: a number's; 1: a bar or a beat; 0: finer.
   * @returns {{x: number, level: 0|1|2, text: string}[]} */
  beats() {
    const first = this.beat(this.left), final = this.beat(this.left + this.width);
    const beat = this.zoom * this.seconds / Math.max(this.end, 1e-9); // pixels, in the mean
    const bar = this.bar;
    let step = 0.25;
    for (const one of [0.25, 1, bar, 2 * bar, 4 * bar, 8 * bar, 16 * bar, 32 * bar, 64 * bar, 256 * bar]) {
      step = one;
      if (one * beat >= 9) break;
    }
    const numbered = [1, bar, 2 * bar, 4 * bar, 8 * bar, 16 * bar, 32 * bar, 64 * bar, 256 * bar, 1024 * bar].find(one => one >= step && one * beat >= 52) ?? 1024 * bar;
    const marks = [];
    for (let i = Math.floor(first / step); i * step <= final + step; i++) {
      const at = i * step;
      if (at < 0 || at > this.end + 1e-6) continue;
      const strong = near(at, numbered);
      /** @type {0|1|2} */
      const level = strong ? 2 : near(at, at >= 0 && step >= bar ? 4 * bar : step >= 1 ? bar : 1) ? 1 : 0;
      marks.push({ x: this.xOf(at), level, text: strong ? this.written(at) : "" });
    }
    return marks;
  }

  /** The marks of seconds. @returns {{x: number, text: string}[]} */
  times() {
    const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find(one => one * this.zoom >= 64) ?? 1200;
    const marks = [], final = Math.min(this.seconds, (this.left + this.width) / this.zoom);
    for (let i = Math.floor(this.left / this.zoom / step); i * step <= final; i++) {
      if (i >= 0) marks.push({ x: this.x(i * step), text: clock(i * step, step < 1 ? 2 : 0) });
    }
    return marks;
  }

  /** A beat as bar and beat, counted from 1: 5.3, or 5.3.50 with hundredths. @param {number} beat */
  written(beat) {
    const rounded = Math.round(beat * 1000) / 1000;
    const bar = Math.floor(rounded / this.bar + 1e-9), rest = rounded - bar * this.bar, whole = Math.floor(rest + 1e-9);
    const share = Math.round((rest - whole) * 100);
    const text = `${bar + 1}.${whole + 1}`;
    return share > 0 && share < 100 ? `${text}.${String(share).padStart(2, "0")}` : whole || share ? text : String(bar + 1);
  }

  /** What somebody typed → beats, or null: `5.3`, `5.3.50`, `12s`, `1:04`, `16beats`. @param {string} text */
  parsed(text) {
    const plain = text.trim().toLowerCase().replace(",", ".");
    let match = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(plain);
    if (match) {
      const beat = (Number(match[1]) - 1) * this.bar + Number(match[2] ?? 1) - 1 + (match[3] ? Number(`0.${match[3]}`) : 0);
      return beat >= 0 ? beat : null;
    }
    match = /^(\d*\.?\d+)\s*(s|beats?|bars?)$/.exec(plain);
    if (match) return match[2] === "s" ? this.tempo.beat(Number(match[1])) : Number(match[1]) * (match[2][1] === "a" ? this.bar : 1);
    match = /^(\d+):(\d*\.?\d+)$/.exec(plain);
    return match ? this.tempo.beat(60 * Number(match[1]) + Number(match[2])) : null;
  }
}

/** @param {number} at @param {number} step */
function near(at, step) {
  return Math.abs(at / step - Math.round(at / step)) < 1e-6;
}

/** @param {number} seconds @param {number} [digits] */
export function clock(seconds, digits = 2) {
  const minutes = Math.floor(seconds / 60 + 1e-9), rest = Math.max(0, seconds - 60 * minutes);
  return `${minutes}:${rest.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}
