// @ts-check
// The causal twin of eq3: two crossovers one behind the other, whose bands have their phase in common.

class Processor {
  constructor(settings, { rate, inputs }) {
    const { order, fit, low, high } = settings;
    const bands = () => { const one = new TwoBands(order, fit, rate); return one; };
    // The first crossover splits the signal; the second one splits its sum; the low band passes the second one's all-pass.
    this.lanes = Array.from({ length: inputs.in }, () => {
      const first = bands(), second = bands(), below = bands();
      first.set(low);
      second.set(high);
      below.set(high);
      return { first, second, below };
    });
  }

  process(inputs, outputs, controls, count) {
    const low = controls.low.values, mid = controls.mid.values, high = controls.high.values;
    this.lanes.forEach(({ first, second, below }, c) => {
      const x = inputs.in[c], y = outputs.out[c];
      for (let i = 0; i < count; i++) {
        first.tick(x[i]);
        second.tick(first.low + first.high);
        below.tick(first.low);
        const lows = below.low + below.high, highs = second.high;
        y[i] = low[i] * lows + mid[i] * (second.low + second.high - lows - highs) + high[i] * highs;
      }
      first.rest(); second.rest(); below.rest();
    });
  }
}
