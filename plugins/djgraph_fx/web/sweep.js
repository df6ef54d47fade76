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
      if (steady) {
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
}
