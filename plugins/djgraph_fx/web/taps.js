// @ts-check
// Delays without feedback: delay_samples, delay_beats, multitap, vibrato, chorus.

const KINDS = {
  delay_samples: (s) => { const line = (c) => s.lines[c]; return (c, i, controls, later) => line(c).read(s.samples, 0, later); },
  delay_beats: (s) => (c, i, controls, later) => {
    if (!s.longest) return s.lines[c].read(0);
    const { before, current, share } = s.faded, first = s.lines[c].read(before, 0, later);
    return current === before ? first : first + share * (s.lines[c].read(current, 0, later) - first);
  },
  multitap: (s) => (c) => {
    let wet = 0;
    s.times.forEach((time, n) => {
      if (s.sync === "beats") {
        const { before, current, share } = s.faded;
        wet += s.levels[n] * ((1 - share) * s.lines[c].read(time * before) + share * s.lines[c].read(time * current));
      } else wet += s.levels[n] * s.lines[c].read(time * s.rate / 1000);
    });
    return wet;
  },
  voices: (s) => (c, i, { delay, depth }) => {
    let wet = 0;
    const ahead = s.cycles.ahead(c), scale = s.rate / 1000, low = delay ? delay.values[i] * scale : 0, deep = depth.values[i] * scale;
    for (let v = 0; v < s.voices; v++) wet += s.lines[c].read(low + deep * swing(s.cycle[i] + ahead + v / s.voices, s.shape === "triangle"));
    return wet / Math.sqrt(s.voices);
  },
};

class Processor {
  constructor(settings, { rate, inputs, start }) {
    Object.assign(this, settings);
    this.rate = rate;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(Math.max(settings.longest, 1)));
    if (settings.fade) this.faded = new Faded(Math.max(1, rounded(settings.fade * rate / 1000)), start);
    this.kept = { ...this.faded };
    if (settings.voices) this.cycles = new Cycles(settings, inputs.in);
    this.wet = KINDS[settings.kind](this);
  }

  process(inputs, outputs, controls, count, ticks) {
    if (this.cycles) this.cycle = this.cycles.read(controls.rate.values, controls.beats.values, count, this.rate, ticks);
    for (let i = 0; i < count; i++) {
      if (this.faded && ticks) this.move(ticks.tempo[i]);
      for (let c = 0; c < this.lines.length; c++) {
        const x = inputs.in[c][i];
        this.lines[c].put(x);
        const wet = this.wet(c, i, controls);
        outputs.out[c][i] = controls.mix ? x + controls.mix.values[i] * (wet - x) : wet;
      }
    }
  }

  /** The delay at the next sample. */
  move(tempo) {
    if (this.kind !== "delay_beats") { this.faded.next(60 * this.rate / tempo); return; }
    const delay = rounded(this.beats * 60 * this.rate / Math.min(Math.max(tempo, 20), 1000));
    this.faded.next(Math.min(Math.max(delay, this.shortest), this.longest));
  }

  /** The block before what comes in is known. */
  early(outputs, controls, count, ticks) {
    if (this.faded) Object.assign(this.kept, this.faded);
    for (let i = 0; i < count; i++) {
      if (this.faded && ticks) this.move(ticks.tempo[i]);
      for (let c = 0; c < this.lines.length; c++) outputs.out[c][i] = this.wet(c, i, controls, i + 1);
    }
    if (this.faded) Object.assign(this.faded, this.kept);
  }
}
