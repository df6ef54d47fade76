// @ts-check
// A fader: the signal times a gain.

class Processor {
  process(inputs, outputs, controls, count) {
    const gain = controls.gain.values;
    inputs.in.forEach((x, c) => {
      const y = outputs.out[c];
      for (let i = 0; i < count; i++) y[i] = x[i] * gain[i];
    });
  }
}
