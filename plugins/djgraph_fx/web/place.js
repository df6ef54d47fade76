// @ts-check
// A mono or stereo signal among four or six speakers, by the constant-power law: quad_pan and surround_pan.

const fade = (place) => [Math.sin((1 - place) * Math.PI / 4), Math.sin((1 + place) * Math.PI / 4)];
const LAWS = {
  quad_pan: (place, { y }, i) => {
    const [left, right] = fade(place), [rear, front] = fade(y.values[i]);
    return [left * front, right * front, left * rear, right * rear];
  },
  surround_pan: (place, { y, centre }, i) => {
    const [left, right] = fade(place), [rear, front] = fade(y.values[i]), [between, own] = fade(2 * centre.values[i] - 1);
    const away = Math.abs(place), quarter = Math.PI / 2, nearLeft = Math.sin((away - place) * quarter / 2), nearRight = Math.sin((away + place) * quarter / 2);
    const length = Math.sqrt(1 + 2 * between * own * (nearLeft * left + nearRight * right)), b = front * between / length, o = front * own / length;
    return [b * left + o * nearLeft, b * right + o * nearRight, o * Math.sin((1 - away) * quarter), 0, left * rear, right * rear];
  },
};

class Processor {
  constructor({ law }) {
    this.law = LAWS[law];
    this.lfe = law === "surround_pan" ? 3 : -1;
    this.rest = new Resting();
    this.gains = [];
  }

  process(inputs, outputs, controls, count) {
    const x = inputs.in, state = this.rest.state(controls);
    for (let i = 0; i < count; i++) {
      if (state === 0 || (state === 1 && i === 0)) {
        const at = controls.x.values[i], places = x.length === 1 ? [at] : [at + Math.abs(at) - 1, 1 + at - Math.abs(at)];
        this.gains = places.map((place) => this.law(place, controls, i));
      }
      for (let s = 0; s < outputs.out.length; s++) {
        let sum = 0;
        if (s === this.lfe) { for (const one of x) sum += controls.lfe.values[i] * one[i] / x.length; } else for (let c = 0; c < x.length; c++) sum += this.gains[c][s] * x[c][i];
        outputs.out[s][i] = sum;
      }
    }
  }
}
