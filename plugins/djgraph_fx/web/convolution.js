// @ts-check
// A fixed response: (1 − mix)·x + mix·(x ∗ h). Channels go in pairs.

class Processor {
  constructor(settings, { inputs }) {
    // Float32 numbers, little-endian, in base64, one channel behind the other. After a jump all of it is there already.
    const made = settings.made ??= { all: new Float32Array(decodeBase64(settings.response).buffer), pairs: [] }, { all } = made;
    const length = all.length / settings.channels;
    const response = (c) => all.subarray(Math.min(c, settings.channels - 1) * length, (Math.min(c, settings.channels - 1) + 1) * length);
    this.pairs = [];
    for (let c = 0; c < inputs.in; c += 2) this.pairs.push(new Convolver(c + 1 < inputs.in ? [response(c), response(c + 1)] : [response(c)], made.pairs[c] ??= {}));
    this.silent = new Float64Array(128);
  }

  process(inputs, outputs, controls, count) {
    const mix = controls.mix.values;
    this.pairs.forEach((pair, number) => {
      const c = 2 * number, x = inputs.in[c], right = pair.two ? inputs.in[c + 1] : null;
      pair.run(x, right, count);
      const y = outputs.out[c];
      for (let i = 0; i < count; i++) y[i] = x[i] + mix[i] * (pair.wetRe[i] - x[i]);
      if (right) {
        const z = outputs.out[c + 1];
        for (let i = 0; i < count; i++) z[i] = right[i] + mix[i] * (pair.wetIm[i] - right[i]);
      }
    });
  }
}
