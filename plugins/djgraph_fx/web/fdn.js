// @ts-check
// A feedback delay network, and the one into which sound rises, shimmer: lines of prime lengths whose ends come back to all of them, with a shelf in each.

class Processor {
  constructor(settings, { rate, inputs, start }) {
    Object.assign(this, settings); // delays, enter, leave, turn, deepest; rising: of a shimmer
    this.rate = rate;
    const lines = this.delays.length;
    this.before = Array.from({ length: inputs.in }, () => new DelayLine(0.2 * rate));
    this.lines = this.delays.map((delay) => new Float64Array(delay));
    this.places = new Int32Array(lines);
    this.states = new Float64Array(lines);
    this.ends = new Float64Array(lines);
    this.back = new Float64Array(lines);
    this.late = new Float64Array(inputs.in);
    this.shelves = Array.from({ length: lines }, () => ({ gain: 0, q: 0, c: 0, h: 0, p: 0 }));
    this.cuts = Array.from({ length: inputs.in }, () => ({ low: new Section(), high: new Section() }));
    this.time = start;
    this.loops = Array.from({ length: this.rising ? inputs.in : 0 }, () => ({ line: new DelayLine(this.rising.shortest + Math.abs(this.rising.way)), low: 0, high: 0 }));
    this.way = this.delays.reduce((a, b) => a + b, 0) / lines / rate;
    this.rest = new Resting();
    this.filters = new Resting();
    this.level = 0;
  }

  make({ decay, damping, freeze }, i) {
    const loss = 60 / decay.values[i], open = 1 - freeze.values[i], scale = Math.LN10 / 20 / this.rate;
    const low = open * loss * scale, high = low / (1 - this.deepest * damping.values[i]);
    this.level = open * Math.sqrt(-this.delays.length * Math.expm1(loss * (-this.way * Math.LN10 / 10)));
    this.shelves.forEach((one, k) => {
      const delay = this.delays[k], r = Math.exp(-delay * (high - low)), a = this.turn * Math.sqrt(r);
      one.gain = Math.exp(-delay * low);
      one.q = (a - 1) / (1 + a);
      one.c = 2 * Math.sqrt(a) / (1 + a);
      one.h = (1 - r) * one.c / 2;
      one.p = ((1 + r) + (1 - r) * one.q) / 2;
    });
  }

  /** What comes back an interval away: two heads that glide along a line. */
  risen(loop, x, amount, tone) {
    const { shortest, way, period, lowest } = this.rising, cycle = (this.time % period) / period, other = cycle < 0.5 ? cycle + 0.5 : cycle - 0.5, share = swing(cycle);
    const delay = (at) => shortest + Math.abs(way) * (way > 0 ? at : 1 - at);
    const y = share * loop.line.read(delay(cycle), shortest) + (1 - share) * loop.line.read(delay(other), shortest);
    loop.low += -Math.expm1(-2 * Math.PI * tone / this.rate) * (y - loop.low);
    loop.high += -Math.expm1(-2 * Math.PI * lowest / this.rate) * (loop.low - loop.high);
    if (Math.abs(loop.low) + Math.abs(loop.high) < 1e-30) { loop.low = 0; loop.high = 0; }
    const z = loop.low - loop.high;
    loop.line.put(x + amount * z);
    return amount * z;
  }

  process(inputs, outputs, controls, count) {
    const { lines, places, states, ends, back, late, shelves, cuts, before, enter, leave, delays } = this, size = lines.length, scale = 1 / Math.sqrt(size);
    const { decay, damping, freeze, mix, predelay, low_cut, high_cut } = controls, x = inputs.in;
    const state = this.rest.state({ decay, damping, freeze }), filters = this.filters.state({ low_cut, high_cut });
    if (state === 1) this.make(controls, 0);
    for (let i = 0; i < count; i++) {
      if (state === 0) this.make(controls, i);
      if (filters === 0 || (filters === 1 && i === 0)) {
        for (const one of cuts) {
          one.low.make(tangent(low_cut.values[i], this.rate), Math.SQRT1_2, 0, 0, 1);
          one.high.make(tangent(high_cut.values[i], this.rate), Math.SQRT1_2, 1, 0, 0);
        }
      }
      for (let c = 0; c < x.length; c++) {
        const risen = this.rising ? this.risen(this.loops[c], x[c][i], controls.shimmer.values[i], controls.tone.values[i]) : 0;
        before[c].put(x[c][i] + risen);
        late[c] = before[c].read(predelay.values[i] * this.rate / 1000) * this.level;
      }
      this.time++;
      for (let k = 0; k < size; k++) {
        const u = lines[k][places[k]], one = shelves[k], y = one.gain * (one.h * states[k] + one.p * u);
        states[k] = one.c * u - one.q * states[k];
        if (Math.abs(states[k]) < 1e-30) states[k] = 0;
        ends[k] = y;
        back[k] = y;
      }
      for (let half = 1; half < size; half *= 2) {
        for (let k = 0; k < size; k += 2 * half) {
          for (let j = k; j < k + half; j++) { const a = back[j], b = back[j + half]; back[j] = a + b; back[j + half] = a - b; }
        }
      }
      for (let k = 0; k < size; k++) {
        let v = back[k] * scale;
        for (let c = 0; c < x.length; c++) v += enter[k][c] * late[c];
        lines[k][places[k]] = Math.abs(v) < 1e-30 ? 0 : v;
        if (++places[k] === delays[k]) places[k] = 0;
      }
      for (let c = 0; c < x.length; c++) {
        let wet = 0;
        for (let k = 0; k < size; k++) wet += leave[c][k] * ends[k];
        wet = cuts[c].high.run(cuts[c].low.run(wet));
        outputs.out[c][i] = x[c][i] + mix.values[i] * (wet - x[c][i]);
      }
    }
    for (const { low, high } of cuts) { low.rest(); high.rest(); }
  }
}
