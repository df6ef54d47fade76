// @ts-check
// What a fit or a model proposes: its curves, where they stand now, and the bar on which they are heard, taken, dismissed.

import { make } from "./control.js";
import { points, valueOn } from "./timeline-lanes.js";
import { TempoMap } from "./timeline-tempo.js";
import { button } from "./widgets.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./timeline-lanes.js").Point} Point
 * @typedef {{seconds: number[], low: number[], high: number[], told: number[]}} Band
 * @typedef {{moves: boolean, audible: number, cannot_be_told: number, why_not: string|null, sounds_like: string|null, interval: number}} Told
 * @typedef {{si_sdr_db: number, level_db: number, delay_ms: number, mixer_steps: number, fit_seconds: number,
 *   interrupted: boolean, notes: string[], warnings: string[], controls: Record<string, Told>}} Report
 * @typedef {{number: number, source: string, kind: "fit"|"model", controls: string[], region: [number, number]|null,
 *   report: Partial<Report>}} Proposal
 */

export class Ghosts {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Proposal|null} */ this.proposal = null;
    /** @type {Map<string, Point[]>} */ this.lanes = new Map();
    /** @type {Map<string, Band>} */ this.bands = new Map();
    /** Where they stand now. @type {Map<string, number>} */ this.values = new Map();
    this.auditioned = false;
    this.asked = false;
    this.tempo = new TempoMap([[0, 120, "hold"]]);
    store.on("snapshot", event => {
      this.auditioned = event.auditioned;
      this.measure();
      this.take(event.proposal);
    });
    store.on("proposal", event => this.take(event.proposal));
    store.on("auditioned", event => { this.auditioned = event.on; store.tell("ghosts"); });
    store.on("project", () => { this.measure(); this.soon(); });
    store.on("transport", () => this.soon());
  }

  measure() { this.tempo = new TempoMap(this.store.project.tempo); }

  /** @param {Proposal|null} proposal */
  take(proposal) {
    this.proposal = proposal;
    const before = [...this.values.keys()];
    this.lanes = new Map();
    this.bands = new Map();
    this.values = new Map();
    for (const name of before) this.store.tell("ghost", name);
    this.store.tell("ghosts");
    if (!proposal) return;
    fetch("proposal").then(async answer => {
      const drawn = /** @type {{number: number, lanes: Record<string, Point[]>, bands: Record<string, Band>}} */ (await answer.json());
      if (drawn.number !== this.proposal?.number) return; // another one has come meanwhile
      this.lanes = new Map(Object.entries(drawn.lanes).map(([name, all]) => [name, points(all)]));
      this.bands = new Map(Object.entries(drawn.bands));
      this.move();
      this.store.tell("ghosts");
    }).catch(() => {}); // the connection is gone, and tells so
  }

  soon() {
    if (this.asked || !this.lanes.size) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.move(); });
  }

  /** Where all of them stand now. */
  move() {
    const beat = this.tempo.beat(this.store.transport.seconds);
    for (const [name, all] of this.lanes) {
      const c = this.store.controls.get(name);
      if (!c || !all.length) continue;
      const value = valueOn(all, beat, c);
      if (this.values.get(name) === value) continue;
      this.values.set(name, value);
      this.store.tell("ghost", name);
    }
  }

  /** The share of time in which a control cannot be told; 0 where nothing is said of it. @param {string} name */
  unsure(name) { return this.proposal?.report.controls?.[name]?.cannot_be_told ?? 0; }
}

/** The bar of a proposal, hidden where there is none. @param {Store} store @param {Wire} wire @param {Ghosts} ghosts */
export function makeGhostBar(store, wire, ghosts) {
  const root = make("div", "ghost-bar"), what = make("span", "what"), hear = make("button", "hear");
  root.setAttribute("role", "toolbar");
  root.setAttribute("aria-label", "Proposal");
  hear.title = "Hear the proposal in place of your own version; nothing is changed";
  hear.textContent = "Hear it";
  hear.addEventListener("click", () => wire.say({ do: "audition", on: !ghosts.auditioned }));
  const all = button("Take all", "What is proposed becomes lanes; undo takes it back", () => wire.say({ do: "take" }));
  const part = button("Take its region", "Only between the beats that it is about", () => wire.say({ do: "take", region: ghosts.proposal?.region }));
  const loop = button("Take in the loop", "Only between the ends of the loop", () => wire.say({ do: "take", region: store.project.loop }));
  const other = button("", "The other version gets it, to be compared with this one", () => wire.say({ do: "take", into: "other" }));
  const dismiss = button("Dismiss", "The ghosts go", () => wire.say({ do: "dismiss" }));
  root.append(what, hear, all, part, loop, other, dismiss);
  const show = () => {
    const { proposal } = ghosts;
    root.hidden = proposal === null;
    if (!proposal) return;
    const count = proposal.controls.length, unsure = proposal.controls.filter(name => ghosts.unsure(name) > 0.25).length;
    what.textContent = `Proposed by ${proposal.source}: ${count ? `${count} ${count === 1 ? "control" : "controls"}` : "every control at its default"}${unsure ? `, ${unsure} of them hard to tell` : ""}`;
    hear.setAttribute("aria-pressed", String(ghosts.auditioned));
    part.hidden = !proposal.region;
    loop.hidden = !store.project.loop;
    other.textContent = `Put into ${store.project.letter === "A" ? "B" : "A"}`;
  };
  store.on("ghosts", show);
  store.on("project", show);
  show();
  return root;
}
