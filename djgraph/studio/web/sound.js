// @ts-check
// The sound: blocks from the server into the worklet's ring. The server makes as many samples as there is room for.

const AHEAD = 2048; // samples that lie ready: the shorter, the sooner a hand is heard

export class Sound {
  /** @param {number} rate @param {(text: string) => void} say */
  constructor(rate, say) {
    this.rate = rate;
    this.say = say;
    this.gaps = 0;
    this.position = 0;
    this.jumps = 0;
    /** @type {AudioContext|null} */ this.context = null;
    /** @type {WebSocket|null} */ this.socket = null;
  }

  /** Begins; browsers allow it after a click or a key. */
  async start() {
    if (this.context) { await this.context.resume(); return; }
    this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    await this.context.audioWorklet.addModule("web/worklet.js");
    this.node = new AudioWorkletNode(this.context, "djgraph-ring", {
      numberOfInputs: 0, outputChannelCount: [2], processorOptions: { size: 1 << 16, channels: 2 },
    });
    this.node.connect(this.context.destination);
    this.node.port.onmessage = ({ data }) => {
      this.gaps = data.gaps;
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(String(data.taken));
    };
    await this.context.resume();
    this.open();
  }

  open() {
    const url = new URL("sound", document.baseURI);
    url.protocol = "ws:";
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket?.send(String(AHEAD));
    this.socket.onmessage = ({ data }) => this.take(data);
    this.socket.onclose = event => {
      if (event.code === 4001) this.say("another page has the sound now");
      else if (event.code === 4002) this.say("the sound is on the sound card");
      else setTimeout(() => this.open(), 500);
    };
  }

  /** What lies ready is not played any more. */
  clear() {
    this.node?.port.postMessage("clear");
  }

  /** @param {ArrayBuffer} data */
  take(data) {
    const head = new DataView(data, 0, 16);
    this.position = head.getFloat64(0, true);
    const jumps = head.getUint32(8, true);
    if (jumps !== this.jumps) this.clear();
    this.jumps = jumps;
    const count = head.getUint32(12, true), all = new Float32Array(data, 16), samples = all.length / count;
    const channels = Array.from({ length: count }, (_, c) => all.subarray(c * samples, (c + 1) * samples));
    this.node?.port.postMessage({ channels, samples });
  }
}
