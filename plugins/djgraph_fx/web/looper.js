// @ts-check
// A loop in beats: record, play, overdub, let go.

class Processor {
  constructor({ beats, shortest, room, fade }, { rate, inputs, start }) {
    this.length = beats * 60 * rate;
    this.shortest = shortest;
    this.room = room;
    this.lines = Array.from({ length: inputs.in }, () => new DelayLine(room));
    this.faded = new Faded(Math.max(1, rounded(fade * rate / 1000)), start);
  }

  process(inputs, outputs, { record, play, keep }, count, ticks) {
    const { lines, faded } = this;
    for (let i = 0; i < count; i++) {
      const wanted = rounded(this.length / Math.min(Math.max(ticks.tempo[i], 40), 300));
      faded.next(Math.min(Math.max(wanted, this.shortest), this.room));
      const { before, current, share } = faded;
      for (let c = 0; c < lines.length; c++) {
        const x = inputs.in[c][i];
        let round = lines[c].ago(before - 1);
        if (current !== before) round += share * (lines[c].ago(current - 1) - round);
        lines[c].put(record.values[i] * x + keep.values[i] * round);
        outputs.out[c][i] = x + play.values[i] * round;
      }
    }
  }
}
