// @ts-check
// Gains without memory, the same for all channels: trim, polarity, trans and pump.

const LAWS = {
  trim: ({ gain }, i) => { const u = Math.min((gain.values[i] + 60) / 10, 1); return 10 ** (gain.values[i] / 20) * (u * (2 - u)); },
  polarity: ({ invert }, i) => 1 - 2 * invert.values[i],
  trans: ({ depth, duty, beats }, i, ticks, edge) => {
    const period = beats.values[i], half = duty.values[i] / 2, place = ticks.beats[i] / period - half + 0.5;
    const inside = half - Math.abs(place - Math.floor(place) - 0.5), milliseconds = inside * period * (60000 / ticks.tempo[i]);
    const open = (1 - Math.cos(Math.PI * Math.min(Math.max(1 + milliseconds / edge, 0), 1))) / 2;
    return 1 - depth.values[i] * (1 - open);
  },
  pump: ({ depth, hold, release, beats }, i, ticks, edge) => {
    const period = beats.values[i], place = ticks.beats[i] / period, since = place - Math.floor(place), held = hold.values[i];
    const back = Math.min(Math.max((since - held) / ((1 - held) * release.values[i]), 0), 1);
    const until = (1 - since) * period * (60000 / ticks.tempo[i]), ahead = (1 + Math.cos(Math.PI * Math.min(until / edge, 1))) / 2;
    return 10 ** (-depth.values[i] * (1 - back * back * (3 - 2 * back) * (1 - ahead)) / 20);
  },
};

class Processor {
  constructor({ law, edge }) {
    this.law = LAWS[law];
    this.edge = edge ?? 0;
    this.clocked = law === "trans" || law === "pump";
    this.gain = new Float64Array(128);
    this.rest = new Resting();
  }

  process(inputs, outputs, controls, count, ticks) {
    const { gain } = this, state = this.clocked ? 0 : this.rest.state(controls);
    if (state === 1) gain.fill(this.law(controls, 0, ticks, this.edge));
    else if (state === 0) for (let i = 0; i < count; i++) gain[i] = this.law(controls, i, ticks, this.edge);
    inputs.in.forEach((x, c) => { const y = outputs.out[c]; for (let i = 0; i < count; i++) y[i] = x[i] * gain[i]; });
  }
}
