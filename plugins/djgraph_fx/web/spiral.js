// @ts-check
// Echoes that climb or fall in pitch: two heads that glide through a window of the line, one fading in as the other ends.

class Processor {
  constructor(settings, { rate, inputs }) {
    Object.assign(this, settings); // sync, window in samples, milliseconds of it, glide, shortest, longest
    this.rate = rate;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(this.longest + this.window));
    this.pole = Math.exp(-1000 / (this.glide * rate));
    this.at = 0;
    this.phase = 0;
  }

  process(inputs, outputs, controls, count, ticks) {
    const { lines, rate, window, shortest } = this;
    for (let i = 0; i < count; i++) {
      let wanted = controls.time.values[i] * rate / 1000;
      if (this.sync === "beats") wanted = Math.min(Math.max(controls.beats.values[i] * 60 * rate / ticks.tempo[i], shortest), this.longest);
      this.at = this.at > 0 ? (1 - this.pole) * wanted + this.pole * this.at : wanted;
      const other = this.phase < 0.5 ? this.phase + 0.5 : this.phase - 0.5, share = swing(this.phase);
      const first = this.at + window * (0.5 - this.phase), second = this.at + window * (0.5 - other);
      for (let c = 0; c < lines.length; c++) {
        const x = inputs.in[c][i], wet = share * lines[c].read(first, shortest) + (1 - share) * lines[c].read(second, shortest);
        lines[c].put(x + controls.feedback.values[i] * wet);
        outputs.out[c][i] = x + controls.mix.values[i] * (wet - x);
      }
      this.phase += (2 ** (controls.shift.values[i] / 12) - 1) * (1000 / this.milliseconds) / rate;
      this.phase -= Math.floor(this.phase);
    }
  }
}
