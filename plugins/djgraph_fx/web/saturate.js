// @ts-check
// Saturation: of each sample the mean of a curve on the way from the sample before.

const clipped = (a, b, knee, cubic) => {
  const held = (x) => Math.min(Math.max(x, -knee), knee), d = b - a;
  if (Math.abs(d) < 1e-6) { const m = held((a + b) / 2); return m - cubic * m * m * m; }
  const low = held(a), high = held(b), beyond = (Math.abs(b) - Math.abs(a) - (Math.abs(high) - Math.abs(low))) / d;
  return (high - low) / d * ((low + high) / 2 * (1 - cubic * (low * low + high * high) / 2)) + beyond;
};
const MEANS = {
  tanh: (a, b) => {
    const d = b - a;
    if (Math.abs(d) < 1e-3) { const v = Math.tanh((a + b) / 2); return v - 2 * v * (1 - v * v) * d * d / 24; }
    return (Math.abs(b) - Math.abs(a)) / d + (Math.log1p(Math.exp(-2 * Math.abs(b))) - Math.log1p(Math.exp(-2 * Math.abs(a)))) / d;
  },
  cubic: (a, b) => clipped(a, b, 1.5, 4 / 27),
  hard: (a, b) => clipped(a, b, 1, 0),
  fold: (a, b) => { const h = (b - a) / 2; return Math.sin((a + b) / 2) * (Math.abs(h) < 1e-9 ? 1 : Math.sin(h) / h); },
};

class Processor {
  constructor({ kind }, { inputs }) {
    this.mean = MEANS[kind];
    this.before = new Float64Array(inputs.in);
  }

  process(inputs, outputs, { drive, mix }, count) {
    inputs.in.forEach((x, c) => {
      const y = outputs.out[c];
      for (let i = 0; i < count; i++) {
        const v = x[i] * 10 ** (drive.values[i] / 20), wet = this.mean(this.before[c], v);
        this.before[c] = v;
        y[i] = x[i] + mix.values[i] * (wet - x[i]);
      }
    });
  }
}
