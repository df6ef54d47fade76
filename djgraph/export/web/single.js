// @ts-check
// Single precision as the mixer's kernels compute in it: a·b + c is rounded once. It is for levels that cover a small share
// of their distance in a sample: near their goal, where a step is less than half of the last digit, they stand still,
// which double precision would miss by −60 dB. And for switches, which may hang on that digit.

const single = Math.fround;

/** a·b + c. A product of two numbers of single precision is exact in double. */
function fused(/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ c) { return single(a * b + c); }

/** A level after a sample in which it covers a share of its distance. */
function moved(/** @type {number} */ level, /** @type {number} */ share, /** @type {number} */ goal) { return fused(share, single(goal - level), level); }

/** Horner's scheme; the coefficient of the lowest power comes first. @param {number} x @param {number[]} coefficients */
function polynomial(x, coefficients) {
  let total = coefficients[coefficients.length - 1];
  for (let k = coefficients.length - 2; k >= 0; k--) total = fused(total, x, coefficients[k]);
  return total;
}

const LN2 = { whole: single(Math.LN2), inverse: single(1 / Math.LN2), high: Math.floor(Math.LN2 * 2 ** 14) / 2 ** 14, low: 0, most: single(64 * Math.LN2) };
LN2.low = single(Math.LN2 - LN2.high);
const ARTANH = [1, 3, 5, 7, 9, 11].map((n) => single(2 / n));
const APPROACH = [1, -1 / 2, 1 / 6, -1 / 24, 1 / 120, -1 / 720, 1 / 5040].map(single);
const PER_NEPER = single(20 / Math.LN10);
const AS_NUMBER = new Float32Array(1), AS_BITS = new Int32Array(AS_NUMBER.buffer);
AS_NUMBER[0] = Math.SQRT1_2;
const HALF_BITS = AS_BITS[0];

/** The natural logarithm of a normal number above 0: x = m·2^e, and ln m = 2·artanh((m − 1)/(m + 1)). @param {number} x */
function singleLog(x) {
  AS_NUMBER[0] = x;
  const raw = AS_BITS[0], power = (raw - HALF_BITS) >> 23;
  AS_BITS[0] = raw - (power << 23);
  const m = AS_NUMBER[0], s = single(single(m - 1) / single(m + 1));
  return fused(power, LN2.whole, single(s * polynomial(single(s * s), ARTANH)));
}

/** An amplitude in dB, at least −120. @param {number} level */
function singleDecibels(level) { return single(singleLog(Math.max(level, single(1e-6))) * PER_NEPER); }

/** Which share of its distance a level covers in a sample, with a time constant in ms. @param {number} time @param {number} rate */
function singleShareOf(time, rate) {
  const x = Math.min(single(single(1000 / rate) / Math.max(single(time), single(1e-6))), LN2.most);
  const n = Math.trunc(fused(x, LN2.inverse, 0.5)), rest = fused(n, -LN2.low, fused(n, -LN2.high, x)), power = 2 ** -n;
  return fused(power, single(rest * polynomial(rest, APPROACH)), single(1 - power));
}
