// @ts-check
// What was just heard backwards, a length of beats at a time, while a switch is on.

class Processor {
  constructor({ longest, line, fade }, { inputs }) {
    this.longest = longest;
    this.fade = fade;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(line));
    this.down = false;
    this.beats = 0;
    this.began = 0;
    this.since = fade; // samples since the last event
    this.left = -1; // of what the last event left: samples since that turned round; below 0 the signal itself
  }

  process(inputs, outputs, controls, count, ticks) {
    const { lines, fade } = this;
    for (let i = 0; i < count; i++) {
      const down = controls.on.values[i] > 0.5, beats = ticks.beats[i], starts = down && !this.down, stops = !down && this.down;
      if (starts) this.began = beats;
      const wanted = controls.beats.values[i], length = wanted / 2 ** Math.max(Math.ceil(Math.log2(wanted * (60 / this.longest) / ticks.tempo[i]) - 1e-9), 0);
      const seam = down && !starts && Math.floor((beats - this.began + 1e-9) / length) > Math.floor((this.beats - this.began + 1e-9) / length);
      if (starts || stops || seam) {
        this.left = this.down ? this.since + 1 : -1;
        this.since = 0;
      } else this.since++;
      this.down = down;
      this.beats = beats;
      const share = Math.min(this.since / fade, 1), ago = down ? 2 * this.since + 1 : 0, leaving = this.left >= 0 ? 2 * (this.since + this.left) + 1 : 0;
      for (let c = 0; c < lines.length; c++) {
        const x = inputs.in[c][i];
        lines[c].put(x);
        let wet = lines[c].read(ago);
        if (share < 1) { const before = lines[c].read(leaving); wet = before + share * (wet - before); }
        outputs.out[c][i] = x + controls.mix.values[i] * (wet - x);
      }
    }
  }
}
