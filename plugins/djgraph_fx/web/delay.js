// @ts-check
// (1 − mix)·x + mix·y with y[n] = x[n − D] + max_feedback·feedback[n]·y[n − D].

class Processor {
  constructor(settings, { inputs }) {
    this.samples = settings.samples;
    this.most = settings.max_feedback;
    this.input = Array.from({ length: inputs.in }, () => new Float64Array(this.samples));
    this.output = Array.from({ length: inputs.in }, () => new Float64Array(this.samples));
    this.place = 0;
  }

  process(inputs, outputs, controls, count) {
    const mix = controls.mix.values, feedback = controls.feedback.values, { samples, most } = this;
    inputs.in.forEach((x, c) => {
      const y = outputs.out[c], source = this.input[c], line = this.output[c];
      let k = this.place;
      for (let i = 0; i < count; i++) {
        let echo = source[k] + most * feedback[i] * line[k];
        if (Math.abs(echo) < 1e-30) echo = 0;
        source[k] = x[i];
        line[k] = echo;
        y[i] = x[i] + mix[i] * (echo - x[i]);
        if (++k === samples) k = 0;
      }
    });
    this.place = (this.place + count) % samples;
  }

  /** The block before what comes in is known: nothing but echoes comes out. */
  early(outputs, { feedback }, count) {
    const { samples, most } = this;
    outputs.out.forEach((y, c) => {
      const source = this.input[c], line = this.output[c];
      for (let i = 0; i < count; i++) {
        const k = (this.place + i) % samples;
        y[i] = source[k] + most * feedback.values[i] * line[k];
      }
    });
  }
}
