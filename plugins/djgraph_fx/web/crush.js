// @ts-check
// Bit and rate reduction.

class Processor {
  constructor({ cycle }, { rate, inputs }) {
    this.rate = rate;
    this.cycle = cycle;
    this.phase = -1;
    this.held = new Float64Array(inputs.in);
  }

  process(inputs, outputs, { bits, rate, mix }, count) {
    const { cycle, held } = this;
    for (let i = 0; i < count; i++) {
      const step = Math.min(rounded(rate.values[i] * (cycle / this.rate)), cycle), size = 2 ** (1 - bits.values[i]);
      if (this.phase < 0) this.phase = cycle - step + Math.floor(step / 2);
      this.phase = (this.phase + step) % cycle;
      for (let c = 0; c < held.length; c++) {
        const x = inputs.in[c][i];
        if (this.phase < step) held[c] = size * rounded(x / size);
        outputs.out[c][i] = x + mix.values[i] * (held[c] - x);
      }
    }
  }
}
