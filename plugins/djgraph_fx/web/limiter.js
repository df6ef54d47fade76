// @ts-check
// A limiter that looks ahead: a sliding maximum of what is needed, a release, two means, and the signal as late as that.

class Processor {
  constructor({ ahead, hold, taps, linked }, { rate, inputs }) {
    this.rate = rate;
    this.ahead = ahead;
    this.taps = taps; // four places between two samples, or none
    this.delay = taps ? 6 : 0;
    const first = ahead >> 1;
    this.lanes = Array.from({ length: linked ? 1 : inputs.in }, () => ({ largest: new SlidingMax(ahead + hold, 0), gone: 0, first: new SlidingMean(first + 1), second: new SlidingMean(ahead - first + 1), peak: 0, gain: 1 }));
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(ahead + 12));
    this.ceilings = new DelayLine(8);
    this.mixes = new DelayLine(ahead + 12);
    this.release = new Shares();
  }

  between(line) {
    let most = 0;
    for (const taps of this.taps) {
      let sum = 0;
      for (let t = 0; t < 12; t++) sum += taps[t] * line.ago(11 - t);
      most = Math.max(most, Math.abs(sum));
    }
    return most;
  }

  process(inputs, outputs, controls, count) {
    const { lanes, lines, ahead, delay, ceilings, mixes } = this, release = this.release.read(controls.release, count, this.rate);
    for (let i = 0; i < count; i++) {
      ceilings.put(controls.ceiling.values[i]);
      mixes.put(controls.mix.values[i]);
      const limit = 10 ** (ceilings.ago(delay) / 20), mix = mixes.ago(delay + ahead);
      for (const one of lanes) one.peak = 0;
      for (let c = 0; c < lines.length; c++) {
        const line = lines[c], lane = lanes[lanes.length === 1 ? 0 : c];
        line.put(inputs.in[c][i]);
        const own = Math.abs(line.ago(delay)), peak = this.taps ? Math.max(own, this.between(line)) : own;
        if (peak > lane.peak) lane.peak = peak;
      }
      for (const one of lanes) {
        const needed = one.peak > limit ? single(20 * Math.log10(one.peak / limit)) : 0, held = one.largest.next(needed);
        one.gone = held > one.gone ? held : moved(one.gone, release[i], held);
        const down = mix * one.second.next(one.first.next(one.gone));
        one.gain = down === 0 ? 1 : 10 ** (-down / 20);
      }
      for (let c = 0; c < lines.length; c++) outputs.out[c][i] = lines[c].ago(delay + ahead) * lanes[lanes.length === 1 ? 0 : c].gain;
    }
  }
}
