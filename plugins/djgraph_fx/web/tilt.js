// @ts-check
// Treble up and bass down about a pivot: x + (g − 1)·HP + (1/g − 1)·LP, of first order.

class Processor {
  constructor(settings, { rate, inputs }) {
    this.rate = rate;
    this.lanes = Array.from({ length: inputs.in }, () => ({ x: 0, y: 0 }));
    this.rest = new Resting();
    this.g = 1;
    this.share = 0;
  }

  make({ tilt, pivot }, i) {
    this.g = 10 ** (tilt.values[i] / 20);
    const corner = this.g * tangent(pivot.values[i], this.rate);
    this.share = corner / (1 + corner);
  }

  process(inputs, outputs, controls, count) {
    const state = this.rest.state(controls);
    if (state === 1) this.make(controls, 0);
    for (let i = 0; i < count; i++) {
      if (state === 0) this.make(controls, i);
      const { g, share } = this;
      this.lanes.forEach((one, c) => {
        const x = inputs.in[c][i], low = share * (x + one.x) - (2 * share - 1) * one.y;
        one.x = x;
        one.y = Math.abs(low) < 1e-30 ? 0 : low;
        outputs.out[c][i] = x + (g - 1) * (x - low) + (1 / g - 1) * low;
      });
    }
  }
}
