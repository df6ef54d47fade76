// @ts-check
// What is known of the session, and who wants to hear when it changes.

/** @typedef {import("./scale.js").Control} Control */

/** What views follow while they stand, and by which event: of what the server begins with, the rest is what they are made of.
 * @type {Record<string, string>} */
const FOLLOWED = { project: "project", values: "", undo: "", redo: "", held: "", moving: "", seconds: "", has_other: "", proposal: "", auditioned: "",
  transport: "transport", listening: "listening", sound: "sound", saving: "saved", fit: "fit", model: "model", recording: "recording", clips: "clips" };

export class Store {
  constructor() {
    /** @type {any} */ this.console = null;
    /** @type {Map<string, Control>} */ this.controls = new Map();
    /** @type {Map<string, number>} */ this.values = new Map();
    /** @type {Set<string>} */ this.held = new Set();
    /** @type {any} */ this.project = null;
    /** @type {string|null} */ this.undo = null;
    /** @type {string|null} */ this.redo = null;
    /** @type {{muted: string[], soloed: string[]}} */ this.listening = { muted: [], soloed: [] };
    /** @type {any} */ this.sound = null;
    this.seconds = 0;
    /** What parts of the session say under keys of their own. @type {Record<string, any>} */
    this.extra = {};
    /** @type {{playing: boolean, seconds: number, loop: number[]|null, tempo: number}} */
    this.transport = { playing: false, seconds: 0, loop: null, tempo: 120 };
    /** What is proposed. @type {import("./ghosts.js").Ghosts|null} */ this.ghosts = null;
    /** @type {Map<string, Set<(what: any) => void>>} */ this.listeners = new Map();
  }

  /** @param {string} topic @param {(what: any) => void} listener */
  on(topic, listener) {
    const all = this.listeners.get(topic) ?? new Set();
    all.add(listener);
    this.listeners.set(topic, all);
    return () => all.delete(listener);
  }

  /** The same store to a view that may be made anew: `forget` ends all that it listens to.
   * @returns {{store: Store, forget: () => void}} */
  scoped() {
    /** @type {(() => void)[]} */
    const ends = [];
    const store = /** @type {Store} */ (Object.create(this));
    store.on = (topic, listener) => {
      const end = this.on(topic, listener);
      ends.push(end);
      return end;
    };
    return { store, forget: () => { for (const end of ends.splice(0)) end(); } };
  }

  /** @param {string} topic @param {any} [what] */
  tell(topic, what) {
    for (const listener of this.listeners.get(topic) ?? []) listener(what);
  }

  /** @param {import("./wire.js").Event} event */
  take(event) {
    switch (event.event) {
      case "snapshot": {
        const stands = !event.anew && made(event) === made(this.extra);
        this.console = event.console;
        this.controls = new Map(controlsOf(event.console).map(c => [c.name, c]));
        this.values = new Map();
        this.follow(event);
        for (const [name, value] of Object.entries(event.held)) this.values.set(name, /** @type {number} */ (value));
        this.held = new Set(Object.keys(event.held));
        this.extra = event;
        this.listening = event.listening;
        this.transport = event.transport;
        this.sound = event.sound;
        this.tell("snapshot", event);
        if (!stands) { this.tell("anew"); return; }
        for (const topic of Object.values(FOLLOWED)) if (topic) this.tell(topic, { ...event, event: topic });
        for (const name of this.controls.keys()) this.tell("control", name);
        return;
      }
      case "project":
        this.follow(event);
        for (const name of this.controls.keys()) this.tell("control", name);
        break;
      case "held":
        this.values.set(event.control, event.value);
        this.held.add(event.control);
        this.tell("control", event.control);
        break;
      case "released":
        for (const name of event.controls) {
          this.held.delete(name);
          if (name in event.values) this.values.set(name, event.values[name]);
          this.tell("control", name);
        }
        break;
      case "saved": this.extra.saving = { ...this.extra.saving, ...event }; break;
      case "export": {
        const known = this.extra.exports, others = known.jobs.filter((/** @type {any} */ job) => job.job !== event.export.job);
        this.extra.exports = { ...known, jobs: [...others, event.export], files: event.files ?? known.files };
        break;
      }
      case "clips": this.extra.clips = event.clips; break;
      case "heard": if (this.extra.target) this.extra.target = { ...this.extra.target, heard: event.what }; break;
      case "waves": this.extra.waves = event; break;
      case "fit": this.extra.fit = event.fit; break;
      case "model": this.extra.model = event.model; break;
      case "reload": this.extra.reload = event; break;
      case "text": this.extra.text = event; break;
      case "recording": this.extra.recording = event.recording; break;
      case "playing": this.transport.playing = event.playing; this.tell("transport"); break;
      case "sought":
        this.transport.seconds = event.seconds;
        this.moved(event.values);
        this.tell("transport");
        break;
      case "loop": this.transport.loop = event.region; this.tell("transport"); break;
      case "sound": this.sound = event.sound; break;
      case "listening": this.listening = { muted: event.muted, soloed: event.soloed }; break;
      case "meters":
        this.transport = event.transport;
        this.moved(event.values);
        this.tell("transport");
        break;
    }
    this.tell(event.event, event);
  }

  /** What automation has moved. @param {Record<string, number>} values */
  moved(values) {
    for (const [name, value] of Object.entries(values)) {
      if (this.held.has(name) || this.values.get(name) === value) continue;
      this.values.set(name, value);
      this.tell("control", name);
    }
  }

  /** The project as it is now, and the values that its controls have. @param {any} event */
  follow(event) {
    this.project = event.project;
    this.undo = event.undo;
    this.redo = event.redo;
    this.seconds = event.seconds;
    this.console.columns.forEach((/** @type {string} */ name, /** @type {number} */ i) => {
      if (!this.held.has(name)) this.values.set(name, event.values[i]);
    });
  }
}

/** What views are made of, to be compared. @param {Record<string, any>} extra */
function made(extra) {
  const all = Object.entries(extra).filter(([key]) => !(key in FOLLOWED)).sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify(all, (key, value) => key === "event" || key === "anew" ? undefined : value);
}

/** @param {any} console @returns {Control[]} */
export function controlsOf(console) {
  const all = [];
  for (const section of console.sections) {
    for (const block of section.blocks) all.push(...block.controls);
    all.push(...section.own ?? []);
  }
  return [...all, ...console.macros];
}
