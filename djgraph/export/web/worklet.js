// @ts-check
// The engine on the audio thread of a browser: plays, stops and jumps without clicks, and says where it is.

const FADE = 2; // blocks of a fade: 6 ms

if (typeof registerProcessor === "function") registerProcessor("djgraph", class extends AudioWorkletProcessor {
  /** @param {{processorOptions: any}} options */
  constructor(options) {
    super();
    const told = options.processorOptions;
    this.program = told.program;
    this.hands = told.hands ?? [];
    this.inputs = told.inputs ?? [];
    this.samples = told.samples ?? 0;
    this.output = told.output ?? this.program.outputs[0].name;
    this.playing = Boolean(told.play);
    this.level = told.play ? 1 : 0; // of the fade
    /** @type {number|null} */ this.next = null; // where it goes on, once it has faded out
    this.engine = this.begin(told.start ?? 0);
    this.rounds = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  /** @param {number} start */
  begin(start) {
    return new Engine(this.program, EXPORTERS, this.samples, start, this.hands);
  }

  /** @param {any} said */
  told(said) {
    if (said.inputs) { this.inputs = said.inputs; this.samples = said.samples; this.next = said.at ?? 0; }
    if ("hand" in said) { this.hands[said.hand] = said.value; this.engine.hand(said.hand, said.value); }
    if ("output" in said) this.output = said.output;
    if ("play" in said) this.playing = said.play;
    if ("seek" in said) this.next = said.seek;
    if (this.level === 0 && this.next !== null) this.jump();
  }

  jump() {
    this.engine = this.begin(Math.min(Math.max(this.next ?? 0, 0), this.samples));
    this.next = null;
    this.say();
  }

  say(ended = false) {
    const { position, start } = this.engine;
    this.port.postMessage({ position: Math.max(start, position - this.program.latency), playing: this.playing, ended });
  }

  /** Only the chosen output is written; the others are silent. @param {Float32Array[][]} _ @param {Float32Array[][]} outputs */
  process(_, outputs) {
    const out = outputs[this.program.outputs.findIndex(({ name }) => name === this.output)], wanted = out[0].length;
    for (let place = 0; place < wanted; place += BLOCK) this.block(out, place, Math.min(BLOCK, wanted - place));
    if (++this.rounds % 16 === 0 && this.level > 0) this.say();
    return true;
  }

  /** @param {Float32Array[]} out @param {number} place @param {number} count */
  block(out, place, count) {
    const goal = this.playing && this.next === null ? 1 : 0;
    if (goal === 0 && this.level === 0) {
      if (this.next !== null) this.jump();
      for (const one of out) one.fill(0, place, place + count);
      return;
    }
    const { engine } = this;
    engine.process(this.inputs, engine.position, count);
    const made = engine.output(this.output), from = this.level;
    const to = goal > from ? Math.min(1, from + 1 / FADE) : goal < from ? Math.max(0, from - 1 / FADE) : from;
    for (let c = 0; c < out.length; c++) {
      const one = made[c];
      for (let i = 0; i < count; i++) out[c][place + i] = from === 1 && to === 1 ? one[i] : one[i] * (from + (to - from) * (i / count));
    }
    this.level = to;
    if (engine.position >= this.samples + this.program.latency && this.playing) {
      this.playing = false;
      this.next = 0;
      this.say(true);
    }
  }
});
