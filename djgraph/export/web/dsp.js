// @ts-check
// What processors share: state-variable filters, crossovers matched in magnitude, convolution. The formulas are those of
// djgraph.dsp.

/** A state-variable filter by trapezoidal integration: set(g, k), then tick(x) gives v1 and v2. */
class Svf {
  constructor() {
    this.s1 = 0; this.s2 = 0; this.v1 = 0; this.v2 = 0; this.a1 = 1; this.a2 = 0; this.a3 = 0;
  }

  /** @param {number} g the tangent of half the cutoff's angle @param {number} k 1/q */
  set(g, k) {
    const a1 = 1 / (1 + g * (g + k));
    this.a1 = a1; this.a2 = g * a1; this.a3 = g * g * a1;
  }

  /** @param {number} x */
  tick(x) {
    const over = x - this.s2, v1 = this.a1 * this.s1 + this.a2 * over, v2 = this.s2 + this.a2 * this.s1 + this.a3 * over;
    this.s1 = 2 * v1 - this.s1; this.s2 = 2 * v2 - this.s2;
    this.v1 = v1; this.v2 = v2;
  }

  /** What is left after a long silence is none: numbers near the least that there are take long. */
  rest() {
    if (Math.abs(this.s1) + Math.abs(this.s2) < 1e-30) { this.s1 = 0; this.s2 = 0; }
  }
}

/** g of a state-variable filter of a cutoff in Hz, held at 0.49 of the rate. @param {number} cutoff @param {number} rate */
function tangent(cutoff, rate) {
  return Math.tan(Math.PI * Math.min(Math.max(cutoff / rate, 0), 0.49));
}

/** Two bands whose magnitudes are those of an analogue crossover, order 2 or 4: set(cutoff), then tick(x) gives low and high. */
class TwoBands {
  /** @param {number} order @param {number[]} fit level, fit and, of order 4, curve @param {number} rate */
  constructor(order, fit, rate) {
    this.order = order; this.scale = Math.PI * fit[0] / rate; this.fit = fit[1]; this.curve = fit[2] ?? 0;
    this.first = new Svf(); this.second = new Svf();
    this.share = 1; this.k = 2; this.low = 0; this.high = 0;
  }

  /** @param {number} cutoff in Hz */
  set(cutoff) {
    const h = this.scale * Math.max(cutoff, 0), square = h * h;
    if (this.order === 2) {
      this.share = 1 / (1 + this.fit * square);
      this.first.set(h * Math.sqrt(this.share), 2);
      return;
    }
    this.share = 1 / (1 + this.curve * square * square);
    const g = h * Math.sqrt(Math.sqrt(this.share));
    this.k = Math.sqrt(2 + this.fit * g * g);
    this.first.set(g, this.k); this.second.set(g, this.k);
  }

  /** @param {number} x */
  tick(x) {
    const { first, second, k } = this;
    first.tick(x);
    if (this.order === 2) {
      this.high = this.share * (2 * first.v1 + first.v2 - x);
      this.low = 2 * first.v1 + 2 * first.v2 - x - this.high;
      return;
    }
    const above = x - k * first.v1 - first.v2;
    second.tick(above);
    this.high = this.share * (above - k * second.v1 - second.v2);
    this.low = x - 2 * k * first.v1 - this.high;
  }

  rest() { this.first.rest(); this.second.rest(); }
}

const STEEPEST = Math.tan(Math.PI * 0.49); // the largest g

/** A state-variable filter as a mix of its parts: make(…), then run(x). */
class Section extends Svf {
  constructor() { super(); this.k = 1; this.low = 1; this.band = 1; this.high = 1; }

  /** @param {number} g @param {number} q @param {number} low @param {number} band @param {number} high how much of each part */
  make(g, q, low, band, high) {
    this.k = 1 / q; this.low = low; this.band = band; this.high = high;
    this.set(Math.min(g, STEEPEST), this.k);
  }

  /** With a gain in dB that turns it into a bell or a shelf, of the Audio EQ Cookbook. @param {string} turns @param {number} gain @param {number} g @param {number} q */
  turn(turns, gain, g, q) {
    const square = 10 ** (gain / 20), a = Math.sqrt(square);
    if (turns === "bell") this.make(g, q * a, 1, square, 1);
    else if (turns === "low_shelf") this.make(g / Math.sqrt(a), q, square, a, 1);
    else this.make(g * Math.sqrt(a), q, 1, a, square);
  }

  /** @param {number} x */
  run(x) {
    this.tick(x);
    const band = this.k * this.v1;
    return this.high * x + (this.band - this.high) * band + (this.low - this.high) * this.v2;
  }
}

/** A Linkwitz–Riley crossover by the bilinear transform, order 2 or 4: set(g), then tick(x) gives low and high. */
class LinkwitzRiley {
  /** @param {number} order */
  constructor(order) { this.order = order; this.first = new Svf(); this.second = new Svf(); this.low = 0; this.high = 0; }

  /** @param {number} g */
  set(g) {
    const k = this.order === 2 ? 2 : Math.SQRT2;
    this.first.set(g, k);
    this.second.set(g, k);
  }

  /** @param {number} x */
  tick(x) {
    const { first, second } = this;
    first.tick(x);
    if (this.order === 2) { this.low = first.v2; this.high = 2 * first.v1 + first.v2 - x; return; }
    second.tick(first.v2);
    this.low = second.v2;
    this.high = x - 2 * Math.SQRT2 * first.v1 - this.low;
  }

  /** The all-pass that its bands add up to, of a filter of its own. @param {Svf} svf @param {number} x @param {number} order */
  static turned(svf, x, order) {
    svf.tick(x);
    return order === 2 ? 2 * svf.v1 + 2 * svf.v2 - x : x - 2 * Math.SQRT2 * svf.v1;
  }

  rest() { this.first.rest(); this.second.rest(); }
}

/** A signal in two, three or four bands that add up to an all-pass: set(cutoffs), then tick(x) fills bands. */
class Splitter {
  /** @param {number} count @param {number} order @param {number} rate */
  constructor(count, order, rate) {
    this.count = count; this.order = order; this.rate = rate;
    this.bands = new Float64Array(count);
    this.splits = Array.from({ length: count - 1 }, () => new LinkwitzRiley(order));
    this.passes = [new Svf(), new Svf()];
  }

  /** @param {ArrayLike<number>} cutoffs in Hz, ascending */
  set(cutoffs) {
    const k = this.order === 2 ? 2 : Math.SQRT2, g = (/** @type {number} */ n) => tangent(cutoffs[n], this.rate);
    if (this.count < 4) {
      for (let n = 0; n + 1 < this.count; n++) this.splits[n].set(g(n));
      if (this.count === 3) this.passes[0].set(g(1), k);
      return;
    }
    const [low, mid, high] = [g(0), g(1), g(2)];
    this.splits[0].set(mid); this.splits[1].set(low); this.splits[2].set(high);
    this.passes[0].set(high, k); this.passes[1].set(low, k);
  }

  /** @param {number} x */
  tick(x) {
    const { bands, splits, passes, order } = this;
    splits[0].tick(x);
    if (this.count === 2) { bands[0] = splits[0].low; bands[1] = splits[0].high; return; }
    if (this.count === 3) {
      splits[1].tick(splits[0].high);
      bands[0] = LinkwitzRiley.turned(passes[0], splits[0].low, order); bands[1] = splits[1].low; bands[2] = splits[1].high;
      return;
    }
    splits[1].tick(LinkwitzRiley.turned(passes[0], splits[0].low, order));
    splits[2].tick(LinkwitzRiley.turned(passes[1], splits[0].high, order));
    bands[0] = splits[1].low; bands[1] = splits[1].high; bands[2] = splits[2].low; bands[3] = splits[2].high;
  }

  rest() { for (const one of this.splits) one.rest(); for (const one of this.passes) one.rest(); }
}

/** Whether controls rest, so that what is made of them need not be made anew. */
class Resting {
  constructor() { /** @type {Record<string, number>} */ this.before = {}; }

  /** 0: some move; 1: all rest, elsewhere than before; 2: all rest where they did. @param {Record<string, {values: Float64Array, steady: boolean}>} controls */
  state(controls) {
    let state = 2;
    for (const name in controls) {
      const { steady, values } = controls[name];
      if (!steady) { this.before = {}; return 0; }
      if (this.before[name] !== values[0]) { this.before[name] = values[0]; state = 1; }
    }
    return state;
  }
}

// ---- levels

/** A power in dB, at least −120. @param {number} power */
function decibels(power) { return 10 * Math.log10(Math.max(power, 1e-12)); }

/** What is above 0, with a parabola within a knee. @param {number} over @param {number} knee in dB */
function bend(over, knee) {
  const wide = knee + 1e-3, inside = Math.min(Math.max(over + wide / 2, 0), wide);
  return inside * inside / (2 * wide) + Math.max(over - wide / 2, 0);
}

/** From 0 at 0 to 1 at the knee, without a corner. @param {number} over @param {number} knee */
function ramp(over, knee) {
  const u = Math.min(Math.max(over / knee, 0), 1);
  return u * u * (3 - 2 * u);
}

/** Which share of its distance a level covers in a sample, with a time constant in ms. @param {number} time @param {number} rate */
function shareOf(time, rate) { return -Math.expm1(-1000 / rate / Math.max(time, 1e-6)); }

/** The shares of a control of times, computed once while it rests. */
class Shares {
  constructor() { this.values = new Float64Array(128); this.of = NaN; }

  /** @param {{values: Float64Array, steady: boolean}} control @param {number} count @param {number} rate */
  read(control, count, rate) {
    if (control.steady) {
      if (this.of !== control.values[0]) { this.of = control.values[0]; this.values.fill(shareOf(this.of, rate)); }
    } else {
      this.of = NaN;
      for (let i = 0; i < count; i++) this.values[i] = shareOf(control.values[i], rate);
    }
    return this.values;
  }
}

/** The magnitude of the loudest channel at a sample. @param {Float64Array[]} channels @param {number} i */
function loudest(channels, i) {
  let most = 0;
  for (const one of channels) { const x = Math.abs(one[i]); if (x > most) most = x; }
  return most;
}

/** The largest of the last samples. */
class SlidingMax {
  /** @param {number} length @param {number} rest what there was before */
  constructor(length, rest) {
    this.length = length; this.size = length + 1;
    this.values = new Float64Array(this.size); this.at = new Float64Array(this.size);
    this.head = 0; this.tail = 0; this.time = 0;
    if (length > 1) { this.values[0] = rest; this.at[0] = -1; this.tail = 1; }
  }

  /** @param {number} x */
  next(x) {
    const { values, at, size } = this;
    while (this.tail !== this.head && values[(this.tail + size - 1) % size] <= x) this.tail = (this.tail + size - 1) % size;
    values[this.tail] = x; at[this.tail] = this.time; this.tail = (this.tail + 1) % size;
    while (at[this.head] <= this.time - this.length) this.head = (this.head + 1) % size;
    this.time++;
    return values[this.head];
  }
}

/** The mean of the last samples. */
class SlidingMean {
  /** @param {number} length */
  constructor(length) { this.length = length; this.line = new Float64Array(length); this.place = 0; this.sum = 0; }

  /** @param {number} x */
  next(x) {
    this.sum += x - this.line[this.place];
    this.line[this.place] = x;
    if (++this.place === this.length) { // begun anew, so that no rounding adds up
      this.place = 0; this.sum = 0;
      for (let i = 0; i < this.length; i++) this.sum += this.line[i];
    }
    return this.sum / this.length;
  }
}

/** The loudness filters of ITU-R BS.1770-5, of one channel. */
class KWeighting {
  /** @param {number} rate */
  constructor(rate) {
    const high = 10 ** (3.99984385397 / 20), g = tangent(1681.9744509555319, rate), k = Math.tan(Math.PI * 38.13547087613982 / rate);
    this.shelf = new Section(); this.cut = new Section();
    this.shelf.make(g, 0.7071752369554193, 1, high ** 0.499666774155, high);
    this.cut.make(tangent(38.13547087613982, rate), 0.5003270373253953, 0, 0, 1 + k / 0.5003270373253953 + k * k);
  }

  /** @param {number} x */
  run(x) { return this.cut.run(this.shelf.run(x)); }
}

// ---- time

/** Phases of an oscillator in Hz or in beats, of each channel. */
class Cycles {
  /** @param {{sync?: string, spread?: number}} settings @param {number} channels */
  constructor(settings, channels) {
    this.beats = settings.sync === "beats"; this.spread = settings.spread ?? 0; this.channels = channels;
    this.phase = 0;
    this.values = new Float64Array(128);
  }

  /** The first channel's cycles at each sample of a block, wrapped. */
  read(/** @type {Float64Array} */ rate, /** @type {Float64Array|null} */ length, /** @type {number} */ count, /** @type {number} */ sampleRate, /** @type {{beats: Float64Array}|null} */ ticks) {
    const { values } = this;
    for (let i = 0; i < count; i++) {
      if (this.beats && ticks && length) {
        const position = ticks.beats[i] / length[i];
        values[i] = position - Math.floor(position);
      } else {
        values[i] = this.phase;
        this.phase += rate[i] / sampleRate;
        this.phase -= Math.floor(this.phase);
      }
    }
    return values;
  }

  /** By how many cycles a channel is ahead. @param {number} channel */
  ahead(channel) { return this.channels > 1 ? this.spread * channel / (this.channels - 1) : 0; }
}

/** From 0 at cycle 0 to 1 at ½ and back. @param {number} cycle @param {boolean} [triangle] */
function swing(cycle, triangle = false) {
  if (triangle) return 2 * Math.abs(cycle - Math.floor(cycle + 0.5));
  const sine = Math.sin(Math.PI * cycle);
  return sine * sine;
}

/** A delay that changes: two that rest and the share of the second one, in stretches of `period` samples of the clip. */
class Faded {
  /** @param {number} period @param {number} start the clip's sample with which it begins */
  constructor(period, start) { this.period = period; this.time = start; this.before = 0; this.current = 0; this.share = 0; }

  /** @param {number} delay */
  next(delay) {
    if (!(this.current > 0)) { this.current = delay; this.before = delay; }
    const passed = this.time % this.period;
    if (passed === 0) { this.before = this.current; this.current = delay; }
    this.share = passed / this.period;
    this.time++;
  }
}

/** What came in, read at any fraction of samples ago by Catmull and Rom's cubic. */
class DelayLine {
  /** @param {number} longest in samples */
  constructor(longest) {
    this.longest = Math.ceil(longest); this.size = this.longest + 4;
    this.data = new Float64Array(this.size);
    this.place = 0; // where the next sample goes
  }

  /** @param {number} x */
  put(x) { this.data[this.place] = Math.abs(x) < 1e-30 ? 0 : x; if (++this.place === this.size) this.place = 0; }

  /** The line `delay` samples before the one that was put last, or, with `ahead` 1, before the one that comes. */
  read(/** @type {number} */ delay, ahead = 0) {
    const held = delay > ahead ? Math.min(delay, this.longest) : ahead, whole = Math.floor(held), f = held - whole, { data, size } = this;
    let at = this.place - 1 - whole + ahead;
    if (at < 0) at += size;
    const b1 = at >= 1 ? at - 1 : at - 1 + size, b2 = at >= 2 ? at - 2 : at - 2 + size, b = at + 1 === size ? 0 : at + 1;
    const x0 = data[at], x1 = data[b1], x2 = data[b2], newer = whole <= ahead ? 3 * x0 - 3 * x1 + x2 : data[b];
    const c1 = 0.5 * (x1 - newer), c2 = newer - 2.5 * x0 + 2 * x1 - 0.5 * x2, c3 = 1.5 * (x0 - x1) + 0.5 * (x2 - newer);
    return x0 + f * (c1 + f * (c2 + f * c3));
  }
}

/** A complex transform of a power of two, in place. */
class Fft {
  /** @param {number} size */
  constructor(size) {
    this.size = size;
    this.cos = new Float64Array(size / 2); this.sin = new Float64Array(size / 2);
    for (let i = 0; i < size / 2; i++) { this.cos[i] = Math.cos(2 * Math.PI * i / size); this.sin[i] = Math.sin(2 * Math.PI * i / size); }
    this.swap = new Uint32Array(size);
    const bits = Math.log2(size);
    for (let i = 0; i < size; i++) { let r = 0; for (let b = 0; b < bits; b++) if (i & (1 << b)) r |= 1 << (bits - 1 - b); this.swap[i] = r; }
  }

  /** Forward; with re and im exchanged, backward times the size. @param {Float64Array} re @param {Float64Array} im */
  run(re, im) {
    const { size, cos, sin, swap } = this;
    for (let i = 0; i < size; i++) {
      const j = swap[i];
      if (j > i) { let t = re[i]; re[i] = re[j]; re[j] = t; t = im[i]; im[i] = im[j]; im[j] = t; }
    }
    for (let half = 1, step = size / 2; half < size; half *= 2, step /= 2) {
      for (let begin = 0; begin < size; begin += 2 * half) {
        for (let j = 0, w = 0; j < half; j++, w += step) {
          const a = begin + j, b = a + half, c = cos[w], s = sin[w];
          const x = re[b] * c + im[b] * s, y = im[b] * c - re[b] * s;
          re[b] = re[a] - x; im[b] = im[a] - y; re[a] += x; im[a] += y;
        }
      }
    }
  }
}

/**
 * One or two channels convolved with a stretch of a response of each, in partitions in the frequency domain: overlap-save.
 * Two real channels are one complex signal.
 */
class Partitions {
  /** @param {ArrayLike<number>[]} responses one or two @param {number} size samples of a partition */
  constructor(responses, size) {
    this.size = size;
    this.fft = new Fft(2 * size);
    this.count = Math.ceil(responses[0].length / size);
    const bins = 2 * size;
    // Of H_left and H_right: sum and difference, so that Y = X·(L + R)/2 + conj(X at −k)·(L − R)/2.
    this.sumRe = []; this.sumIm = []; this.differenceRe = []; this.differenceIm = [];
    for (let p = 0; p < this.count; p++) {
      const re = new Float64Array(bins), im = new Float64Array(bins);
      for (let i = 0; i < size; i++) { re[i] = responses[0][p * size + i] || 0; im[i] = (responses[1] ?? responses[0])[p * size + i] || 0; }
      this.fft.run(re, im);
      const sr = new Float64Array(bins), si = new Float64Array(bins), dr = new Float64Array(bins), di = new Float64Array(bins);
      for (let k = 0; k < bins; k++) {
        const m = (bins - k) % bins;
        const lr = (re[k] + re[m]) / 2, li = (im[k] - im[m]) / 2, rr = (im[k] + im[m]) / 2, ri = (re[m] - re[k]) / 2;
        sr[k] = (lr + rr) / 2; si[k] = (li + ri) / 2; dr[k] = (lr - rr) / 2; di[k] = (li - ri) / 2;
      }
      this.sumRe.push(sr); this.sumIm.push(si); this.differenceRe.push(dr); this.differenceIm.push(di);
    }
    this.alike = responses.length < 2;
    this.lineRe = Array.from({ length: this.count }, () => new Float64Array(bins));
    this.lineIm = Array.from({ length: this.count }, () => new Float64Array(bins));
    this.newest = 0;
  }

  /** A spectrum that comes in. @param {Float64Array} re @param {Float64Array} im */
  push(re, im) {
    this.newest = (this.newest + this.count - 1) % this.count;
    this.lineRe[this.newest].set(re); this.lineIm[this.newest].set(im);
  }

  /** Adds the terms first…last − 1, of which term i is the input i partitions ago; `ago`: how many the newest is. */
  add(/** @type {Float64Array} */ re, /** @type {Float64Array} */ im, /** @type {number} */ first, /** @type {number} */ last, ago = 0) {
    for (let p = first; p < Math.min(last, this.count); p++) {
      const place = (this.newest + p - ago) % this.count;
      this.multiply(re, im, this.lineRe[place], this.lineIm[place], p);
    }
  }

  /** Adds one spectrum times the partition's. */
  multiply(/** @type {Float64Array} */ re, /** @type {Float64Array} */ im, /** @type {Float64Array} */ xr, /** @type {Float64Array} */ xi, /** @type {number} */ p) {
    const bins = 2 * this.size, sr = this.sumRe[p], si = this.sumIm[p], dr = this.differenceRe[p], di = this.differenceIm[p];
    if (this.alike) {
      for (let k = 0; k < bins; k++) { re[k] += xr[k] * sr[k] - xi[k] * si[k]; im[k] += xr[k] * si[k] + xi[k] * sr[k]; }
      return;
    }
    re[0] += xr[0] * sr[0] - xi[0] * si[0] + xr[0] * dr[0] + xi[0] * di[0];
    im[0] += xr[0] * si[0] + xi[0] * sr[0] + xr[0] * di[0] - xi[0] * dr[0];
    for (let k = 1; k < bins; k++) {
      const m = bins - k, a = xr[k], b = xi[k], c = xr[m], d = xi[m];
      re[k] += a * sr[k] - b * si[k] + c * dr[k] + d * di[k];
      im[k] += a * si[k] + b * sr[k] + c * di[k] - d * dr[k];
    }
  }
}

const HEAD = 128, BODY = 1024;

/**
 * A long fixed response without latency: its first 2048 samples in partitions of 128, the rest in partitions of 1024 that
 * are added up little by little while the next one comes in.
 */
class Convolver {
  /** @param {ArrayLike<number>[]} responses one or two, of equal length */
  constructor(responses) {
    this.two = responses.length > 1;
    const length = responses[0].length, cut = 2 * BODY;
    this.head = new Partitions(responses.map((one) => Array.prototype.slice.call(one, 0, cut)), HEAD);
    this.body = length > cut ? new Partitions(responses.map((one) => Array.prototype.slice.call(one, cut)), BODY) : null;
    this.filled = -1; // of the head's partition; known with the first block, so that its end is that of blocks
    this.recentRe = new Float64Array(2 * HEAD); this.recentIm = new Float64Array(2 * HEAD);
    this.knownRe = new Float64Array(2 * HEAD); this.knownIm = new Float64Array(2 * HEAD);
    this.workRe = new Float64Array(2 * HEAD); this.workIm = new Float64Array(2 * HEAD);
    this.longRe = new Float64Array(2 * BODY); this.longIm = new Float64Array(2 * BODY);
    this.sumRe = new Float64Array(2 * BODY); this.sumIm = new Float64Array(2 * BODY);
    this.outRe = new Float64Array(BODY); this.outIm = new Float64Array(BODY);
    this.nextRe = new Float64Array(2 * BODY); this.nextIm = new Float64Array(2 * BODY);
    this.turn = 0; // the head's partition within the body's
    this.wetRe = new Float64Array(HEAD); this.wetIm = new Float64Array(HEAD);
  }

  /** The convolved block, into wetRe and wetIm. @param {Float64Array} left @param {Float64Array|null} right @param {number} count */
  run(left, right, count) {
    if (this.filled < 0) this.filled = (HEAD - count % HEAD) % HEAD;
    let done = 0;
    while (done < count) {
      const size = Math.min(HEAD - this.filled, count - done);
      this.piece(left, right, done, size);
      done += size;
    }
  }

  /** @param {Float64Array} left @param {Float64Array|null} right @param {number} from @param {number} size */
  piece(left, right, from, size) {
    const { head, body, recentRe, recentIm, knownRe, knownIm, workRe, workIm, filled } = this, place = HEAD + filled;
    for (let i = 0; i < size; i++) { recentRe[place + i] = left[from + i]; recentIm[place + i] = right ? right[from + i] : 0; }
    workRe.set(recentRe); workIm.set(recentIm);
    head.fft.run(workRe, workIm);
    const whole = filled + size === HEAD;
    const xr = whole ? this.keepRe ??= new Float64Array(2 * HEAD) : null, xi = whole ? this.keepIm ??= new Float64Array(2 * HEAD) : null;
    if (xr && xi) { xr.set(workRe); xi.set(workIm); }
    const yr = this.yRe ??= new Float64Array(2 * HEAD), yi = this.yIm ??= new Float64Array(2 * HEAD);
    yr.set(knownRe); yi.set(knownIm);
    head.multiply(yr, yi, workRe, workIm, 0);
    head.fft.run(yi, yr);
    const scale = 1 / (2 * HEAD), late = this.turn * HEAD + filled;
    for (let i = 0; i < size; i++) {
      this.wetRe[from + i] = yr[place + i] * scale + this.outRe[late + i];
      this.wetIm[from + i] = yi[place + i] * scale + this.outIm[late + i];
    }
    this.filled = filled + size;
    if (!whole || !xr || !xi) return;
    head.push(xr, xi);
    knownRe.fill(0); knownIm.fill(0);
    head.add(knownRe, knownIm, 1, head.count, 1);
    if (body) this.long(body);
    recentRe.copyWithin(0, HEAD); recentIm.copyWithin(0, HEAD);
    recentRe.fill(0, HEAD); recentIm.fill(0, HEAD);
    this.filled = 0;
  }

  /** A partition of the head is whole: the body's work that is due. @param {Partitions} body */
  long(body) {
    const { longRe, longIm, sumRe, sumIm, turn } = this, place = BODY + turn * HEAD, turns = BODY / HEAD;
    for (let i = 0; i < HEAD; i++) { longRe[place + i] = this.recentRe[HEAD + i]; longIm[place + i] = this.recentIm[HEAD + i]; }
    body.add(sumRe, sumIm, Math.floor(body.count * turn / turns), Math.floor(body.count * (turn + 1) / turns));
    this.turn = turn + 1;
    if (this.turn < turns) return;
    this.turn = 0;
    body.fft.run(sumIm, sumRe);
    const scale = 1 / (2 * BODY);
    for (let i = 0; i < BODY; i++) { this.outRe[i] = sumRe[BODY + i] * scale; this.outIm[i] = sumIm[BODY + i] * scale; }
    sumRe.fill(0); sumIm.fill(0);
    this.nextRe.set(longRe); this.nextIm.set(longIm);
    body.fft.run(this.nextRe, this.nextIm);
    body.push(this.nextRe, this.nextIm);
    longRe.copyWithin(0, BODY); longIm.copyWithin(0, BODY);
  }
}

/** The bytes of a text in base64, in memory of their own. @param {string} text */
function decodeBase64(text) {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0, bytes = new Uint8Array(text.length / 4 * 3 - padding);
  const table = decodeBase64.table ??= Uint8Array.from({ length: 128 }, (_, i) => Math.max("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(String.fromCharCode(i)), 0));
  for (let i = 0, k = 0; i < text.length; i += 4, k += 3) {
    const word = table[text.charCodeAt(i)] << 18 | table[text.charCodeAt(i + 1)] << 12 | table[text.charCodeAt(i + 2)] << 6 | table[text.charCodeAt(i + 3)];
    bytes[k] = word >> 16;
    if (k + 1 < bytes.length) bytes[k + 1] = word >> 8 & 255;
    if (k + 2 < bytes.length) bytes[k + 2] = word & 255;
  }
  return bytes;
}
/** @type {Uint8Array|undefined} */ decodeBase64.table;
