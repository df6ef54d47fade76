// @ts-check
// The ring buffer between the wire and the sound card. Runs on the audio thread: it allocates nothing while it plays.
//
// It begins when `start` samples are ready, and again after a gap. Where the server has jumped, what lies ready is left
// within a cross-fade; where playing ends, it is played to its end, and running dry is no gap.

const FADE = 220; // samples of a cross-fade, 5 ms

/** @typedef {{start?: number, jump?: boolean, end?: boolean, channels?: Float32Array[], samples?: number}} Said */

class Ring extends AudioWorkletProcessor {
  /** @param {{processorOptions: {size: number, channels: number, start: number}}} options */
  constructor(options) {
    super();
    this.size = options.processorOptions.size;
    this.channels = options.processorOptions.channels;
    this.start = options.processorOptions.start;
    this.data = Array.from({ length: this.channels }, () => new Float32Array(this.size));
    this.tail = Array.from({ length: this.channels }, () => new Float32Array(FADE));
    this.left = 0; // samples of the tail that have not been faded out
    this.read = 0;
    this.filled = 0;
    this.taken = 0;
    this.gaps = 0;
    this.running = false;
    this.ending = false;
    this.port.onmessage = (/** @type {MessageEvent<Said>} */ { data }) => {
      if (data.start) this.start = data.start;
      if (data.jump) this.leave();
      if (data.end) this.ending = true;
      if (data.channels) this.take(data.channels, data.samples ?? 0);
    };
  }

  /** What lies ready is left: its next samples are kept, to be faded out. */
  leave() {
    const count = this.running ? Math.min(FADE, this.filled) : 0;
    for (let c = 0; c < this.channels; c++) {
      for (let i = 0; i < count; i++) this.tail[c][i] = this.data[c][(this.read + i) % this.size];
    }
    this.left = count;
    this.taken += this.filled;
    this.filled = 0;
  }

  /** @param {Float32Array[]} channels @param {number} samples */
  take(channels, samples) {
    this.ending = false;
    const room = Math.min(samples, this.size - this.filled), faded = Math.min(this.left, room);
    for (let c = 0; c < this.channels; c++) {
      const from = channels[Math.min(c, channels.length - 1)], to = this.data[c], tail = this.tail[c];
      for (let i = 0; i < room; i++) {
        const share = i < faded ? (i + 1) / (faded + 1) : 1;
        to[(this.read + this.filled + i) % this.size] = i < faded ? from[i] * share + tail[i] * (1 - share) : from[i];
      }
    }
    this.left = 0;
    this.filled += room;
  }

  /** @param {Float32Array[][]} _ @param {Float32Array[][]} outputs */
  process(_, [out]) {
    const wanted = out[0].length;
    if (!this.running && this.filled && (this.ending || this.filled >= this.start)) this.running = true;
    const count = this.running ? Math.min(wanted, this.filled) : 0;
    if (this.running && count < wanted) {
      if (!this.ending) this.gaps++;
      this.running = false;
    }
    for (let c = 0; c < out.length; c++) {
      const ring = this.data[Math.min(c, this.channels - 1)];
      for (let i = 0; i < count; i++) out[c][i] = ring[(this.read + i) % this.size];
      for (let i = count; i < wanted; i++) out[c][i] = 0;
    }
    this.read = (this.read + count) % this.size;
    this.filled -= count;
    this.taken += count;
    if (this.taken) { this.port.postMessage({ taken: this.taken, gaps: this.gaps, filled: this.filled }); this.taken = 0; }
    return true;
  }
}

registerProcessor("djgraph-ring", Ring);
