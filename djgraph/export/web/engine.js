// @ts-check
// A causal plan, block by block: control curves, sums, delays, loops, and the processors of effects. No page, no audio
// graph of a browser: it runs in an AudioWorklet, in a page and in Node alike. It allocates nothing while it plays,
// but for what a hand moves and the views of parts of a block that a loop runs in.

/**
 * @typedef {{values: Float64Array, steady: boolean}} Curve  a control at each sample of a block; steady: all are equal
 * @typedef {{tempo: Float64Array, beats: Float64Array}} Ticks  BPM and beats at each sample of a block
 * @typedef {{process: (inputs: Record<string, Float64Array[]>, outputs: Record<string, Float64Array[]>, controls: Record<string, Curve>, count: number, ticks: Ticks|null) => void, early?: (outputs: Record<string, Float64Array[]>, controls: Record<string, Curve>, count: number, ticks: Ticks|null) => void}} Processor
 * @typedef {{column: number, points: [number, number][]}} MacroCurve
 * @typedef {{low: number, step: number, last: number, high: number}|{values: number[], borders: number[]}} Grid
 * @typedef {{from: {column: number}|{curve: MacroCurve}|{blend: MacroCurve[][]}|{value: number}, held: boolean, grids: Grid[], at: number[], values: number[]}} Row
 * @typedef {{kind: string, at: number, out: string, source: string, sources: string[], samples: number, exporter: number, settings: number, node: string, ins: [string, string][], outs: [string, string][], controls: {id: string, row: number, smoothing: number}[], clock: boolean, block: number, held: string[], ways: {source: string, out: string, samples: number}[], body: Op[]}} Op
 * @typedef {{exporter: number, settings: number, stems: number[], controls: Op["controls"], clock: boolean, beats: {beats: number[], seconds: number[], downbeat: number, meter: number}|null}} Told  of what plays an input; stems: numbers of inputs
 * @typedef {{rate: number, latency: number, channels: Record<string, number>, inputs: {value: string, input: string, stem: string|null, channels: number, source: number|null}[], sources: Told[], outputs: {name: string, value: string, channels: number}[], ops: Op[], settings: any[], rows: Row[], columns: number, tempo: {at: number[], values: number[]}|null}} Program
 */

const BLOCK = 128;
const KEPT = 4096; // points that a live row keeps before the older half is dropped

/** A value between its points: straight lines, what is before the first and behind the last holds. */
class Points {
  /** @param {number[]} at @param {number[]} values @param {boolean} held */
  constructor(at, values, held) {
    this.at = at;
    this.values = values;
    this.held = held;
    this.cursor = 0;
  }

  /** The last point at or before a sample; the first where there is none. @param {number} sample */
  last(sample) {
    const { at } = this;
    let k = Math.min(this.cursor, at.length - 1);
    if (at[k] > sample) {
      let low = 0, high = k;
      while (low < high) { const middle = (low + high + 1) >> 1; if (at[middle] <= sample) low = middle; else high = middle - 1; }
      k = low;
    } else while (k + 1 < at.length && at[k + 1] <= sample) k++;
    return this.cursor = k;
  }

  /** @param {number} sample */
  read(sample) {
    const { at, values } = this, k = this.last(sample);
    if (this.held || sample <= at[k] || k + 1 === at.length) return values[k];
    const share = (sample - at[k]) / (at[k + 1] - at[k]);
    return values[k] * (1 - share) + values[k + 1] * share;
  }

  /** How the value changes from a point to the next, per sample. @param {number} k */
  slope(k) {
    const { at, values } = this;
    return k < 0 || k + 1 >= at.length ? 0 : (values[k + 1] - values[k]) / (at[k + 1] - at[k]);
  }
}

/** A row of controls as an effect reads it: with corners rounded by a box. */
class Reading {
  /** @param {Points} points @param {number} smoothing in samples */
  constructor(points, smoothing) {
    this.points = points;
    this.half = smoothing / 2;
    /** @type {Curve} */
    this.curve = { values: new Float64Array(BLOCK), steady: false };
    this.added = new Float64Array(BLOCK);
    this.shown = NaN; // what fills the curve while it is steady
  }

  /** The values on samples start…start + count − 1 of a clip of so many samples. */
  read(/** @type {number} */ start, /** @type {number} */ count, /** @type {number} */ samples) {
    if (start + count > samples && samples > 0) return this.beyond(start, count, samples);
    return this.within(start, count, samples);
  }

  /** Behind the clip, where effects that lag still work on it, its last sample's value holds. */
  beyond(/** @type {number} */ start, /** @type {number} */ count, /** @type {number} */ samples) {
    const inside = Math.max(samples - start, 0), curve = inside ? this.within(start, inside, samples) : this.within(samples - 1, 1, samples);
    if (!curve.steady) { curve.values.fill(curve.values[Math.max(inside, 1) - 1], Math.max(inside, 1)); this.shown = NaN; }
    return curve;
  }

  within(/** @type {number} */ start, /** @type {number} */ count, /** @type {number} */ samples) {
    const { points, half, curve } = this, { at, values } = points, out = curve.values;
    const reach = points.held ? 0 : half;
    let k = points.last(start - reach);
    // Steady where no point lies in reach, or all that do say the same.
    let end = k;
    const first = at[k] > start - reach ? k : k + 1;
    while (end + 1 < at.length && at[end] < start + count - 1 + reach) end++;
    let steady = true;
    for (let i = k; i < end && steady; i++) steady = values[i + 1] === values[i];
    if (steady) {
      if (this.shown !== values[k]) { out.fill(values[k]); this.shown = values[k]; }
      curve.steady = true;
      return curve;
    }
    this.shown = NaN;
    curve.steady = false;
    k = points.last(start);
    if (points.held) {
      for (let i = 0; i < count; i++) {
        while (k + 1 < at.length && at[k + 1] <= start + i) k++;
        out[i] = values[k];
      }
      return curve;
    }
    let i = 0;
    while (i < count) {
      const from = start + i;
      while (k + 1 < at.length && at[k + 1] <= from) k++;
      if (k + 1 === at.length || from < at[k]) {
        const stop = k + 1 === at.length ? count : Math.min(count, Math.ceil(at[k]) - start);
        for (; i < stop; i++) out[i] = values[k];
        continue;
      }
      // In single precision, as the mixer has its curves: what is held by them or steps with them does so on the same sample.
      const left = values[k], right = values[k + 1], step = 1 / (at[k + 1] - at[k]), stop = Math.min(count, Math.ceil(at[k + 1]) - start);
      for (; i < stop; i++) { const weight = (start + i - at[k]) * step; out[i] = Math.fround(left * (1 - weight) + right * weight); }
    }
    if (half <= 0 || first >= at.length || at[first] >= start + count - 1 + half) return curve;
    const { added } = this;
    added.fill(0, 0, count);
    for (let corner = first; corner < at.length; corner++) {
      const place = at[corner];
      if (place >= start + count - 1 + half) break;
      const bend = points.slope(corner) - points.slope(corner - 1);
      if (bend === 0) continue;
      const stop = Math.min(count - 1, Math.ceil(place + half) - start);
      for (let j = Math.max(0, Math.floor(place - half) - start); j <= stop; j++) {
        // The box shrinks towards the clip's ends.
        const width = Math.min(half, start + j, samples - 1 - start - j), over = width - Math.abs(start + j - place);
        if (over > 0) added[j] += bend * over * over / (4 * width);
      }
    }
    for (let j = 0; j < count; j++) out[j] = Math.fround(out[j] + added[j]);
    return curve;
  }
}

/** A straight-lined curve of a macro. @param {[number, number][]} points @param {number} x */
function along(points, x) {
  let k = 0;
  while (k + 2 < points.length && points[k + 1][0] <= x) k++;
  const [[x0, y0], [x1, y1]] = [points[k], points[k + 1]];
  return y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
}

/** The nearest value of a grid. @param {Grid} grid @param {number} value */
function snapped(grid, value) {
  if ("values" in grid) return grid.values[grid.borders.reduce((count, border) => count + (value > border ? 1 : 0), 0)];
  const count = Math.min(Math.max(rounded((value - grid.low) / grid.step), 0), grid.last);
  return Math.min(grid.low + count * grid.step, grid.high);
}

/** What a row reads of the columns. @param {Row} row @param {ArrayLike<number>} columns */
function rowValue(row, columns) {
  const { from } = row;
  let value = 0;
  if ("value" in from) value = from.value;
  else if ("column" in from) value = columns[from.column];
  else if ("curve" in from) value = along(from.curve.points, columns[from.curve.column]);
  else for (const term of from.blend) value += term.reduce((product, curve) => product * along(curve.points, columns[curve.column]), 1);
  for (const grid of row.grids) value = snapped(grid, value);
  return value;
}

/** The columns that a row reads. @param {Row} row */
function columnsOf({ from }) {
  if ("column" in from) return [from.column];
  if ("curve" in from) return [from.curve.column];
  return "blend" in from ? from.blend.flat().map((curve) => curve.column) : [];
}

/** Musical time from points of tempo, between which it goes straight: beats in closed form, from beat 0 at sample 0. */
class Clock {
  /** @param {{at: number[], values: number[]}} tempo @param {number} rate */
  constructor(tempo, rate) {
    this.points = new Points(tempo.at, tempo.values, false);
    this.rate = rate;
    this.begun = [0]; // beats at each point, from the first
    for (let k = 0; k + 1 < tempo.at.length; k++) this.begun.push(this.begun[k] + this.passed(k, tempo.at[k + 1] - tempo.at[k]));
    this.zero = 0;
    this.zero = this.beats(0);
    this.ticks = { tempo: new Float64Array(BLOCK), beats: new Float64Array(BLOCK) };
  }

  /** The beats from a point on. @param {number} k @param {number} count samples */
  passed(k, count) {
    const sloping = Math.max(count, 0);
    return (this.points.values[k] * count + this.points.slope(k) * (sloping * (sloping - 1) / 2)) / (60 * this.rate);
  }

  /** @param {number} sample */
  beats(sample) {
    const k = this.points.last(sample);
    return this.begun[k] + this.passed(k, sample - this.points.at[k]) - this.zero;
  }

  /** @param {number} start @param {number} count */
  read(start, count) {
    const { tempo, beats } = this.ticks;
    for (let i = 0; i < count; i++) { tempo[i] = this.points.read(start + i); beats[i] = this.beats(start + i); }
    return this.ticks;
  }
}

/** Samples on their way, channel by channel. */
class Line {
  /** @param {number} channels @param {number} samples */
  constructor(channels, samples) {
    this.samples = samples;
    this.data = Array.from({ length: channels }, () => new Float64Array(samples + BLOCK));
    this.place = 0;
  }

  /** What came so many samples before a block, of which so many are put in already. @param {Float64Array[]} to @param {number} from @param {number} count @param {number} [put] */
  take(to, from, count, put = 0) {
    const size = this.samples + BLOCK;
    for (let c = 0; c < to.length; c++) {
      let k = (this.place + BLOCK - put) % size;
      for (let i = 0; i < count; i++) { to[c][from + i] = this.data[c][k]; if (++k === size) k = 0; }
    }
  }

  /** @param {Float64Array[]} what @param {number} from @param {number} count */
  put(what, from, count) {
    const size = this.samples + BLOCK;
    for (let c = 0; c < what.length; c++) {
      let k = this.place;
      for (let i = 0; i < count; i++) { this.data[c][k] = what[c][from + i]; if (++k === size) k = 0; }
    }
    this.place = (this.place + count) % size;
  }
}

/** One effect: its processor, what it reads and writes. */
class Call {
  /** @param {Op} op @param {Engine} engine @param {any[]} exporters */
  constructor(op, engine, exporters) {
    const channels = (/** @type {[string, string][]} */ ports) => Object.fromEntries(ports.map(([port, value]) => [port, engine.program.channels[value]]));
    /** @type {Processor} */
    this.processor = new exporters[op.exporter](engine.program.settings[op.settings], { rate: engine.program.rate, inputs: channels(op.ins), outputs: channels(op.outs), start: engine.start });
    this.ins = op.ins.map(([port, value]) => ({ port, buffers: engine.values[value] }));
    this.outs = op.outs.map(([port, value]) => ({ port, buffers: engine.values[value] }));
    this.readings = op.controls.map(({ id, row, smoothing }) => ({ id, reading: engine.reading(row, smoothing, op.at) }));
    this.clock = op.clock ? engine.clock : null;
    /** @type {Record<string, Float64Array[]>} */ this.inputs = Object.fromEntries(this.ins.map(({ port, buffers }) => [port, buffers]));
    /** @type {Record<string, Float64Array[]>} */ this.outputs = Object.fromEntries(this.outs.map(({ port, buffers }) => [port, buffers]));
    /** @type {Record<string, Curve>} */ this.controls = Object.fromEntries(this.readings.map(({ id, reading }) => [id, reading.curve]));
  }

  /** Samples from…from + count − 1 of the block, the first of which is the clip's sample `start`. */
  run(/** @type {number} */ from, /** @type {number} */ count, /** @type {number} */ start, /** @type {number} */ samples) {
    const ticks = this.read(start, count, samples);
    this.processor.process(this.part(this.ins, this.inputs, from, count), this.part(this.outs, this.outputs, from, count), this.controls, count, ticks);
  }

  /** What comes out there, of an effect that holds its signal back, before anybody knows what comes in. */
  early(/** @type {number} */ from, /** @type {number} */ count, /** @type {number} */ start, /** @type {number} */ samples) {
    const ticks = this.read(start, count, samples);
    this.processor.early?.(this.part(this.outs, this.outputs, from, count), this.controls, count, ticks);
  }

  read(/** @type {number} */ start, /** @type {number} */ count, /** @type {number} */ samples) {
    for (const { reading } of this.readings) reading.read(start, count, samples);
    return this.clock ? this.clock.read(start, count) : null;
  }

  /** Ports from a sample of the block on. */
  part(/** @type {{port: string, buffers: Float64Array[]}[]} */ ports, /** @type {Record<string, Float64Array[]>} */ whole, /** @type {number} */ from, /** @type {number} */ count) {
    if (from === 0) return whole;
    return Object.fromEntries(ports.map(({ port, buffers }) => [port, buffers.map((one) => one.subarray(from, from + count))]));
  }
}

/** What plays an input: a processor that reads its stems as material, wherever it likes. */
class Source {
  /** @param {Told} told @param {Engine} engine @param {any[]} exporters */
  constructor(told, engine, exporters) {
    const { inputs, settings, rate } = engine.program;
    this.places = told.stems.flatMap((number) => Array.from({ length: inputs[number].channels }, (_, c) => [number, c]));
    this.outs = this.places.map(([number, c]) => engine.values[inputs[number].value][c]);
    this.material = new Material(this.outs.length);
    this.processor = new exporters[told.exporter](settings[told.settings], { rate, channels: this.outs.length, beats: told.beats });
    this.readings = told.controls.map(({ id, row, smoothing }) => ({ id, reading: engine.reading(row, smoothing, 0) }));
    this.clock = told.clock ? engine.clock : null;
    /** @type {Record<string, Curve>} */ this.controls = Object.fromEntries(this.readings.map(({ id, reading }) => [id, reading.curve]));
  }

  /** The samples from `start` on, up to the clip's end; without inputs nobody hears them. */
  run(/** @type {(Float32Array|null)[][]|null} */ inputs, /** @type {number} */ start, /** @type {number} */ count, /** @type {number} */ samples) {
    const { material, outs } = this, inside = Math.min(count, Math.max(samples - start, 0));
    for (let k = 0; inputs && k < outs.length; k++) {
      const [number, c] = this.places[k], signal = material.channels[k] = inputs[number]?.[c] ?? null;
      material.samples = Math.max(k ? material.samples : 0, signal?.length ?? 0);
      outs[k].fill(0, inside, count);
    }
    if (!inside) return;
    for (const { reading } of this.readings) reading.read(start, inside, samples);
    this.processor.process(inputs && material, outs, this.controls, inside, this.clock ? this.clock.read(start, inside) : null);
  }
}

class Engine {
  /**
   * @param {Program} program
   * @param {any[]} exporters  the processors' classes, by number
   * @param {number} samples  of the clip
   * @param {number} start  the clip's sample with which it begins
   * @param {(number|null)[]} [hands]  what hands hold from the start on, by column
   */
  constructor(program, exporters, samples, start = 0, hands = []) {
    this.program = program;
    this.samples = samples;
    this.start = start;
    this.position = start; // the next sample to come in
    this.hands = Array.from({ length: program.columns }, (_, i) => hands[i] ?? null);
    this.rows = program.rows.map((row) => ({ row, points: new Points(row.at, row.values.map(Math.fround), row.held), reads: columnsOf(row), live: false }));
    this.now = new Float64Array(program.columns);
    /** @type {Map<string, Reading>} */
    this.readings = new Map();
    this.clock = program.tempo ? new Clock(program.tempo, program.rate) : null;
    /** @type {Record<string, Float64Array[]>} */
    this.values = {};
    for (const [name, count] of Object.entries(program.channels)) this.values[name] = Array.from({ length: count }, () => new Float64Array(BLOCK));
    this.steps = program.ops.map((op) => this.step(op, exporters));
    this.sources = program.sources.map((told) => new Source(told, this, exporters));
    for (const one of this.sources) for (let at = 0; at < start; at += BLOCK) one.run(null, at, Math.min(BLOCK, start - at), samples);
    if (this.hands.some((hand) => hand !== null)) this.follow(start, start, true);
  }

  /** What reads a row at a latency: one for all that read it alike. @param {number} row @param {number} smoothing @param {number} at */
  reading(row, smoothing, at) {
    const key = `${row} ${smoothing} ${at}`;
    let found = this.readings.get(key);
    if (!found) {
      const { at: places, values, held } = this.rows[row].points;
      const points = new Points(places, values, held); // with a cursor of its own
      found = new Reading(points, smoothing);
      this.readings.set(key, found);
    }
    return found;
  }

  /** @param {Op} op @param {any[]} exporters @returns {(count: number) => void} */
  step(op, exporters) {
    const { values } = this;
    if (op.kind === "process") {
      const call = new Call(op, this, exporters);
      return (count) => this.piece(op, call.outs, count, (from, length, start) => call.run(from, length, start, this.samples));
    }
    if (op.kind === "add") {
      const adding = this.adding(op);
      return (count) => adding(0, count);
    }
    if (op.kind === "silence") return () => {};
    if (op.kind === "delay") {
      const line = new Line(values[op.source].length, op.samples);
      return (count) => { line.put(values[op.source], 0, count); line.take(values[op.out], 0, count, count); };
    }
    if (op.kind === "loop") {
      /** @type {Call[]} */ const held = [];
      const body = op.body.map((one) => {
        if (one.kind === "add") { const adding = this.adding(one); return (/** @type {number} */ from, /** @type {number} */ count) => adding(from, count); }
        const call = new Call({ ...one, at: op.at }, this, exporters);
        if (op.held.includes(one.node)) {
          if (!call.processor.early) throw new Error(`${one.node} closes a loop, and its processor has no early()`);
          held.push(call);
        }
        return (/** @type {number} */ from, /** @type {number} */ count, /** @type {number} */ start) => call.run(from, count, start, this.samples);
      });
      const ways = op.ways.map((way) => ({ source: values[way.source], out: values[way.out], line: new Line(values[way.out].length, way.samples) }));
      const block = Math.min(op.block, BLOCK), outs = op.body.flatMap((one) => one.outs ?? [["out", one.out]]).map(([, value]) => ({ buffers: values[value] }));
      return (count) => this.piece(op, outs, count, (first, length, start) => {
        for (let done = 0; done < length; done += block) {
          const size = Math.min(block, length - done), from = first + done;
          for (const { line, out } of ways) line.take(out, from, size);
          for (const call of held) call.early(from, size, start + done, this.samples);
          for (const one of body) one(from, size, start + done);
          for (const { line, source } of ways) line.put(source, from, size);
        }
      });
    }
    throw new Error(`operation ${op.kind}`);
  }

  /** Runs what begins at the clip's start on the samples of the block behind it; silence before. */
  piece(/** @type {Op} */ op, /** @type {{buffers: Float64Array[]}[]} */ outs, /** @type {number} */ count, /** @type {(from: number, count: number, start: number) => void} */ run) {
    const from = Math.min(Math.max(op.at + this.start - this.position, 0), count);
    if (from) for (const { buffers } of outs) for (const one of buffers) one.fill(0, 0, from);
    if (from < count) run(from, count - from, this.position + from - op.at);
  }

  /** @param {Op} op */
  adding(op) {
    const sources = op.sources.map((name) => this.values[name]), out = this.values[op.out];
    return (/** @type {number} */ from, /** @type {number} */ count) => {
      for (let c = 0; c < out.length; c++) {
        const to = out[c], first = sources[0][c];
        for (let i = from; i < from + count; i++) to[i] = first[i];
        for (let s = 1; s < sources.length; s++) {
          const one = sources[s][c];
          for (let i = from; i < from + count; i++) to[i] += one[i];
        }
      }
    };
  }

  /** A hand on a control, or, with null, off it: heard from the next block on. @param {number} column @param {number|null} value */
  hand(column, value) {
    this.hands[column] = value;
    for (const one of this.rows) if (one.reads.includes(column)) this.enliven(one);
  }

  /** From the last sample that came in on, a row goes its own way. @param {Engine["rows"][number]} one */
  enliven(one) {
    if (one.live) return;
    one.live = true;
    const before = Math.max(this.position - 1, this.start), value = one.points.read(before);
    const last = one.points.last(before);
    const at = one.points.at.slice(0, last + 1).filter((place) => place < before), values = one.points.values.slice(0, at.length);
    this.replace(one, [...at, before], [...values, value]);
  }

  /** @param {Engine["rows"][number]} one @param {number[]} at @param {number[]} values */
  replace(one, at, values) {
    one.points.at = at;
    one.points.values = values;
    one.points.cursor = 0;
    const number = this.rows.indexOf(one);
    for (const [key, reading] of this.readings) {
      if (Number(key.split(" ")[0]) === number) { reading.points.at = at; reading.points.values = values; reading.points.cursor = 0; }
    }
  }

  /** Rows that hands have moved get a point on the block's last sample. @param {number} start @param {number} stop @param {boolean} [first] */
  follow(start, stop, first = false) {
    if (first) for (const one of this.rows) if (one.reads.some((column) => this.hands[column] !== null)) this.enliven(one);
    let columns = null;
    for (const one of this.rows) {
      if (!one.live) continue;
      columns ??= this.columns(Math.max(stop - 1, start));
      const value = rowValue(one.row, columns), { at, values } = one.points;
      if (first) { at[at.length - 1] = start; values[values.length - 1] = value; continue; }
      if (value === values[values.length - 1]) continue;
      if (at[at.length - 1] < start - 1) { at.push(start - 1); values.push(values[values.length - 1]); }
      if (at[at.length - 1] < stop - 1) { at.push(stop - 1); values.push(value); } else values[values.length - 1] = value;
      if (at.length > KEPT) this.replace(one, at.slice(-KEPT / 2), values.slice(-KEPT / 2));
    }
  }

  /** The controls at a sample, by column, with what hands say. @param {number} sample */
  columns(sample) {
    for (let c = 0; c < this.now.length; c++) this.now[c] = this.hands[c] ?? (this.course ??= this.program.rows.slice(0, this.program.columns).map((row) => new Points(row.at, row.values, row.held)))[c].read(sample);
    return this.now;
  }

  /**
   * The next samples, at most 128. What comes out is `program.latency` samples late.
   * @param {(Float32Array|null)[][]} inputs  of each input its channels, from sample `from` on; null is silence
   * @param {number} from
   * @param {number} count
   */
  process(inputs, from, count) {
    const { program, values } = this;
    program.inputs.forEach(({ value, source }, number) => {
      if (source !== null) return;
      values[value].forEach((to, c) => {
        const given = inputs[number]?.[c];
        const there = given ? Math.max(0, Math.min(count, given.length - from)) : 0;
        for (let i = 0; i < there; i++) to[i] = /** @type {Float32Array} */ (given)[from + i];
        to.fill(0, there, count);
      });
    });
    this.follow(this.position, this.position + count);
    for (const one of this.sources) one.run(inputs, from, count, this.samples);
    for (const step of this.steps) step(count);
    this.position += count;
  }

  /** An output's channels, after `process`. @param {string} name */
  output(name) {
    const found = this.program.outputs.find((one) => one.name === name);
    if (!found) throw new Error(`output ${name}`);
    return this.values[found.value];
  }
}
