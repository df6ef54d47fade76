// @ts-check
// A high shelf whose gain follows the level of the highs.

class Processor {
  constructor({ window }, { rate, inputs }) {
    this.rate = rate;
    this.fall = singleShareOf(window, rate);
    this.lanes = Array.from({ length: inputs.in }, () => ({ highs: new Section(), shelf: new Section() }));
    this.level = 0;
    this.share = 0;
    this.attack = new Shares();
    this.release = new Shares();
  }

  process(inputs, outputs, controls, count) {
    const { lanes, rate } = this, { frequency, threshold, knee, depth } = controls;
    const attack = this.attack.read(controls.attack, count, rate), release = this.release.read(controls.release, count, rate);
    let g = tangent(frequency.values[0], rate);
    for (let i = 0; i < count; i++) {
      if (!frequency.steady) g = tangent(frequency.values[i], rate);
      let now = 0;
      lanes.forEach(({ highs }, c) => {
        if (i === 0 || !frequency.steady) highs.make(g, Math.SQRT1_2, 0, 0, 1);
        now = Math.max(now, single(Math.abs(highs.run(inputs.in[c][i]))));
      });
      this.level = now > this.level ? now : moved(this.level, this.fall, now);
      const wanted = single(ramp(decibels(this.level * this.level) - threshold.values[i], knee.values[i]));
      this.share = moved(this.share, wanted > this.share ? attack[i] : release[i], wanted);
      lanes.forEach(({ shelf }, c) => {
        shelf.turn("high_shelf", -depth.values[i] * this.share, g, Math.SQRT1_2);
        outputs.out[c][i] = shelf.run(inputs.in[c][i]);
      });
    }
    for (const { highs, shelf } of lanes) { highs.rest(); shelf.rest(); }
  }
}
