// @ts-check
// What mixes left and right at every sample: balance, pan, width, mono. Channels go in pairs; one without a partner passes.

const leave = (way) => {
  const cos = Math.cos(way * Math.PI / 4), sin = Math.sin(way * Math.PI / 4);
  return [(cos - sin) * (cos + sin), 2 * sin * cos];
};
/** left and right as mixes of both: [left of left, left of right, right of left, right of right] */
const LAWS = {
  balance: ({ balance }, i) => { const a = balance.values[i] * Math.PI / 4; return [Math.cos(a) - Math.sin(a), 0, 0, Math.cos(a) + Math.sin(a)]; },
  pan: ({ pan }, i) => {
    const p = pan.values[i], [stayLeft, overRight] = leave(Math.max(p, 0)), [stayRight, overLeft] = leave(Math.max(-p, 0));
    return [stayLeft, overLeft, overRight, stayRight];
  },
  width: ({ width }, i) => { const gone = (1 - width.values[i]) / 2; return [1 - gone, gone, gone, 1 - gone]; },
  mono: ({ amount }, i) => { const gone = amount.values[i] / 2; return [1 - gone, gone, gone, 1 - gone]; },
};

class Processor {
  constructor({ law }) {
    this.law = LAWS[law];
    this.rest = new Resting();
    this.mix = [1, 0, 0, 1];
  }

  process(inputs, outputs, controls, count) {
    const x = inputs.in, y = outputs.out, paired = x.length - x.length % 2, state = this.rest.state(controls);
    if (state === 1) this.mix = this.law(controls, 0);
    for (let i = 0; i < count; i++) {
      const [a, b, c, d] = state === 0 ? this.law(controls, i) : this.mix;
      for (let k = 0; k < paired; k += 2) {
        const left = x[k][i], right = x[k + 1][i];
        y[k][i] = a * left + b * right;
        y[k + 1][i] = c * left + d * right;
      }
      if (paired < x.length) y[paired][i] = x[paired][i];
    }
  }
}
