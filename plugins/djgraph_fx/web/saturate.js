// @ts-check
// Saturation: of each sample the mean of a curve on the way from the sample before, at a multiple of the rate where it
// is oversampled.

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

const LAG = 64; // samples of the lower rate by which the two filters are late

/** A curve at a multiple of the rate, between a filter that fills in samples and the same that takes them away. */
class Oversampled {
  constructor(mean, factor, half) {
    this.mean = mean; this.factor = factor;
    const middle = half.length - 1;
    this.taps = Float64Array.from({ length: 2 * middle + 1 }, (_, t) => half[t > middle ? 2 * middle - t : t]);
    this.between = Array.from({ length: factor - 1 }, (_, j) => Float64Array.from({ length: LAG }, (_, k) => this.taps[j + 1 + k * factor]));
    this.slow = new Float64Array(LAG + 128);
    this.fast = new Float64Array((LAG + 128) * factor);
    this.before = 0;
  }

  /** The curve's means, late, over what stands in `slow` behind its first 64 samples. @param {number} count */
  run(count, wet) {
    const { factor, taps, between, slow, fast } = this, scale = 1 / factor;
    for (let i = 0; i < count; i++) {
      const at = LAG + i, to = at * factor;
      fast[to] = this.bent(slow[at - LAG / 2]);
      let sum = 0;
      for (let t = 0; t < taps.length; t++) sum += taps[t] * fast[to - t];
      wet[i] = sum * scale;
      for (let j = 0; j < between.length; j++) {
        const some = between[j];
        let v = 0;
        for (let k = 0; k < LAG; k++) v += some[k] * slow[at - k];
        fast[to + j + 1] = this.bent(v);
      }
    }
    slow.copyWithin(0, count, LAG + count);
    fast.copyWithin(0, count * factor, (LAG + count) * factor);
  }

  /** @param {number} v */
  bent(v) {
    if (Math.abs(v) < 1e-30) v = 0;
    const y = this.mean(this.before, v);
    this.before = v;
    return y;
  }
}

class Processor {
  constructor({ kind, factor, taps }, { inputs }) {
    this.mean = MEANS[kind];
    this.before = new Float64Array(inputs.in);
    this.lanes = Array.from({ length: factor > 1 ? inputs.in : 0 }, () => ({ over: new Oversampled(this.mean, factor, taps), dry: new DelayLine(LAG) }));
    this.mixes = new DelayLine(LAG);
    this.late = new Float64Array(128);
    this.wet = new Float64Array(128);
  }

  process(inputs, outputs, { drive, mix }, count) {
    if (this.lanes.length) { this.oversampled(inputs.in, outputs.out, drive, mix, count); return; }
    inputs.in.forEach((x, c) => {
      const y = outputs.out[c];
      for (let i = 0; i < count; i++) {
        const v = x[i] * 10 ** (drive.values[i] / 20), wet = this.mean(this.before[c], v);
        this.before[c] = v;
        y[i] = x[i] + mix.values[i] * (wet - x[i]);
      }
    });
  }

  oversampled(x, y, drive, mix, count) {
    const { lanes, mixes, late, wet } = this;
    for (let i = 0; i < count; i++) { mixes.put(mix.values[i]); late[i] = mixes.ago(LAG); }
    lanes.forEach(({ over, dry }, c) => {
      for (let i = 0; i < count; i++) over.slow[LAG + i] = x[c][i] * 10 ** (drive.values[i] / 20);
      over.run(count, wet);
      for (let i = 0; i < count; i++) {
        dry.put(x[c][i]);
        const old = dry.ago(LAG);
        y[c][i] = old + late[i] * (wet[i] - old);
      }
    });
  }
}
