// @ts-check
// The connection to the server: messages out, events in; it comes back by itself, and nothing said meanwhile is lost.

/** @typedef {{event: string, [key: string]: any}} Event */

export class Wire {
  /** @param {(event: Event) => void} heard @param {(open: boolean) => void} changed */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.next = 1;
    /** @type {string[]} */
    this.waiting = [];
    this.wait = 250;
    this.open();
  }

  open() {
    const url = new URL("wire", document.baseURI);
    url.protocol = "ws:";
    this.socket = new WebSocket(url);
    this.socket.onopen = () => {
      this.changed(true);
      for (const text of this.waiting.splice(0)) this.socket?.send(text);
    };
    this.socket.onmessage = message => { this.wait = 250; this.heard(JSON.parse(message.data)); };
    this.socket.onclose = () => {
      this.changed(false);
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(4000, this.wait * 2);
    };
  }

  /** @param {{do: string, [key: string]: any}} message @returns {number} */
  say(message) {
    const id = this.next++;
    const text = JSON.stringify({ ...message, id });
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
    else if (this.waiting.length < 1000) this.waiting.push(text);
    return id;
  }
}
