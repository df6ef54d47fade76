// @ts-check
// An echo in ms or beats with filters in its loop, and the one that is played: dub_echo.

class Processor {
  constructor(settings, { rate, inputs, start }) {
    Object.assign(this, settings);
    this.rate = rate;
    this.lanes = Array.from({ length: inputs.in }, () => ({ line: new DelayLine(settings.longest), low: 0, high: 0, wet: 0 }));
    this.faded = new Faded(Math.max(1, rounded(settings.fade * rate / 1000)), start);
    this.pole = Math.exp(-1000 / (settings.fade * rate));
    this.at = 0;
    this.lowpass = new Float64Array(128);
    this.highpass = new Float64Array(128);
    this.rest = new Resting();
    this.kept = { at: 0, faded: { ...this.faded }, lanes: this.lanes.map(() => ({ low: 0, high: 0, wet: 0 })) };
  }

  process(inputs, outputs, controls, count, ticks) {
    const { lanes } = this, x = inputs.in, paired = x.length - x.length % 2;
    this.filter(controls, count);
    for (let i = 0; i < count; i++) {
      this.move(controls, i, ticks);
      this.read(i, 0);
      for (let c = 0; c < lanes.length; c++) {
        const own = x[c][i], other = lanes[this.crossed && (c ^ 1) < lanes.length ? c ^ 1 : c].wet;
        let into = own;
        if (this.crossed && c < paired) into = c % 2 ? 0 : (own + x[c + 1][i]) / 2;
        if (this.drive) into *= this.drive * controls.send.values[i];
        lanes[c].line.put(into + controls.feedback.values[i] * (this.drive ? Math.tanh(other) : other));
        outputs.out[c][i] = this.drive ? controls.dry.values[i] * own + lanes[c].wet / this.drive : own + controls.mix.values[i] * (lanes[c].wet - own);
      }
    }
  }

  /** The block before what comes in is known: nothing but echoes comes out. */
  early(outputs, controls, count, ticks) {
    const { lanes, kept } = this;
    kept.at = this.at;
    Object.assign(kept.faded, this.faded);
    lanes.forEach(({ low, high }, c) => { kept.lanes[c].low = low; kept.lanes[c].high = high; });
    this.filter(controls, count);
    for (let i = 0; i < count; i++) {
      this.move(controls, i, ticks);
      this.read(i, i);
      for (let c = 0; c < lanes.length; c++) outputs.out[c][i] = lanes[c].wet / (this.drive || 1);
    }
    this.at = kept.at;
    Object.assign(this.faded, kept.faded);
    lanes.forEach((one, c) => { one.low = kept.lanes[c].low; one.high = kept.lanes[c].high; });
  }

  /** The filters' shares at each sample of a block. */
  filter(controls, count) {
    const { rate, lowpass, highpass } = this;
    const filters = this.rest.state({ lowpass: controls.lowpass, highpass: controls.highpass });
    if (filters === 2) return;
    for (let i = 0; i < (filters ? 1 : count); i++) {
      lowpass[i] = -Math.expm1(-2 * Math.PI * controls.lowpass.values[i] / rate);
      highpass[i] = -Math.expm1(-2 * Math.PI * controls.highpass.values[i] / rate);
    }
    if (filters) { lowpass.fill(lowpass[0]); highpass.fill(highpass[0]); }
  }

  /** The delay at the next sample. */
  move(controls, i, ticks) {
    const { rate, faded } = this;
    let wanted = controls.time.values[i] * rate / 1000;
    if (this.sync === "beats") wanted = Math.min(Math.max(controls.beats.values[i] * 60 * rate / ticks.tempo[i], this.shortest), this.longest);
    if (this.change === "fade") faded.next(wanted); else this.at = this.at > 0 ? (1 - this.pole) * wanted + this.pole * this.at : wanted;
  }

  /** What the lines give at a sample of the block, `later` samples from now, filtered. */
  read(i, later) {
    const { lowpass, highpass, shortest } = this, { before, current, share } = this.faded;
    for (const one of this.lanes) {
      let y;
      if (this.change !== "fade") y = one.line.read(this.at, shortest, later);
      else {
        y = one.line.read(before, shortest, later);
        if (current !== before) y = (1 - share) * y + share * one.line.read(current, shortest, later);
      }
      one.low += lowpass[i] * (y - one.low);
      one.high += highpass[i] * (one.low - one.high);
      if (Math.abs(one.low) + Math.abs(one.high) < 1e-30) { one.low = 0; one.high = 0; }
      one.wet = one.low - one.high;
    }
  }
}
