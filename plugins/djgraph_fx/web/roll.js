// @ts-check
// Loop rolls: roll, slip_roll and stutter. An event changes what is heard: the switch goes on (a slice begins), comes to
// a multiple of a length (the slice again), or goes off. What was heard before goes on below a cross-fade.

class Processor {
  constructor({ again, gated, longest, room, fade, edge }, { inputs }) {
    Object.assign(this, { again, gated, longest, room, fade, edge });
    this.slices = Array.from({ length: inputs.in }, () => new Float64Array(room));
    this.left = Array.from({ length: inputs.in }, () => new Float64Array(fade));
    this.down = false;
    this.wanted = 0;
    this.beats = 0;
    this.began = 0; // beats
    this.age = 0; // samples since the slice began
    this.heard = fade; // samples since the last event
    this.live = true;
    this.told = 0; // length of the last event's fade; below 0 where the signal itself was left
    this.passes = 0;
    this.level = 1;
    this.leftLevel = 1;
  }

  process(inputs, outputs, controls, count, ticks) {
    const x = inputs.in, { slices, left, room, fade } = this;
    for (let i = 0; i < count; i++) {
      const down = controls.on.values[i] > 0.5, wanted = controls.beats.values[i], beats = ticks.beats[i], tempo = ticks.tempo[i];
      const starts = (down && !this.down) || (this.again && down && wanted !== this.wanted), stops = !down && this.down;
      if (starts) this.began = beats;
      const length = wanted / 2 ** Math.max(Math.ceil(Math.log2(wanted * (60 / this.longest) / tempo) - 1e-9), 0);
      const since = beats - this.began, pass = Math.floor((since + 1e-9) / length);
      const seam = down && !starts && pass > Math.floor((this.beats - this.began + 1e-9) / length);
      if (starts || stops || seam) {
        const lag = this.live ? fade : Math.min(this.age - this.heard, fade);
        this.told = this.live ? -lag : lag;
        this.leftLevel = this.level;
        if (!this.live) for (let c = 0; c < x.length; c++) for (let j = 0; j < lag; j++) left[c][j] = slices[c][(this.heard + 1 + j) % room];
        this.live = !seam;
        this.heard = 0;
      } else this.heard++;
      this.age = starts ? 0 : this.age + 1;
      this.passes = starts ? 0 : this.passes + (seam ? 1 : 0);
      this.down = down;
      this.wanted = wanted;
      this.beats = beats;
      let gain = 1;
      if (this.gated && down) {
        const closed = (since - length * pass - controls.gate.values[i] * length) * (60000 / tempo) / this.edge;
        gain = Math.min(Math.max(1 - closed, 0), 1) * 10 ** (-controls.decay.values[i] * this.passes / 20);
      }
      this.level = gain;
      const share = Math.min(this.heard / Math.max(Math.abs(this.told), 1), 1);
      for (let c = 0; c < x.length; c++) {
        const now = x[c][i];
        if (this.age < room) slices[c][this.age] = now;
        const current = (this.live ? now : slices[c][this.heard % room]) * gain;
        let wet = current;
        if (share < 1) {
          const before = (this.told < 0 ? now : left[c][Math.min(this.heard, fade - 1)]) * this.leftLevel;
          wet = before + share * (current - before);
        }
        outputs.out[c][i] = now + controls.mix.values[i] * (wet - now);
      }
    }
  }
}
