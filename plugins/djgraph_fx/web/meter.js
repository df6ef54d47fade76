// @ts-check
// Peak, RMS and loudness beside the signal.

class Processor {
  constructor({ window, momentary, weights }, { rate, inputs }) {
    this.peak = new SlidingMax(window, 0);
    this.rms = new SlidingMean(window);
    this.loudness = new SlidingMean(momentary);
    this.filters = Array.from({ length: inputs.in }, () => new KWeighting(rate));
    this.weights = weights;
  }

  process(inputs, outputs, controls, count) {
    const x = inputs.in, root = (v) => v >= 1e-12 ? Math.sqrt(v) : Math.max(v, 0) * 1e6;
    for (let i = 0; i < count; i++) {
      let square = 0, power = 0;
      for (let c = 0; c < x.length; c++) {
        outputs.out[c][i] = x[c][i];
        square += x[c][i] * x[c][i] / x.length;
        const w = this.filters[c].run(x[c][i]);
        power += this.weights[c] * w * w;
      }
      outputs.peak[0][i] = this.peak.next(loudest(x, i));
      outputs.rms[0][i] = root(this.rms.next(square));
      outputs.loudness[0][i] = root(this.loudness.next(power) * 10 ** -0.0691);
    }
  }
}
