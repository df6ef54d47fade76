// @ts-check
// The causal twins of lowpass and highpass: the weighted bands of a crossover that a knob sweeps.

class Processor {
  constructor(settings, { rate, inputs }) {
    Object.assign(this, settings);
    this.span = Math.log(this.highest / this.lowest);
    this.lanes = Array.from({ length: inputs.in }, () => new TwoBands(this.order, this.fit, rate));
    this.at = NaN;
    this.left = new Float64Array(128);
    this.cutoff = new Float64Array(128);
  }

  process(inputs, outputs, controls, count) {
    const { steady, values } = controls.cutoff, { left, cutoff, lanes, low } = this;
    for (let i = 0; i < (steady ? 1 : count); i++) {
      const knob = values[i], u = Math.min((low ? 1 - knob : knob) / this.fade, 1);
      left[i] = (1 - u) * (1 - u);
      cutoff[i] = this.lowest * Math.exp(this.span * knob);
    }
    const moves = !steady || this.at !== values[0];
    this.at = steady ? values[0] : NaN;
    lanes.forEach((bands, c) => {
      const x = inputs.in[c], y = outputs.out[c];
      if (steady && this.order === 4) {
        if (moves) bands.set(cutoff[0]);
        this.still(bands, x, y, low ? 1 : left[0], low ? left[0] : 1, count);
      } else if (steady) {
        if (moves) bands.set(cutoff[0]);
        const share = left[0];
        for (let i = 0; i < count; i++) {
          bands.tick(x[i]);
          y[i] = low ? bands.low + share * bands.high : share * bands.low + bands.high;
        }
      } else {
        for (let i = 0; i < count; i++) {
          bands.set(cutoff[i]);
          bands.tick(x[i]);
          y[i] = low ? bands.low + left[i] * bands.high : left[i] * bands.low + bands.high;
        }
      }
      bands.rest();
    });
  }

  /** Order 4 while the knob rests, the states in variables. */
  still({ first, second, k, share }, x, y, lows, highs, count) {
    const { a1, a2, a3 } = first;
    let { s1: s0, s2: s1 } = first, { s1: s2, s2: s3 } = second;
    for (let i = 0; i < count; i++) {
      const v = x[i];
      let over = v - s1, p = a1 * s0 + a2 * over, q = s1 + a2 * s0 + a3 * over;
      s0 = 2 * p - s0; s1 = 2 * q - s1;
      const above = v - k * p - q, whole = v - 2 * k * p;
      over = above - s3; p = a1 * s2 + a2 * over; q = s3 + a2 * s2 + a3 * over;
      s2 = 2 * p - s2; s3 = 2 * q - s3;
      const high = share * (above - k * p - q);
      y[i] = lows * (whole - high) + highs * high;
    }
    first.s1 = s0; first.s2 = s1; second.s1 = s2; second.s2 = s3;
  }
}
