// @ts-check
// A mono signal on every channel.

class Processor {
  process(inputs, outputs, controls, count) {
    for (const y of outputs.out) for (let i = 0; i < count; i++) y[i] = inputs.in[0][i];
  }
}
