// @ts-check
// Mid and side as two signals, and back into one.

class Processor {
  constructor({ joins }) { this.joins = joins; }

  process(inputs, outputs, controls, count) {
    const x = this.joins ? inputs.mid : inputs.in, paired = x.length - x.length % 2;
    for (let k = 0; k < x.length; k += 2) {
      for (let i = 0; i < count; i++) {
        if (this.joins) {
          const { mid, side } = inputs;
          if (k >= paired) { outputs.out[k][i] = mid[k][i]; continue; }
          const m = (mid[k][i] + mid[k + 1][i]) / 2, s = (side[k][i] - side[k + 1][i]) / 2;
          outputs.out[k][i] = m + s;
          outputs.out[k + 1][i] = m - s;
        } else {
          const { mid, side } = outputs;
          if (k >= paired) { mid[k][i] = x[k][i]; side[k][i] = 0; continue; }
          const m = (x[k][i] + x[k + 1][i]) / 2, s = (x[k][i] - x[k + 1][i]) / 2;
          mid[k][i] = mid[k + 1][i] = m;
          side[k][i] = s;
          side[k + 1][i] = -s;
        }
      }
    }
  }
}
