// @ts-check
// The feed-forward compressor of Giannoulis, Massberg and Reiss, with its smoothing in dB, in single precision.

class Processor {
  constructor({ detector, pole, linked }, { rate, inputs }) {
    this.rate = rate;
    this.rms = detector === "rms";
    this.pole = single(pole);
    this.rest = single(1 - pole);
    this.measured = linked ? 1 : inputs.in;
    this.power = new Float64Array(inputs.in);
    this.excess = new Float64Array(this.measured);
    this.gain = new Float64Array(this.measured);
    this.attack = new Shares();
    this.release = new Shares();
  }

  process(inputs, outputs, controls, count) {
    const x = inputs.in, heard = inputs.sidechain, { pole, rest, measured, power, excess, gain } = this;
    const { threshold, ratio, knee, makeup, mix } = controls;
    const attack = this.attack.read(controls.attack, count, this.rate), release = this.release.read(controls.release, count, this.rate);
    for (let i = 0; i < count; i++) {
      let most = 0;
      for (let c = 0; c < x.length; c++) {
        const level = heard.length === x.length ? heard[c][i] : loudest(heard, i), now = level * level;
        power[c] = this.rms ? fused(pole, power[c], single(rest * single(now))) : now;
        if (power[c] > most) most = power[c];
      }
      for (let m = 0; m < measured; m++) {
        const over = single(bend(decibels(measured === 1 ? most : power[m]) - threshold.values[i], knee.values[i]));
        excess[m] = moved(excess[m], over > excess[m] ? attack[i] : release[i], over);
        gain[m] = 10 ** ((makeup.values[i] - excess[m] * (1 - 1 / ratio.values[i])) / 20);
      }
      for (let c = 0; c < x.length; c++) outputs.out[c][i] = x[c][i] + mix.values[i] * (x[c][i] * gain[measured === 1 ? 0 : c] - x[c][i]);
    }
  }
}
