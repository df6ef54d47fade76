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

/** The shares of a control of times, computed once while it rests: as the mixer has them, in single or double precision. */
class Shares {
  constructor(double = false) { this.values = new Float64Array(128); this.of = NaN; this.shareOf = double ? shareOf : singleShareOf; }

  /** @param {{values: Float64Array, steady: boolean}} control @param {number} count @param {number} rate */
  read(control, count, rate) {
    if (control.steady) {
      if (this.of !== control.values[0]) { this.of = control.values[0]; this.values.fill(this.shareOf(this.of, rate)); }
    } else {
      this.of = NaN;
      for (let i = 0; i < count; i++) this.values[i] = this.shareOf(control.values[i], rate);
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

/** The nearest whole number, of two as near the even one, as Python rounds. @param {number} x */
function rounded(x) { return x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x); }

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

  /** The line so many whole samples before the one that was put last. @param {number} whole */
  ago(whole) {
    const at = this.place - 1 - whole;
    return this.data[at < 0 ? at + this.size : at];
  }

  /**
   * The line `delay` samples before the one that was put last. In a loop, before the one that comes, and at least
   * `shortest` whole samples, of which the mixer knows none that is nearer. later: as it will be so many samples later.
   */
  read(/** @type {number} */ delay, shortest = 0, later = 0) {
    const held = delay > shortest ? Math.min(delay, this.longest) : shortest, whole = Math.floor(held), f = held - whole, { data, size } = this;
    const ahead = shortest > 0 ? 1 : 0;
    let at = this.place - 1 - whole + ahead + later;
    if (at < 0) at += size;
    const b1 = at >= 1 ? at - 1 : at - 1 + size, b2 = at >= 2 ? at - 2 : at - 2 + size, b = at + 1 === size ? 0 : at + 1;
    const x0 = data[at], x1 = data[b1], x2 = data[b2], newer = whole === shortest ? 3 * x0 - 3 * x1 + x2 : data[b];
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
 * Two real channels go through one complex transform; their spectra, of half as many bins, are kept apart.
 */
class Partitions {
  /** @param {ArrayLike<number>[]} responses one or two @param {number} size samples of a partition @param {Float32Array[][]} [spectra] of the responses, where they were made before */
  constructor(responses, size, spectra) {
    this.size = size;
    this.fft = new Fft(2 * size);
    this.channels = responses.length;
    this.count = Math.ceil(responses[0].length / size);
    this.re = new Float64Array(2 * size); this.im = new Float64Array(2 * size);
    /** @type {Float32Array[][]} */ this.responses = spectra ?? [];
    for (let p = 0; !spectra && p < this.count; p++) {
      this.re.fill(0); this.im.fill(0);
      for (let i = 0; i < size; i++) { this.re[i] = responses[0][p * size + i] || 0; if (this.channels > 1) this.im[i] = responses[1][p * size + i] || 0; }
      this.fft.run(this.re, this.im);
      this.responses.push(this.apart(this.empty()));
    }
    this.line = Array.from({ length: this.count }, () => this.empty());
    this.sounds = new Uint8Array(this.count); // whether a spectrum of the line is more than silence
    this.newest = 0;
  }

  /** Spectra of the channels: real and imaginary part of each. */
  empty() { return Array.from({ length: 2 * this.channels }, () => new Float32Array(this.size + 1)); }

  /** Room for their sums. */
  sums() { return Array.from({ length: 2 * this.channels }, () => new Float64Array(this.size + 1)); }

  /** The transform of both channels taken apart. @param {Float32Array[]} to */
  apart(to) {
    const { re, im, size } = this, [lr, li, rr, ri] = to, last = 2 * size;
    for (let k = 0; k <= size; k++) {
      const m = (last - k) % last;
      lr[k] = (re[k] + re[m]) / 2; li[k] = (im[k] - im[m]) / 2;
      if (rr) { rr[k] = (im[k] + im[m]) / 2; ri[k] = (re[m] - re[k]) / 2; }
    }
    return to;
  }

  /** The spectra of what lies in `left` and `right`. @param {Float64Array} left @param {Float64Array} right @param {Float32Array[]} to */
  analyse(left, right, to) {
    this.re.set(left); this.im.set(right);
    this.fft.run(this.re, this.im);
    this.apart(to);
  }

  /** The signals of sums of spectra, times 2·size, into `re` and `im`. @param {Float64Array[]} from */
  synthesise([lr, li, rr, ri]) {
    const { re, im, size } = this, last = 2 * size;
    for (let k = 0; k <= size; k++) {
      const m = (last - k) % last, a = lr[k], b = k === 0 || k === size ? 0 : li[k], c = rr ? rr[k] : 0, d = rr && k !== 0 && k !== size ? ri[k] : 0;
      re[k] = a - d; im[k] = b + c;
      re[m] = a + d; im[m] = c - b;
    }
    this.fft.run(im, re);
  }

  /** Spectra that come in: where they go. @param {boolean} sounds */
  push(sounds) {
    this.newest = (this.newest + this.count - 1) % this.count;
    this.sounds[this.newest] = sounds ? 1 : 0;
    return this.line[this.newest];
  }

  /** Adds the terms first…last − 1, of which term i is the input i partitions ago; `ago`: how many the newest is. */
  add(/** @type {Float64Array[]} */ sums, /** @type {number} */ first, /** @type {number} */ last, ago = 0) {
    for (let p = first; p < Math.min(last, this.count); p++) {
      const place = (this.newest + p - ago) % this.count;
      if (this.sounds[place]) this.multiply(sums, this.line[place], p);
    }
  }

  /** Adds spectra times the partition's. @param {Float64Array[]} sums @param {Float32Array[]} spectra @param {number} p */
  multiply(sums, spectra, p) {
    const responses = this.responses[p];
    for (let c = 0; c < 2 * this.channels; c += 2) {
      const re = sums[c], im = sums[c + 1], xr = spectra[c], xi = spectra[c + 1], hr = responses[c], hi = responses[c + 1];
      for (let k = 0; k < re.length; k++) {
        const a = xr[k], b = xi[k], x = hr[k], y = hi[k];
        re[k] += a * x - b * y;
        im[k] += a * y + b * x;
      }
    }
  }
}

const HEAD = 128, BODY = 2048;

/** Whether a part of a signal is more than silence. @param {Float64Array} signal */
function sounding(signal) {
  for (let i = 0; i < signal.length; i++) if (signal[i] !== 0) return true;
  return false;
}

/**
 * A long fixed response without latency: its first 4096 samples in partitions of 128, the rest in partitions of 2048 that
 * are added up little by little while the next one comes in.
 */
class Convolver {
  /** @param {Float32Array[]} responses one or two, of equal length @param {{head?: Float32Array[][], body?: Float32Array[][]}} [made] keeps spectra for the next one of these responses */
  constructor(responses, made = {}) {
    this.two = responses.length > 1;
    const length = responses[0].length, cut = 2 * BODY;
    this.head = new Partitions(responses.map((one) => one.subarray(0, cut)), HEAD, made.head);
    this.body = length > cut ? new Partitions(responses.map((one) => one.subarray(cut)), BODY, made.body) : null;
    made.head = this.head.responses;
    made.body = this.body?.responses;
    this.filled = -1; // of the head's partition; known with the first block, so that its end is that of blocks
    this.recent = [new Float64Array(2 * HEAD), new Float64Array(2 * HEAD)];
    this.long = [new Float64Array(2 * BODY), new Float64Array(2 * BODY)];
    this.late = [new Float64Array(BODY), new Float64Array(BODY)];
    this.now = this.head.empty();
    this.known = this.head.sums();
    this.all = this.head.sums();
    this.sums = this.body ? this.body.sums() : [];
    this.turn = 0; // the head's partition within the body's
    this.wetRe = new Float64Array(HEAD); this.wetIm = new Float64Array(HEAD);
  }

  /** The convolved block, into wetRe and wetIm. @param {Float64Array} left @param {Float64Array|null} right @param {number} count */
  run(left, right, count) {
    if (this.filled < 0) this.filled = (HEAD - count % HEAD) % HEAD;
    for (let done = 0; done < count;) {
      const size = Math.min(HEAD - this.filled, count - done);
      this.piece(left, right, done, size);
      done += size;
    }
  }

  /** @param {Float64Array} left @param {Float64Array|null} right @param {number} from @param {number} size */
  piece(left, right, from, size) {
    const { head, recent: [re, im], now, known, all, filled } = this, place = HEAD + filled;
    for (let i = 0; i < size; i++) { re[place + i] = left[from + i]; if (right) im[place + i] = right[from + i]; }
    const sounds = sounding(re) || sounding(im), whole = filled + size === HEAD, spectra = whole ? head.push(sounds) : now;
    for (let c = 0; c < all.length; c++) all[c].set(known[c]);
    if (sounds) { head.analyse(re, im, spectra); head.multiply(all, spectra, 0); }
    head.synthesise(all);
    const scale = 1 / (2 * HEAD), after = this.turn * HEAD + filled;
    for (let i = 0; i < size; i++) {
      this.wetRe[from + i] = head.re[place + i] * scale + this.late[0][after + i];
      this.wetIm[from + i] = head.im[place + i] * scale + this.late[1][after + i];
    }
    this.filled = filled + size;
    if (!whole) return;
    for (const one of known) one.fill(0);
    head.add(known, 1, head.count, 1);
    if (this.body) this.lengthen(this.body);
    for (const one of [re, im]) { one.copyWithin(0, HEAD); one.fill(0, HEAD); }
    this.filled = 0;
  }

  /** A partition of the head is whole: the body's work that is due. @param {Partitions} body */
  lengthen(body) {
    const { long, sums, turn, recent, late } = this, place = BODY + turn * HEAD, turns = BODY / HEAD;
    for (let c = 0; c < 2; c++) for (let i = 0; i < HEAD; i++) long[c][place + i] = recent[c][HEAD + i];
    body.add(sums, Math.floor(body.count * turn / turns), Math.floor(body.count * (turn + 1) / turns));
    this.turn = turn + 1;
    if (this.turn < turns) return;
    this.turn = 0;
    body.synthesise(sums);
    const scale = 1 / (2 * BODY);
    for (let i = 0; i < BODY; i++) { late[0][i] = body.re[BODY + i] * scale; late[1][i] = body.im[BODY + i] * scale; }
    for (const one of sums) one.fill(0);
    const sounds = sounding(long[0]) || sounding(long[1]), spectra = body.push(sounds);
    if (sounds) body.analyse(long[0], long[1], spectra);
    for (const one of long) one.copyWithin(0, BODY);
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
