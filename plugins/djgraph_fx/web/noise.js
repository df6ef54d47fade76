// @ts-check
// Sweepable noise, mixed in: the nth number of SplitMix64, which is a hash of n, in two halves of 32 bits.

const GOLDEN = [0x9E3779B9, 0x7F4A7C15];
const ROUNDS = [[30, 0xBF58476D, 0x1CE4E5B9], [27, 0x94D049BB, 0x133111EB], [31, 0, 1]];
let high = 0, low = 0; // of what was made last

/** (high, low) times a number of 64 bits, modulo 2⁶⁴. */
function times(otherHigh, otherLow) {
  const a0 = low & 0xffff, a1 = low >>> 16, b0 = otherLow & 0xffff, b1 = otherLow >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16), last = a0 * b1 + (middle & 0xffff);
  const carried = a1 * b1 + (middle >>> 16) + (last >>> 16);
  high = (carried + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) >>> 0;
  low = Math.imul(low, otherLow) >>> 0;
}

function white([keyHigh, keyLow], n) {
  high = Math.floor(n / 4294967296);
  low = n >>> 0;
  times(GOLDEN[0], GOLDEN[1]);
  const sum = low + keyLow;
  high = (high + keyHigh + (sum > 4294967295 ? 1 : 0)) >>> 0;
  low = sum >>> 0;
  for (const [shift, h, l] of ROUNDS) {
    const shiftedLow = ((low >>> shift) | (high << (32 - shift))) >>> 0;
    high = (high ^ (high >>> shift)) >>> 0;
    low = (low ^ shiftedLow) >>> 0;
    times(h, l);
  }
  return (high >>> 8) / 8388608 - 1;
}

class Processor {
  constructor({ kind, keys }, { rate, inputs, start }) {
    this.rate = rate;
    this.keys = keys;
    this.parts = { lowpass: [1, 0, 0], bandpass: [0, 1, 0], highpass: [0, 0, 1], white: null }[kind];
    this.filters = keys.map(() => new Section());
    this.made = new Float64Array(keys.length);
    this.rest = new Resting();
    this.time = start;
  }

  process(inputs, outputs, { level, cutoff, q }, count) {
    const { keys, filters, parts, made } = this, state = parts ? this.rest.state({ cutoff, q }) : 2;
    for (let i = 0; i < count; i++) {
      this.time++;
      for (let k = 0; k < keys.length; k++) {
        made[k] = white(keys[k], this.time);
        if (!parts) continue;
        if (state === 0 || (state === 1 && i === 0)) filters[k].make(tangent(cutoff.values[i], this.rate), q.values[i], parts[0], parts[1], parts[2]);
        made[k] = filters[k].run(made[k]);
      }
      for (let c = 0; c < inputs.in.length; c++) outputs.out[c][i] = inputs.in[c][i] + level.values[i] * made[Math.min(c, keys.length - 1)];
    }
  }
}
