// Runs before a page's own scripts: what goes to the loudspeakers is kept by a worklet of the tests' own, in front of
// them, and breaches of the page's policy and tasks longer than 50 ms are written down. The page does not know of it.
(() => {
  const blocks = [];
  const test = globalThis.djgraphTest = {
    blocks, sounding: 0, violations: [], tasks: [],
    /** Left and right behind one another, as base64 of float32, without the silence before the first sound. */
    heard() {
      const first = blocks.findIndex(sounds);
      const rest = first < 0 ? [] : blocks.slice(first), length = rest.reduce((sum, block) => sum + block[0].length, 0);
      const all = new Float32Array(2 * length);
      let at = 0;
      for (const block of rest) {
        for (const c of [0, 1]) all.set(block[Math.min(c, block.length - 1)], c * length + at);
        at += block[0].length;
      }
      const bytes = new Uint8Array(all.buffer);
      let text = "";
      for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
      return btoa(text);
    },
    forget() { blocks.length = 0; test.sounding = 0; },
  };
  const sounds = block => block.some(channel => channel.some(x => x !== 0));
  addEventListener("securitypolicyviolation", event => test.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  new PerformanceObserver(list => test.tasks.push(...list.getEntries().map(entry => entry.duration))).observe({ entryTypes: ["longtask"] });

  const add = AudioWorklet.prototype.addModule, connect = AudioNode.prototype.connect;
  AudioWorklet.prototype.addModule = async function (url, options) {
    await add.call(this, new URL("test-tap.js", document.baseURI));
    return add.call(this, url, options);
  };
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      const tap = new AudioWorkletNode(this.context, "djgraph-test-tap", { numberOfOutputs: 0 });
      tap.port.onmessage = ({ data }) => {
        blocks.push(data);
        for (let i = 0; i < data[0].length; i++) if (data.some(channel => channel[i] !== 0)) test.sounding++;
      };
      connect.call(this, tap);
    }
    return connect.call(this, to, ...rest);
  };
})();
