// @ts-check
// A level that swings: tremolo, autopan, and the ring modulator, whose sine is one.

class Processor {
  constructor(settings, { rate, inputs }) {
    this.rate = rate;
    this.cycles = new Cycles(settings, inputs.in);
    this.triangle = settings.shape === "triangle";
    this.depth = settings.depth; // the control's name, and by how much of it the level falls
    this.most = settings.most;
    this.speed = settings.rate;
  }

  process(inputs, outputs, controls, count, ticks) {
    const cycle = this.cycles.read(controls[this.speed].values, controls.beats?.values ?? null, count, this.rate, ticks), depth = controls[this.depth].values;
    inputs.in.forEach((x, c) => {
      const y = outputs.out[c], ahead = this.cycles.ahead(c);
      for (let i = 0; i < count; i++) y[i] = x[i] * (1 - this.most * depth[i] * swing(cycle[i] + ahead, this.triangle));
    });
  }
}
