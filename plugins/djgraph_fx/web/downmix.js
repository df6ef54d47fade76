// @ts-check
// Any layout down to stereo: each channel with the level of a control, or as it is, on the left, the right, or both.

class Processor {
  constructor({ parts }) { this.parts = parts; }

  process(inputs, outputs, controls, count) {
    const [left, right] = outputs.out;
    left.fill(0, 0, count);
    right.fill(0, 0, count);
    this.parts.forEach(({ control, share, left: onLeft, right: onRight }, c) => {
      const x = inputs.in[c], level = control ? controls[control].values : null;
      for (let i = 0; i < count; i++) {
        const part = x[i] * share * (level ? level[i] : 1);
        if (onLeft) left[i] += part;
        if (onRight) right[i] += part;
      }
    });
  }
}
