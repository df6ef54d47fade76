// @ts-check
// Material that sources play, read at positions that move by a windowed sinc. The formulas are those of
// djgraph.dsp.read_material.

const CROSSINGS = 16, WIDEST = 16, STEPS = 4096; // zero crossings to either side, the most that it is stretched, places between two
/** @type {Float64Array|null} */ let sincTable = null;

/** A sinc under Kaiser's window less its pedestal, at every place from 0 to its end: made once. */
function sincKernel() {
  if (sincTable) return sincTable;
  const terms = [];
  for (let k = 1, term = 1; k < 40; k++) { term *= (4.5 / k) ** 2; terms.push(term); } // of I0(9·√v) − 1
  const window = (/** @type {number} */ v) => terms.reduceRight((sum, term) => (sum + term) * v, 0), whole = window(1);
  const made = new Float64Array(CROSSINGS * STEPS + 2);
  for (let i = 0; i < CROSSINGS * STEPS; i++) {
    const x = i / STEPS, sinc = i === 0 ? 1 : i % STEPS === 0 ? 0 : Math.sin(Math.PI * x) / (Math.PI * x);
    made[i] = sinc * window(1 - (x / CROSSINGS) ** 2) / whole;
  }
  return sincTable = made;
}

/** The signals of one input, one channel behind the other; silence before and behind them. */
class Material {
  /** @param {number} count channels */
  constructor(count) {
    /** @type {(Float32Array|null)[]} */ this.channels = Array.from({ length: count }, () => null);
    this.samples = 0;
    this.values = new Float64Array(count);
    this.kernel = sincKernel();
    this.weights = new Float64Array(2 * CROSSINGS * WIDEST);
  }

  /** All channels at a position, into `values`. @param {number} position in samples @param {number} rate by which the position moves */
  read(position, rate) {
    const { channels, samples, values, kernel, weights } = this, speed = Math.abs(rate);
    const stretch = speed > 1 ? Math.min(speed, WIDEST) : 1, reach = Math.ceil(CROSSINGS * stretch);
    values.fill(0);
    if (!(position > -reach - 1 && position < samples + reach)) return values;
    const whole = Math.floor(position), fraction = position - whole;
    if (fraction === 0 && stretch === 1) {
      for (let c = 0; c < values.length; c++) values[c] = channels[c]?.[whole] ?? 0;
      return values;
    }
    const begin = whole - reach + 1, first = Math.max(0, -begin), last = Math.min(2 * reach, samples - begin), scale = STEPS / stretch;
    for (let j = first; j < last; j++) {
      const at = Math.abs(j + 1 - reach - fraction) * scale, i = Math.floor(at);
      weights[j] = i < CROSSINGS * STEPS ? (kernel[i] + (at - i) * (kernel[i + 1] - kernel[i])) / stretch : 0;
    }
    for (let c = 0; c < values.length; c++) {
      const signal = channels[c];
      if (!signal) continue;
      const end = Math.min(last, signal.length - begin);
      let sum = 0;
      for (let j = first; j < end; j++) sum += signal[begin + j] * weights[j];
      values[c] = sum;
    }
    return values;
  }
}

const PARTS = 2 ** 46, FASTEST = 2 ** 20; // parts of a sample in which sums are taken; the fastest rate

/** The sum of rates, in whole numbers: it does not drift. */
class Sum {
  constructor() { this.whole = 0; this.parts = 0; }

  get value() { return this.whole + this.parts / PARTS; }

  /** @param {number} rate */
  add(rate) {
    const held = rate === rate ? Math.min(Math.max(rate, -FASTEST), FASTEST) : 0, below = Math.floor(held);
    this.whole += below;
    this.parts += Math.round((held - below) * PARTS);
    if (this.parts >= PARTS) { this.parts -= PARTS; this.whole++; }
  }
}

/** Straight lines through points, and on beyond them: value and slope. */
class Straight {
  /** @param {number[]} xs ascending, two at least @param {number[]} ys */
  constructor(xs, ys) { this.xs = xs; this.ys = ys; this.piece = 0; this.slope = 0; }

  /** @param {number} x */
  at(x) {
    const { xs, ys } = this;
    let k = this.piece;
    while (k + 2 < xs.length && xs[k + 1] <= x) k++;
    while (k > 0 && xs[k] > x) k--;
    this.piece = k;
    this.slope = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k]);
    return ys[k] + this.slope * (x - xs[k]);
  }
}
