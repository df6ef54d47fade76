// Sends all that it hears to the page.
registerProcessor("djgraph-test-tap", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input.map(channel => channel.slice()));
    return true;
  }
});
