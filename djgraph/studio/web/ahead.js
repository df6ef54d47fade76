// @ts-check
// How many samples lie ready: the fewer, the sooner a hand is heard. What ran nearly dry gets more before there is a
// gap, as long as a hand is still heard soon; after a gap there is more than that. Fewer again where plenty was left.

const GROW = 1.5;
const MOST = 16384;
const SOON = 0.07; // seconds: so much may lie ready without a gap
const CALM = 10; // seconds after which a little less lies ready
const SETTLE = 0.25; // seconds in which the ring fills after a beginning, a jump or a change: nothing is learnt from them
const STEP = 256;

export class Ahead {
  /** @param {number} rate of samples @param {number} [least] samples */
  constructor(rate, least = 2048) {
    this.rate = rate;
    this.least = least;
    this.soon = Math.ceil(SOON * rate / STEP) * STEP;
    this.samples = Math.max(least, this.soon);
    this.gaps = 0;
    this.owed = 0; // samples that the page has taken and does not ask for, so that less lies ready
    this.calm = 0;
    this.low = Infinity; // the fewest samples that lay ready
    this.settling = SETTLE * rate;
  }

  /** From here on anew. */
  listen() {
    this.calm = 0;
    this.low = Infinity;
    this.settling = SETTLE * this.rate;
  }

  /** The least that lies ready: four blocks. @param {number} block samples @returns {number} to ask for at once */
  of(block) {
    const before = this.samples;
    this.least = 4 * block;
    this.samples = Math.max(this.samples, this.least);
    return this.samples - before;
  }

  /** @param {number} samples @returns {number} to ask for at once, above those that were taken */
  become(samples) {
    const more = samples - this.samples;
    this.samples = samples;
    this.listen();
    if (more >= 0) return more;
    this.owed -= more;
    return 0;
  }

  /** How many samples to ask for. @param {number} taken by the loudspeakers @param {number} gaps so far @param {number} filled what lies ready in the ring */
  next(taken, gaps, filled) {
    let more = taken;
    this.calm += taken / this.rate;
    if (taken >= this.least) this.settling = SETTLE * this.rate; // a jump left what lay ready
    this.settling -= taken;
    if (this.settling <= 0) this.low = Math.min(this.low, filled);
    if (gaps > this.gaps) {
      more += this.become(Math.min(MOST, Math.ceil(this.samples * GROW / STEP) * STEP));
    } else if (this.low < this.samples / 4 && this.samples < this.soon) {
      more += this.become(Math.min(this.soon, this.samples + 2 * STEP));
    } else if (this.calm > CALM) {
      if (this.low > this.samples / 2 && this.samples > this.least) this.become(Math.max(this.least, this.samples - STEP));
      else this.listen();
    }
    this.gaps = gaps;
    const paid = Math.min(this.owed, more);
    this.owed -= paid;
    return more - paid;
  }
}
