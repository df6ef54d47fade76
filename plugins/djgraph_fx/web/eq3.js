// @ts-check
// The causal twin of eq3: two crossovers one behind the other, whose bands have their phase in common.

class Processor {
  constructor(settings, { rate, inputs }) {
    const { order, fit, low, high } = settings, bands = () => new TwoBands(order, fit, rate);
    this.order = order;
    // The first crossover splits the signal; the second one splits its sum; the low band passes the second one's all-pass.
    this.lanes = Array.from({ length: inputs.in }, () => {
      const first = bands(), second = bands(), below = bands();
      first.set(low);
      second.set(high);
      below.set(high);
      return { first, second, below, states: new Float64Array(10) };
    });
  }

  process(inputs, outputs, controls, count) {
    const low = controls.low.values, mid = controls.mid.values, high = controls.high.values;
    this.lanes.forEach((lane, c) => {
      if (this.order === 4) this.fourth(lane, inputs.in[c], outputs.out[c], low, mid, high, count);
      else this.second(lane, inputs.in[c], outputs.out[c], low, mid, high, count);
    });
  }

  second({ first, second, below }, x, y, low, mid, high, count) {
    for (let i = 0; i < count; i++) {
      first.tick(x[i]);
      second.tick(first.low + first.high);
      below.tick(first.low);
      const lows = below.low + below.high, highs = second.high;
      y[i] = low[i] * lows + mid[i] * (second.low + second.high - lows - highs) + high[i] * highs;
    }
    first.rest(); second.rest(); below.rest();
  }

  /** The same of order 4, in which the coefficients rest: five state-variable filters, their states in variables. */
  fourth({ first, second, states }, x, y, low, mid, high, count) {
    const { a1, a2, a3 } = first.first, k = first.k, share = first.share;
    const { a1: b1, a2: b2, a3: b3 } = second.first, m = second.k, part = second.share;
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9] = states;
    for (let i = 0; i < count; i++) {
      const v = x[i];
      let over = v - s1, p = a1 * s0 + a2 * over, q = s1 + a2 * s0 + a3 * over;
      s0 = 2 * p - s0; s1 = 2 * q - s1;
      const above = v - k * p - q, whole = v - 2 * k * p;
      over = above - s3; p = a1 * s2 + a2 * over; q = s3 + a2 * s2 + a3 * over;
      s2 = 2 * p - s2; s3 = 2 * q - s3;
      const under = whole - share * (above - k * p - q);
      over = under - s5; p = b1 * s4 + b2 * over; q = s5 + b2 * s4 + b3 * over;
      s4 = 2 * p - s4; s5 = 2 * q - s5;
      const lows = under - 2 * m * p;
      over = whole - s7; p = b1 * s6 + b2 * over; q = s7 + b2 * s6 + b3 * over;
      s6 = 2 * p - s6; s7 = 2 * q - s7;
      const upper = whole - m * p - q, all = whole - 2 * m * p;
      over = upper - s9; p = b1 * s8 + b2 * over; q = s9 + b2 * s8 + b3 * over;
      s8 = 2 * p - s8; s9 = 2 * q - s9;
      const highs = part * (upper - m * p - q);
      y[i] = low[i] * lows + mid[i] * (all - lows - highs) + high[i] * highs;
    }
    [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9].forEach((one, n) => { states[n] = Math.abs(one) < 1e-30 ? 0 : one; });
  }
}
