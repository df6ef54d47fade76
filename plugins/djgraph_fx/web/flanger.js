// @ts-check
// A comb filter that wanders, with feedback.

class Processor {
  constructor(settings, { rate, inputs }) {
    this.rate = rate;
    this.cycles = new Cycles(settings, inputs.in);
    this.shortest = settings.shortest;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(settings.longest));
  }

  process(inputs, outputs, controls, count, ticks) {
    const cycle = this.cycles.read(controls.rate.values, controls.beats.values, count, this.rate, ticks), scale = this.rate / 1000;
    const { mix, delay, depth, feedback } = controls;
    this.lines.forEach((line, c) => {
      const ahead = this.cycles.ahead(c), x = inputs.in[c], y = outputs.out[c];
      for (let i = 0; i < count; i++) {
        const wet = line.read(scale * (delay.values[i] + depth.values[i] * swing(cycle[i] + ahead)), this.shortest);
        line.put(x[i] + feedback.values[i] * wet);
        y[i] = x[i] + mix.values[i] * (wet - x[i]);
      }
    });
  }
}
