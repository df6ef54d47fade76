// @ts-check
// A turntable that is stopped or thrown backwards while a switch is on: brake and spinback.

class Processor {
  constructor({ throws, curve, longest, fade }, { rate, inputs }) {
    this.rate = rate;
    this.throws = throws;
    this.curve = curve;
    this.longest = longest;
    this.fade = fade;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(longest));
    this.down = false;
    this.turned = 0;
    this.delay = 0;
    this.released = fade;
  }

  process(inputs, outputs, controls, count) {
    const { lines, longest, fade } = this;
    for (let i = 0; i < count; i++) {
      const down = controls.on.values[i] > 0.5, starts = down && !this.down, stops = !down && this.down;
      this.down = down;
      this.turned = starts ? 0 : Math.min(this.turned + 1000 / (controls.time.values[i] * this.rate), 2);
      const slowing = this.turned < 1 ? (1 - this.turned) ** this.curve : 0;
      const speed = this.throws ? -controls.speed.values[i] * slowing : slowing;
      this.delay = starts ? 0 : this.delay + 1 - speed;
      const left = Math.min(Math.max((longest - this.delay) / fade, 0), 1);
      this.delay = Math.min(this.delay, longest);
      this.released = stops ? 0 : this.released + 1;
      const share = down ? 0 : Math.min(this.released / fade, 1), level = Math.min(Math.abs(speed), 1) * left;
      for (let c = 0; c < lines.length; c++) {
        const x = inputs.in[c][i];
        lines[c].put(x);
        let wet = x;
        if (share < 1) { const heard = lines[c].read(this.delay) * level; wet = heard + share * (x - heard); }
        outputs.out[c][i] = x + controls.mix.values[i] * (wet - x);
      }
    }
  }
}
