// The ring buffer between the wire and the sound card. Runs on the audio thread: it allocates nothing while it plays.

class Ring extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.size = options.processorOptions.size;
    this.channels = options.processorOptions.channels;
    this.data = Array.from({ length: this.channels }, () => new Float32Array(this.size));
    this.read = 0;
    this.filled = 0;
    this.taken = 0;
    this.gaps = 0;
    this.running = false;
    this.port.onmessage = ({ data }) => {
      if (data === "clear") { this.taken += this.filled; this.filled = 0; this.running = false; return; }
      const { channels, samples } = data;
      for (let c = 0; c < this.channels; c++) {
        const from = channels[Math.min(c, channels.length - 1)];
        for (let i = 0; i < samples; i++) this.data[c][(this.read + this.filled + i) % this.size] = from[i];
      }
      this.filled = Math.min(this.size, this.filled + samples);
    };
  }

  process(_, [out]) {
    const wanted = out[0].length;
    const count = Math.min(wanted, this.filled);
    if (this.running && count < wanted) this.gaps++;
    this.running = count > 0;
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
