// @ts-check
// An echo in ms or beats with filters in its loop, and the one that is played: dub_echo.

class Processor {
  constructor(settings, { rate, inputs, start }) {
    Object.assign(this, settings);
    this.rate = rate;
    this.lanes = Array.from({ length: inputs.in }, () => ({ line: new DelayLine(settings.longest), low: 0, high: 0, wet: 0 }));
    this.faded = new Faded(Math.max(1, Math.round(settings.fade * rate / 1000)), start);
    this.pole = Math.exp(-1000 / (settings.fade * rate));
    this.at = 0;
    this.lowpass = new Float64Array(128);
    this.highpass = new Float64Array(128);
    this.rest = new Resting();
  }

  process(inputs, outputs, controls, count, ticks) {
    const { lanes, rate, faded, lowpass, highpass } = this, x = inputs.in, paired = x.length - x.length % 2;
    const filters = this.rest.state({ lowpass: controls.lowpass, highpass: controls.highpass });
    if (filters < 2) {
      for (let i = 0; i < (filters ? 1 : count); i++) {
        lowpass[i] = -Math.expm1(-2 * Math.PI * controls.lowpass.values[i] / rate);
        highpass[i] = -Math.expm1(-2 * Math.PI * controls.highpass.values[i] / rate);
      }
      if (filters) { lowpass.fill(lowpass[0]); highpass.fill(highpass[0]); }
    }
    for (let i = 0; i < count; i++) {
      let wanted = controls.time.values[i] * rate / 1000;
      if (this.sync === "beats") wanted = Math.min(Math.max(controls.beats.values[i] * 60 * rate / ticks.tempo[i], this.shortest), this.longest);
      if (this.change === "fade") faded.next(wanted); else this.at = this.at > 0 ? (1 - this.pole) * wanted + this.pole * this.at : wanted;
      for (const one of lanes) {
        let y;
        if (this.change !== "fade") y = one.line.read(this.at, this.shortest);
        else {
          const { before, current, share } = faded;
          y = one.line.read(before, this.shortest);
          if (current !== before) y = (1 - share) * y + share * one.line.read(current, this.shortest);
        }
        one.low += lowpass[i] * (y - one.low);
        one.high += highpass[i] * (one.low - one.high);
        if (Math.abs(one.low) + Math.abs(one.high) < 1e-30) { one.low = 0; one.high = 0; }
        one.wet = one.low - one.high;
      }
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
}
