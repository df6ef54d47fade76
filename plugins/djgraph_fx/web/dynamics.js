// @ts-check
// Gains that follow levels, the same for all channels: gate, expander, ducker, transient, leveler. Levels are followed in
// the precision of the mixer's kernels.

const MOST = 2 ** 23; // samples that a hold counts

/** What each remembers at the start, and its gain in dB at a sample. */
const KINDS = {
  gate: {
    begin: ({ window }, rate) => ({ fall: singleShareOf(window, rate), level: 0, open: false, since: MOST, opened: 0 }),
    times: ["attack", "release"],
    gain: (s, x, { threshold, hysteresis, hold, range }, i, [attack, release], rate, heard) => {
      const now = single(loudest(heard, i));
      s.level = now > s.level ? now : moved(s.level, s.fall, now);
      if (!(s.level > 1e-30)) s.level = 0;
      const level = singleDecibels(s.level), rise = single(threshold.values[i]);
      if (level > rise) s.open = true; else if (level < single(rise - single(hysteresis.values[i]))) s.open = false;
      s.since = s.open ? 0 : Math.min(s.since + 1, MOST);
      const held = s.since <= single(single(single(hold.values[i]) * single(rate)) / 1000);
      s.opened = moved(s.opened, held ? attack[i] : release[i], held ? 1 : 0);
      return -range.values[i] * (1 - s.opened);
    },
  },
  expander: {
    begin: () => ({ below: 0 }),
    times: ["attack", "release"],
    gain: (s, x, { threshold, ratio, knee, range }, i, [attack, release], rate, heard) => {
      const more = ratio.values[i] - 1, now = loudest(heard, i);
      const below = single(Math.min(bend(threshold.values[i] - decibels(now * now), knee.values[i]), range.values[i] / Math.max(more, 1e-3)));
      s.below = moved(s.below, below > s.below ? release[i] : attack[i], below);
      return -more * s.below;
    },
  },
  ducker: {
    begin: ({ window }, rate) => ({ fall: singleShareOf(window, rate), level: 0, share: 0 }),
    times: ["attack", "release"],
    double: true,
    gain: (s, x, { threshold, knee, depth }, i, [attack, release], rate, heard) => {
      const now = single(loudest(heard, i));
      s.level = now > s.level ? now : moved(s.level, s.fall, now);
      const wanted = ramp(decibels(s.level * s.level) - threshold.values[i], knee.values[i]);
      s.share += (wanted > s.share ? attack[i] : release[i]) * (wanted - s.share);
      return -depth.values[i] * s.share;
    },
  },
  transient: {
    begin: ({ window, rise, fall }, rate) => ({ falls: singleShareOf(window, rate), rises: singleShareOf(rise, rate), slowly: singleShareOf(fall, rate), level: 0, risen: -60, fallen: -60 }),
    times: [],
    gain: (s, x, { attack, sustain }, i) => {
      const now = single(loudest(x, i)), share = (apart) => apart * apart / (apart * apart + 36);
      s.level = now > s.level ? now : moved(s.level, s.falls, now);
      const level = single(20 * Math.log10(Math.max(s.level, 1e-3)));
      s.risen = level > s.risen ? moved(s.risen, s.rises, level) : level;
      s.fallen = level > s.fallen ? level : moved(s.fallen, s.slowly, level);
      return attack.values[i] * share(level - s.risen) + sustain.values[i] * share(s.fallen - level);
    },
  },
  leveler: {
    begin: (settings, rate, channels) => ({ filters: Array.from({ length: channels }, () => new KWeighting(rate)), fast: 0, slow: 0, part: 0, gate: 10 ** ((settings.gate + 0.691) / 10), pole: settings.pole, weights: settings.weights }),
    times: [],
    gain: (s, x, { target, time, range, amount }, i, _, rate) => {
      let power = 0;
      for (let c = 0; c < x.length; c++) { const w = s.filters[c].run(x[c][i]); power += s.weights[c] * w * w; }
      s.fast = (1 - s.pole) * power + s.pole * s.fast;
      const share = s.fast > s.gate ? -Math.expm1(-1 / (time.values[i] * rate)) : 0, goal = 10 ** ((target.values[i] + 0.691) / 10);
      s.slow += share * (power - s.slow);
      s.part += share * (1 - s.part);
      const missing = 10 * Math.log10(goal / (s.slow + (1 - s.part) * goal));
      return amount.values[i] * Math.min(Math.max(missing, -range.values[i]), range.values[i]);
    },
  },
};

class Processor {
  constructor(settings, { rate, inputs }) {
    this.kind = KINDS[settings.effect];
    this.rate = rate;
    this.state = this.kind.begin(settings, rate, inputs.in);
    this.times = this.kind.times.map(() => new Shares(this.kind.double));
  }

  process(inputs, outputs, controls, count) {
    const { kind, state, rate } = this, x = inputs.in, heard = inputs.sidechain ?? x;
    const times = this.times.map((one, n) => one.read(controls[kind.times[n]], count, rate));
    for (let i = 0; i < count; i++) {
      const gain = 10 ** (kind.gain(state, x, controls, i, times, rate, heard) / 20);
      for (let c = 0; c < x.length; c++) outputs.out[c][i] = x[c][i] * gain;
    }
  }
}
