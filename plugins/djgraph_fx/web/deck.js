// @ts-check
// A deck: plays its material from a place, at a rate, or in time with the clock.

class Processor {
  constructor({ sync }, { rate, beats }) {
    this.sync = sync; this.rate = rate; this.grid = beats;
    this.sum = new Sum(); // of the rates; in time with the clock, of beats by which it has run ahead
    this.start = NaN; // of which `first` is
    this.first = 0;
    if (sync === "off") return;
    this.beatOf = new Straight(beats.seconds, beats.beats);
    this.secondOf = new Straight(beats.beats, beats.seconds);
  }

  /** The material's beat at the mix's beat 0. */
  begin(start) {
    const beat = this.beatOf.at(start), { downbeat, meter } = this.grid;
    return this.sync === "beat" ? rounded(beat) : rounded((beat - downbeat) / meter) * meter + downbeat;
  }

  process(material, out, { start, rate }, count, ticks) {
    const { sum, sync } = this;
    for (let i = 0; i < count; i++) {
      const from = start.values[i], speed = rate.values[i];
      if (sync === "off") {
        if (material) this.put(out, i, material.read(from * this.rate + sum.value, speed));
        sum.add(speed);
        continue;
      }
      const step = ticks.tempo[i] / (60 * this.rate);
      if (material) {
        if (this.start !== from) { this.start = from; this.first = this.begin(from); }
        const seconds = this.secondOf.at(this.first + ticks.beats[i] + sum.value);
        this.put(out, i, material.read(seconds * this.rate, this.secondOf.slope * speed * step * this.rate));
      }
      sum.add((speed - 1) * step);
    }
  }

  put(out, i, values) { for (let c = 0; c < out.length; c++) out[c][i] = values[c]; }
}
