// @ts-check
// A tone: sine, triangle, saw or square, their edges rounded off by polynomials.

const blep = (cycle, step) => { const after = cycle / step, before = (cycle - 1) / step; return after < 1 ? -((after - 1) ** 2) : before > -1 ? (before + 1) ** 2 : 0; };
const blamp = (cycle, step) => { const after = cycle / step, before = (cycle - 1) / step; return after < 1 ? (1 - after) ** 3 / 3 : before > -1 ? (before + 1) ** 3 / 3 : 0; };
const wrapped = (x) => x - Math.floor(x);
const WAVES = {
  sine: (cycle) => Math.sin(2 * Math.PI * cycle),
  saw: (cycle, step) => 2 * cycle - 1 - blep(cycle, step),
  square: (cycle, step) => (cycle < 0.5 ? 1 : -1) + blep(cycle, step) - blep(wrapped(cycle + 0.5), step),
  triangle: (cycle, step) => {
    const falls = wrapped(cycle + 0.75), rises = wrapped(falls + 0.5);
    return 1 - 4 * Math.abs(rises - 0.5) + 4 * step * (blamp(rises, step) - blamp(falls, step));
  },
};

class Processor {
  constructor({ wave }, { rate }) {
    this.wave = WAVES[wave];
    this.rate = rate;
    this.cycle = 0;
  }

  process(inputs, outputs, { level, frequency }, count) {
    for (let i = 0; i < count; i++) {
      const step = frequency.values[i] / this.rate;
      outputs.out[0][i] = level.values[i] * this.wave(this.cycle, step);
      this.cycle = wrapped(this.cycle + step);
    }
  }
}
