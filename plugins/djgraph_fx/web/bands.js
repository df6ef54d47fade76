// @ts-check
// Crossovers and isolators: a signal in two, three or four bands, given out or weighted and added.

class Processor {
  constructor(settings, { rate, inputs }) {
    const { order, ports, names, cutoffs } = settings;
    this.ports = ports; // of a crossover; an isolator has none
    this.names = names; // of the controls: cutoffs of a crossover, gains of an isolator
    const count = ports ? ports.length : names.length;
    this.lanes = Array.from({ length: inputs.in }, () => new Splitter(count, order, rate));
    this.rest = new Resting();
    this.cutoffs = new Float64Array(count - 1);
    this.gains = names.map(() => new Float64Array(128));
    if (cutoffs) for (const one of this.lanes) one.set(cutoffs);
  }

  process(inputs, outputs, controls, count) {
    const { lanes, names, cutoffs, gains, ports } = this, state = this.rest.state(controls);
    if (!ports && state < 2) {
      names.forEach((name, n) => {
        for (let i = 0; i < (state ? 1 : count); i++) {
          const gain = controls[name].values[i], u = Math.min((gain + 60) / 10, 1);
          gains[n][i] = 10 ** (gain / 20) * (u * (2 - u));
        }
        if (state) gains[n].fill(gains[n][0]);
      });
    }
    for (let i = 0; i < count; i++) {
      if (ports && (state === 0 || (state === 1 && i === 0))) {
        // One that has moved past its neighbour is held there; of three the second one stays where it is.
        names.forEach((name, n) => { cutoffs[n] = controls[name].values[i]; });
        if (names.length === 2) cutoffs[1] = Math.max(cutoffs[0], cutoffs[1]);
        if (names.length === 3) { cutoffs[0] = Math.min(cutoffs[0], cutoffs[1]); cutoffs[2] = Math.max(cutoffs[2], cutoffs[1]); }
        for (const one of lanes) one.set(cutoffs);
      }
      for (let c = 0; c < lanes.length; c++) {
        const one = lanes[c];
        one.tick(inputs.in[c][i]);
        if (ports) { for (let n = 0; n < ports.length; n++) outputs[ports[n]][c][i] = one.bands[n]; continue; }
        let sum = 0;
        for (let n = 0; n < gains.length; n++) sum += gains[n][i] * one.bands[n];
        outputs.out[c][i] = sum;
      }
    }
    for (const one of lanes) one.rest();
  }
}
