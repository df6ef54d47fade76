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
