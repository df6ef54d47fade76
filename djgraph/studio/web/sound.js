// @ts-check
// The sound: blocks from the server into the worklet's ring. The server makes as many samples as there is room for.
// Of an output with more channels than two the first two are played.

import { Ahead } from "./ahead.js";

export class Sound {
  /** @param {number} rate @param {(text: string) => void} say */
  constructor(rate, say) {
    this.rate = rate;
    this.say = say;
    this.ahead = new Ahead(rate);
    this.gaps = 0;
    this.position = 0;
    this.jumps = 0;
    this.channels = 2;
    /** @type {AudioContext|null} */ this.context = null;
    /** @type {WebSocket|null} */ this.socket = null;
  }

  /** Begins; browsers allow it after a click or a key. */
  async start() {
    if (this.context) {
      await this.context.resume();
      if (!this.socket || this.socket.readyState > WebSocket.OPEN) this.open(); // it was another page's
      return;
    }
    this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    await this.context.audioWorklet.addModule("web/worklet.js");
    this.node = new AudioWorkletNode(this.context, "djgraph-ring", {
      numberOfInputs: 0, outputChannelCount: [2], processorOptions: { size: 1 << 16, channels: 2, start: this.ahead.samples / 2 },
    });
    this.node.connect(this.context.destination);
    this.node.port.onmessage = ({ data }) => {
      const before = this.ahead.samples, wanted = this.ahead.next(data.taken, data.gaps, data.filled);
      this.gaps = data.gaps;
      if (this.ahead.samples !== before) this.node?.port.postMessage({ start: this.ahead.samples / 2 });
      this.ask(wanted);
    };
    await this.context.resume();
    this.open();
  }

  /** What lies ready, in seconds, and what the browser and the sound card add. */
  get latency() {
    return this.ahead.samples / this.rate + (this.context?.outputLatency ?? 0);
  }

  /** The server makes blocks of so many samples. @param {number} block */
  blocks(block) {
    this.ask(this.ahead.of(block));
    this.node?.port.postMessage({ start: this.ahead.samples / 2 });
  }

  /** @param {number} samples */
  ask(samples) {
    if (samples > 0 && this.socket?.readyState === WebSocket.OPEN) this.socket.send(String(samples));
  }

  open() {
    const url = new URL("sound", document.baseURI);
    url.protocol = "ws:";
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => { this.ahead.owed = 0; this.ahead.listen(); this.ask(this.ahead.samples); };
    this.socket.onmessage = ({ data }) => this.take(data);
    this.socket.onclose = event => {
      if (event.code === 4001) this.say("another page has the sound now");
      else if (event.code === 4002) this.say("the sound is on the sound card");
      else setTimeout(() => this.open(), 500);
    };
  }

  /** @param {ArrayBuffer} data */
  take(data) {
    const head = new DataView(data, 0, 16);
    this.position = head.getFloat64(0, true);
    const jumps = head.getUint32(8, true), count = head.getUint32(12, true);
    if (jumps !== this.jumps) this.node?.port.postMessage({ jump: true });
    this.jumps = jumps;
    if (!count) { this.node?.port.postMessage({ end: true }); return; }
    this.channels = count;
    const all = new Float32Array(data, 16), samples = all.length / count;
    const channels = Array.from({ length: Math.min(count, 2) }, (_, c) => all.subarray(c * samples, (c + 1) * samples));
    this.node?.port.postMessage({ channels, samples });
  }
}
