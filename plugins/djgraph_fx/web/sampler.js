// @ts-check
// A sampler: plays its material from the beginning each time that it is triggered. Of shots that overlap, the last two.

const NEVER = 1e15; // samples

class Processor {
  constructor({ mode, fade }, { rate }) {
    this.gated = mode === "gate"; this.fade = fade; this.rate = rate;
    this.on = false;
    this.time = 0;
    this.shots = [{ at: 0, end: -NEVER }, { at: 0, end: -NEVER }]; // the last one, and the one before
  }

  process(material, out, { trigger, rate, start }, count) {
    const { shots, fade } = this;
    for (let i = 0; i < count; i++, this.time++) {
      const on = trigger.values[i] > 0.5;
      if (on && !this.on) {
        shots.reverse();
        shots[1].end = Math.min(this.time, shots[1].end);
        shots[0].at = start.values[i] * this.rate;
        shots[0].end = NEVER;
      } else if (this.gated && this.on && !on) shots[0].end = this.time;
      this.on = on;
      if (material) for (let c = 0; c < out.length; c++) out[c][i] = 0;
      for (const one of shots) {
        const level = Math.min(Math.max(1 - (this.time - one.end) / fade, 0), 1);
        if (material && level > 0) {
          const values = material.read(one.at, rate.values[i]);
          for (let c = 0; c < out.length; c++) out[c][i] += values[c] * level;
        }
        one.at += rate.values[i];
      }
    }
  }
}
