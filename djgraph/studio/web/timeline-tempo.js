// @ts-check
// Beats and seconds of a tempo map, and how a value goes from one point to the next. The same laws as djgraph.automation's.

/** @typedef {"hold"|"linear"|"smooth"|"exponential"|"sine"|"cosine"} Shape */

/** @type {Shape[]} */
export const SHAPES = ["linear", "hold", "smooth", "exponential", "sine", "cosine"];
export const MOST_BEND = 200; // dB

export class TempoMap {
  /** @param {[number, number, string][]} entries  (beat, BPM, how it goes on) */
  constructor(entries) {
    this.entries = entries;
    this.beats = entries.map(entry => entry[0]);
    this.rises = entries.map(([beat, bpm, ramp], i) => {
      const next = entries[i + 1];
      if (!next || ramp === "hold" || next[1] === bpm) return 0;
      const beats = next[0] - beat;
      return ramp === "per_beat" ? (next[1] - bpm) / beats : (next[1] - bpm) * (bpm + next[1]) / (120 * beats);
    });
    /** @type {number[]} */
    this.starts = [entries[0][0] * 60 / entries[0][1]];
    for (let i = 1; i < entries.length; i++) this.starts.push(this.starts[i - 1] + this.lasting(i - 1, this.beats[i] - this.beats[i - 1]));
    const zero = this.at(0);
    this.starts = this.starts.map(start => start - zero);
  }

  /** Seconds that so many beats last from an entry on. @param {number} i @param {number} beats */
  lasting(i, beats) {
    const [, bpm, ramp] = this.entries[i], rise = beats < 0 ? 0 : this.rises[i];
    if (!rise) return beats * 60 / bpm;
    if (ramp === "per_beat") return 60 / rise * Math.log1p(rise * beats / bpm);
    return 120 * beats / (bpm + Math.sqrt(bpm * bpm + 120 * rise * beats));
  }

  /** @param {number} beat @returns {number} */
  at(beat) {
    const i = Math.max(0, last(this.beats, beat));
    return this.starts[i] + this.lasting(i, beat - this.beats[i]);
  }

  /** When a beat falls, in seconds. @param {number} beat */
  seconds(beat) { return this.at(beat); }

  /** Which beat it is at a second. @param {number} second */
  beat(second) {
    const i = Math.max(0, last(this.starts, second)), passed = second - this.starts[i];
    const [, bpm, ramp] = this.entries[i], rise = passed < 0 ? 0 : this.rises[i];
    if (!rise) return this.beats[i] + passed * bpm / 60;
    if (ramp === "per_beat") return this.beats[i] + bpm / rise * Math.expm1(rise * passed / 60);
    return this.beats[i] + passed * (bpm + rise * passed / 2) / 60;
  }
}

/** The index of the last of ascending numbers that is not above a number; −1 where there is none.
 * @param {number[]} numbers @param {number} number */
export function last(numbers, number) {
  let low = 0, high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= number) low = middle + 1; else high = middle;
  }
  return low - 1;
}

/** How far on its way a value is at a share of the time. @param {Shape} shape @param {number} u @param {number|null} bend */
export function progress(shape, u, bend) {
  const k = Math.LN10 * (bend ?? (shape === "exponential" ? 40 : 0)) / 20;
  const w = k ? Math.expm1(-k * u) / Math.expm1(-k) : u;
  switch (shape) {
    case "hold": return 0;
    case "smooth": return w * w * (3 - 2 * w);
    case "sine": return Math.sin(w * Math.PI / 2);
    case "cosine": return 1 - Math.cos(w * Math.PI / 2);
    default: return w;
  }
}
