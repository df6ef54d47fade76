// @ts-check
// How many samples lie ready: the fewer, the sooner a hand is heard. More after a gap, fewer again after a while without.

const GROW = 1.5;
const MOST = 16384;
const CALM = 10; // seconds without a gap after which a little less lies ready
const STEP = 256;

export class Ahead {
  /** @param {number} rate of samples @param {number} [least] samples */
  constructor(rate, least = 2048) {
    this.rate = rate;
    this.least = least;
    this.samples = least;
    this.gaps = 0;
    this.calm = 0;
    this.owed = 0; // samples that the page has taken and does not ask for, so that less lies ready
  }

  /** The least that lies ready: four blocks. @param {number} block samples @returns {number} to ask for at once */
  of(block) {
    const before = this.samples;
    this.least = 4 * block;
    this.samples = Math.max(this.samples, this.least);
    return this.samples - before;
  }

  /** How many samples to ask for. @param {number} taken by the loudspeakers @param {number} gaps so far */
  next(taken, gaps) {
    let more = taken;
    this.calm += taken / this.rate;
    if (gaps > this.gaps) {
      const after = Math.min(MOST, Math.ceil(this.samples * GROW / STEP) * STEP);
      more += after - this.samples;
      this.samples = after;
      this.calm = 0;
    } else if (this.calm > CALM && this.samples > this.least) {
      const after = Math.max(this.least, this.samples - STEP);
      this.owed += this.samples - after;
      this.samples = after;
      this.calm = 0;
    }
    this.gaps = gaps;
    const paid = Math.min(this.owed, more);
    this.owed -= paid;
    return more - paid;
  }
}
