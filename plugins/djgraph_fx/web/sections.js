// @ts-check
// State-variable filters in series whose controls may move at every sample: filter, filter_knob, allpass, ladder, peq.

const REMOVED = { lowpass: [0, 1, 1], highpass: [1, 1, 0], bandpass: [1, 0, 1], notch: [0, 1, 0] };
const CUT = { 12: [Math.SQRT1_2], 24: [0.5 / Math.cos(Math.PI / 8), 0.5 / Math.cos(3 * Math.PI / 8)] };

/** How many sections an effect has, and what it makes of them: sets a section's numbers, then what a sample becomes. */
const KINDS = {
  filter: {
    count: () => 1,
    make: ({ kind }, rate, { cutoff, q, mix }, i, [one]) => {
      const [low, band, high] = REMOVED[kind].map((share) => share ? 1 - mix.values[i] : 1);
      one.make(tangent(cutoff.values[i], rate), q.values[i], low, band, high);
    },
    run: (x, [one]) => one.run(x),
  },
  filter_knob: {
    count: () => 2,
    make: ({ lowest, highest }, rate, { knob, q }, i, [low, high]) => {
      const at = knob.values[i], left = Math.min(at, 0), right = Math.max(at, 0), ratio = highest / lowest;
      const fade = (side) => { const u = Math.min(side / 0.1, 1); return u * (2 - u); };
      const below = fade(-left), above = fade(right);
      low.make(tangent(lowest * ratio ** (1 + left), rate), q.values[i], 0, below, below);
      high.make(tangent(lowest * ratio ** right, rate), q.values[i], above, above, 0);
    },
    run: (x, [low, high]) => x - low.run(x) - high.run(x),
  },
  allpass: {
    count: ({ stages }) => stages,
    make: ({ order }, rate, { frequency, q }, i, sections) => {
      const g = tangent(frequency.values[i], rate);
      for (const one of sections) if (order === 2) one.make(g, q.values[i], 1, -1, 1); else one.make(g, 0.5, 1, 0, -1);
    },
    run: (x, sections, { mix }, i) => { let y = x; for (const one of sections) y = one.run(y); return x + mix.values[i] * (y - x); },
  },
  ladder: {
    count: () => 2,
    make: ({ kind, level, most }, rate, { cutoff, resonance }, i, sections) => {
      const g = tangent(cutoff.values[i], rate), r = most * resonance.values[i];
      sections.forEach((one, n) => {
        const damping = n ? 1 - r : 1 + r, square = damping * damping + r * r, root = Math.sqrt(square), gain = level ? 1 : 1 / square;
        if (kind === "lowpass") one.make(g * root, root / (2 * damping), gain, 0, 0); else one.make(g / root, root / (2 * damping), 0, 0, gain);
      });
    },
    run: (x, sections, { mix }, i) => x + mix.values[i] * (sections[1].run(sections[0].run(x)) - x),
  },
  peq: {
    count: ({ slope }) => 6 + 2 * CUT[slope].length,
    make: ({ low, high, slope }, rate, controls, i, sections, own) => {
      const cuts = CUT[slope], fade = (octaves) => { const u = Math.min(octaves, 1); return u * (2 - u); };
      const lowCut = controls.low_cut.values[i], highCut = controls.high_cut.values[i];
      own.low = fade(Math.log2(lowCut / 10));
      own.high = fade(2 * Math.log2(20000 / highCut));
      const single = cuts.length === 1, below = single ? 1 - own.low : 0, above = single ? 1 - own.high : 0, end = sections.length - cuts.length;
      cuts.forEach((q, n) => {
        sections[n].make(tangent(lowCut, rate), q, below, below, 1);
        sections[end + n].make(tangent(highCut, rate), q, 1, above, above);
      });
      ["low", "bell1", "bell2", "bell3", "bell4", "high"].forEach((band, n) => {
        const turns = band === "low" ? (low === "shelf" ? "low_shelf" : "bell") : band === "high" ? (high === "shelf" ? "high_shelf" : "bell") : "bell";
        sections[cuts.length + n].turn(turns, controls[`${band}_gain`].values[i], tangent(controls[`${band}_frequency`].values[i], rate), controls[`${band}_q`].values[i]);
      });
    },
    run: (x, sections, _, i, own) => {
      const cuts = (sections.length - 6) / 2;
      let y = x;
      for (let n = 0; n < cuts; n++) y = sections[n].run(y);
      if (cuts > 1) y = x + own.low * (y - x);
      for (let n = cuts; n < cuts + 6; n++) y = sections[n].run(y);
      const before = y;
      for (let n = cuts + 6; n < sections.length; n++) y = sections[n].run(y);
      return cuts > 1 ? before + own.high * (y - before) : y;
    },
  },
};

class Processor {
  constructor(settings, { rate, inputs }) {
    this.settings = settings;
    this.rate = rate;
    this.kind = KINDS[settings.effect];
    this.lanes = Array.from({ length: inputs.in }, () => Array.from({ length: this.kind.count(settings) }, () => new Section()));
    this.own = {};
    this.rest = new Resting();
  }

  process(inputs, outputs, controls, count) {
    const { kind, settings, rate, lanes, own } = this, state = this.rest.state(controls);
    if (state === 1) for (const sections of lanes) kind.make(settings, rate, controls, 0, sections, own);
    if (state === 0) {
      for (let i = 0; i < count; i++) {
        lanes.forEach((sections, c) => {
          kind.make(settings, rate, controls, i, sections, own);
          outputs.out[c][i] = kind.run(inputs.in[c][i], sections, controls, i, own);
        });
      }
    } else {
      lanes.forEach((sections, c) => {
        const x = inputs.in[c], y = outputs.out[c];
        for (let i = 0; i < count; i++) y[i] = kind.run(x[i], sections, controls, i, own);
      });
    }
    for (const sections of lanes) for (const one of sections) one.rest();
  }
}
