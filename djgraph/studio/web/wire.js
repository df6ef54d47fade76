// @ts-check
// The connection to the server: messages out, events in. It comes back by itself, and nothing that was said is lost: what
// the server has not answered is said again, under the same number, and the server does not do it twice.

/** @typedef {{event: string, [key: string]: any}} Event */

const FIRST = 250, LAST = 4000; // ms between tries

export class Wire {
  /** changed: whether it is open, and how often in a row it could not be opened. @param {(event: Event) => void} heard
   * @param {(open: boolean, tries: number) => void} changed */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.page = crypto.randomUUID();
    this.next = 1;
    /** What was said and not answered, by number. @type {Map<number, string>} */
    this.waiting = new Map();
    this.wait = FIRST;
    this.tries = 0;
    /** @type {number|undefined} */
    this.retry = undefined;
    this.open();
    addEventListener("online", () => this.again());
    document.addEventListener("visibilitychange", () => this.again());
  }

  open() {
    clearTimeout(this.retry);
    const url = new URL(`wire?page=${this.page}`, document.baseURI);
    url.protocol = "ws:";
    const socket = this.socket = new WebSocket(url);
    socket.onopen = () => {
      this.tries = 0;
      this.changed(true, 0);
      for (const text of this.waiting.values()) socket.send(text);
    };
    socket.onmessage = message => {
      this.wait = FIRST;
      /** @type {Event} */
      const event = JSON.parse(message.data);
      if (event.event === "done" || event.event === "refused") this.waiting.delete(event.id);
      this.heard(event);
    };
    socket.onclose = () => {
      this.changed(false, this.tries++);
      this.retry = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(LAST, this.wait * 2);
    };
  }

  /** At once, where it is waiting to try again. */
  again() {
    if (this.socket?.readyState === WebSocket.CLOSED && !document.hidden) this.open();
  }

  /** @param {{do: string, [key: string]: any}} message @returns {number} */
  say(message) {
    const id = this.next++, text = JSON.stringify({ ...message, id });
    this.waiting.set(id, text);
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
    return id;
  }
}
