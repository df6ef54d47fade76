// @ts-check
// Notches that wander: a chain of all-passes of first order, with feedback at the same sample.

class Processor {
  constructor(settings, { rate, inputs }) {
    this.rate = rate;
    this.stages = settings.stages;
    this.feedback = settings.feedback;
    this.cycles = new Cycles(settings, inputs.in);
    this.lanes = Array.from({ length: inputs.in }, () => new Float64Array(this.stages + 1));
  }

  process(inputs, outputs, controls, count, ticks) {
    const cycle = this.cycles.read(controls.rate.values, controls.beats.values, count, this.rate, ticks), { stages, feedback } = this;
    this.lanes.forEach((s, c) => {
      const ahead = this.cycles.ahead(c), x = inputs.in[c], y = outputs.out[c];
      for (let i = 0; i < count; i++) {
        const f = controls.centre.values[i] * 2 ** (controls.depth.values[i] * (swing(cycle[i] + ahead) - 0.5)), t = Math.tan(Math.PI * Math.min(f / this.rate, 0.49));
        const a = (t - 1) / (t + 1);
        let u = x[i];
        if (feedback === 0) {
          // s holds what went into each stage and out of the last one, a sample ago.
          let before = s[0];
          s[0] = u;
          for (let n = 1; n <= stages; n++) {
            const out = a * (u - s[n]) + before;
            before = s[n];
            s[n] = Math.abs(out) < 1e-30 ? 0 : out;
            u = out;
          }
          y[i] = x[i] + controls.mix.values[i] * (u - x[i]);
          continue;
        }
        // Each stage turns its input and its state: out = a·u + √(1 − a²)·s, s' = √(1 − a²)·u − a·s.
        const r = Math.sqrt(1 - a * a);
        let rest = 0, power = 1;
        for (let n = 0; n < stages; n++) { rest = a * rest + r * s[n]; power *= a; }
        u = x[i] + feedback * (power * x[i] + rest) / (1 - feedback * power);
        for (let n = 0; n < stages; n++) {
          const out = a * u + r * s[n], kept = r * u - a * s[n];
          s[n] = Math.abs(kept) < 1e-30 ? 0 : kept;
          u = out;
        }
        y[i] = x[i] + controls.mix.values[i] * ((1 + feedback) * u - x[i]);
      }
    });
  }
}
