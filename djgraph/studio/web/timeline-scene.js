// @ts-check
// What the timeline shows and what is chosen of it: the project's lanes and recipes, edits that are under way, rows.

import { points, valueOn } from "./timeline-lanes.js";
import { Peaks } from "./timeline-peaks.js";
import { Space } from "./timeline-space.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./scale.js").Control} Control
 * @typedef {import("./timeline-lanes.js").Point} Point
 * @typedef {import("./timeline-lanes.js").Lanes} Lanes
 * @typedef {import("./timeline-lanes.js").Selection} Selection
 * @typedef {import("./timeline-lanes.js").Edited} Edited
 * @typedef {{input: string, stem: string|null, digest: string|null, samples: number, peak: number, problem?: string}} Wave
 * @typedef {{id: number, recipe: string, start: number, length: number, settings: Record<string, string|number>}} Clip
 * @typedef {{name: string, title: string, description: string, problem: string|null,
 *   arguments: {name: string, default: string|number|null, description: string}[]}} Recipe
 * @typedef {{kind: "wave"|"clips"|"lane"|"target", key: string, title: string, group: string, y: number, height: number,
 *   wave?: Wave, control?: Control, hue: number}} Row
 * @typedef {{seconds: number[], low: number[], high: number[], told: number[]}} Band
 * @typedef {{name: string, digest: string|null, samples: number, peak: number, fitted: Map<string, Point[]>, bands: Map<string, Band>}} Target
 */

export const RULER = 46, WAVE = 40, CLIPS = 34, LANE = 58, HEAD = 196;

const LOOP = 0; // among edits that are not answered; recipes are numbered from 1

/** What is kept where the view is made anew. */
const kept = { zoom: 0, left: 0, top: 0, snap: "1", show: "moving", filter: "", waves: true, follow: true, copied: /** @type {Clip[]} */ ([]) };

export class Scene {
  /** @param {Store} store @param {Wire} wire @param {() => void} redraw */
  constructor(store, wire, redraw) {
    this.store = store;
    this.wire = wire;
    this.redraw = redraw;
    this.kept = kept;
    this.space = new Space();
    this.space.snap = kept.snap;
    /** @type {Lanes} */ this.lanes = new Map();
    /** @type {Clip[]} */ this.clips = [];
    /** @type {Map<number, Map<string, Point[]>>} */ this.courses = new Map();
    /** @type {Lanes} */ this.ghosts = new Map();
    /** @type {Wave[]} */ this.waves = [];
    /** @type {Recipe[]} */ this.recipes = store.extra.recipes ?? [];
    /** @type {Target|null} */ this.target = null;
    /** @type {Row[]} */ this.rows = [];
    /** @type {Selection} */ this.selection = new Map();
    /** @type {Set<number>} */ this.chosen = new Set(); // clips
    this.expected = false; // new clips, which will be chosen
    /** @type {string|null} */ this.focus = null; // a lane
    /** @type {Edited|null} */ this.under = null; // an edit under way
    /** Edits that are said and not answered: older news of the project does not undo them. @type {Map<string|number, number>} */
    this.waiting = new Map();
    /** @type {[number, number]|null} */ this.loop = null; // beats
    /** @type {{x: number, y: number, width: number, height: number}|null} */ this.band = null;
    this.height = 0;
    this.loudest = 1;
    this.overlaps = 1;
    this.dragging = false;
    this.peaks = new Peaks(store.extra.waves, store.console.sample_rate, redraw);
    this.takeTarget();
    this.take();
    this.takeClips(store.extra.clips ?? []);
    this.takeWaves(store.extra.waves?.rows ?? []);
  }

  /** The project as it is now. */
  take() {
    const { project, seconds } = this.store;
    this.space.take(seconds, project.tempo, project.beats_per_bar);
    const before = this.lanes, clips = this.clips;
    this.lanes = new Map(project.lanes.map((/** @type {{control: string, points: Point[]}} */ lane) => [lane.control, points(lane.points)]));
    if (this.expected) {
      const fresh = project.clips.filter((/** @type {Clip} */ clip) => !clips.some(one => one.id === clip.id));
      if (fresh.length) { this.chosen = new Set(fresh.map((/** @type {Clip} */ clip) => clip.id)); this.expected = false; }
    }
    this.clips = project.clips.map((/** @type {Clip} */ clip) => this.waiting.has(clip.id) ? clips.find(one => one.id === clip.id) ?? clip : clip);
    for (const name of this.waiting.keys()) if (typeof name === "string") this.lanes.set(name, before.get(name) ?? []);
    if (!this.waiting.has(LOOP)) this.loop = project.loop;
    this.haunt();
    if (!this.dragging) this.under = null;
    for (const [name, chosen] of this.selection) {
      const length = this.lane(name).length;
      this.selection.set(name, new Set([...chosen].filter(i => i < length)));
    }
    this.arrange();
  }

  /** @param {{id: number, lanes: Record<string, Point[]>}[]} told */
  takeClips(told) {
    this.courses = new Map(told.map(one => [one.id, new Map(Object.entries(one.lanes).map(([name, all]) => [name, points(all)]))]));
    this.haunt();
    this.arrange();
  }

  /** What recipes do where there is no lane. */
  haunt() {
    this.ghosts = new Map();
    for (const clip of [...this.clips].sort((a, b) => a.start - b.start)) {
      for (const [name, all] of this.courses.get(clip.id) ?? []) {
        const before = (this.ghosts.get(name) ?? []).filter(point => point.at < all[0].at);
        this.ghosts.set(name, [...before, ...all]);
      }
    }
  }

  /** @param {Wave[]} told */
  takeWaves(told) {
    this.waves = told;
    this.loudest = Math.max(0.05, ...told.map(wave => wave.peak));
    this.arrange();
  }

  /** The mix to compare with, and what a fit found in it; the error bands come later. */
  takeTarget() {
    const told = this.store.extra.target;
    if (!told) return;
    const fitted = new Map(Object.entries(/** @type {Record<string, Point[]>} */ (told.fitted)).map(([name, all]) => [name, points(all)]));
    this.target = { name: told.name, digest: told.digest, samples: told.samples, peak: told.peak, fitted, bands: new Map() };
    if (!told.bands.length) return;
    fetch("bands").then(async answer => {
      if (this.target) this.target.bands = new Map(Object.entries(/** @type {Record<string, Band>} */ (await answer.json())));
      this.arrange();
    }).catch(() => {});
  }

  /** A lane as it is seen: with the edit that is under way. @param {string} name @returns {Point[]} */
  lane(name) {
    return this.under?.lanes.get(name) ?? this.lanes.get(name) ?? [];
  }

  /** @returns {Selection} */
  get selected() {
    return this.under?.selection ?? this.selection;
  }

  /** What moves a control, its lane or recipes; none where it rests. @param {string} name */
  moving(name) {
    const own = this.lane(name);
    return own.length ? own : this.ghosts.get(name) ?? [];
  }

  /** Where a control stands at a beat, without hands. @param {Control} c @param {number} beat */
  value(c, beat) {
    const all = this.moving(c.name);
    return all.length ? valueOn(all, beat, c) : this.store.project.values[c.name] ?? c.default;
  }

  /** All lanes of a selection, recipes' ways among them where there is no lane yet. @returns {Lanes} */
  get editable() {
    return new Map([...this.store.controls.keys()].map(name => [name, this.moving(name)]));
  }

  /** Shows an edit that is not done yet. @param {Edited} edited */
  preview(edited) {
    this.under = edited;
    this.redraw();
  }

  /** An edit of lanes is done. @param {Edited} edited @param {string} what @param {string} [gesture] */
  edit(edited, what, gesture = "") {
    if (!edited.lanes.size) return;
    const id = this.send(edited, what, gesture);
    for (const [name, all] of edited.lanes) {
      this.lanes.set(name, all);
      this.waiting.set(name, id);
    }
    this.selection = edited.selection;
    this.under = null;
    this.arrange();
  }

  /** An answer to what was said; refused, all is as the server has it. @param {number} id */
  answered(id) {
    const before = this.waiting.size;
    for (const [key, last] of this.waiting) if (last === id) this.waiting.delete(key);
    if (this.waiting.size < before) this.take();
  }

  /** Another loop, or none. @param {[number, number]|null} beats */
  setLoop(beats) {
    this.loop = beats;
    const region = beats && beats.map(beat => this.space.tempo.seconds(beat));
    this.waiting.set(LOOP, this.wire.say({ do: "loop", region }));
    this.redraw();
  }

  /** A recipe with other arguments. @param {Clip} clip @param {string} gesture */
  place(clip, gesture) {
    const { id, recipe, start, length, settings } = clip;
    this.clips = this.clips.map(one => one.id === id ? clip : one);
    this.waiting.set(id, this.wire.say({ do: "place", number: id, recipe, start, length, settings, gesture }));
    this.arrange();
  }

  /** Several recipes with other arguments, as one edit. @param {Clip[]} several @param {string} what @param {string} [gesture] */
  placeAll(several, what, gesture = "") {
    if (several.length === 1) { this.place(several[0], gesture); return; }
    const placed = new Map(several.map(clip => [clip.id, clip]));
    this.clips = this.clips.map(one => placed.get(one.id) ?? one);
    const id = this.wire.say({ do: "arrange", clips: several.map(spot), what: what.slice(0, 100), gesture });
    for (const clip of several) this.waiting.set(clip.id, id);
    this.arrange();
  }

  /** Copies of recipes, which will be chosen. @param {Clip[]} several @param {string} what */
  placeNew(several, what) {
    if (!several.length) return;
    this.expected = true;
    this.wire.say({ do: "arrange", clips: several.map(clip => ({ ...spot(clip), number: 0 })), what: what.slice(0, 100) });
  }

  /** The recipes that are chosen, in order of time. @returns {Clip[]} */
  get picked() {
    return this.clips.filter(clip => this.chosen.has(clip.id)).sort((a, b) => a.start - b.start);
  }

  /** @param {Edited} edited @param {string} what @param {string} gesture */
  send(edited, what, gesture) {
    // What is usual is left out.
    const lanes = [...edited.lanes].map(([control, all]) => ({ control, points: all.map(({ at, value, shape, bend }) => ({
      at, value, ...shape === "linear" ? {} : { shape }, ...bend === null ? {} : { bend },
    })) }));
    return this.wire.say({ do: "edit", lanes, what: what.slice(0, 100), gesture });
  }

  /** The rows from top to bottom. */
  arrange() {
    /** @type {Row[]} */
    const rows = [];
    let y = RULER;
    /** @param {Omit<Row, "y">} row */
    const add = row => { rows.push({ ...row, y }); y += row.height; };
    const inputs = [...new Set(this.waves.map(wave => wave.input))];
    if (this.kept.waves) {
      for (const wave of this.waves) {
        add({ kind: "wave", key: `wave ${wave.input}/${wave.stem}`, title: wave.stem ?? wave.input, group: wave.stem ? wave.input : "", height: WAVE, wave, hue: inputs.indexOf(wave.input) });
      }
    }
    if (this.target) {
      const { name, digest, samples, peak } = this.target;
      add({ kind: "target", key: "target", title: name, group: "target", height: WAVE, wave: { input: "target", stem: null, digest, samples, peak }, hue: 4 });
    }
    this.overlaps = Math.max(1, ...this.clips.map((_, i) => this.level(i) + 1));
    add({ kind: "clips", key: "clips", title: "Recipes", group: "", height: CLIPS * this.overlaps, hue: 0 });
    const { show, filter } = this.kept, words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    for (const c of this.store.controls.values()) {
      const moves = this.lane(c.name).length > 0 || this.ghosts.has(c.name) || this.store.held.has(c.name) || this.target?.fitted.has(c.name) || this.store.ghosts?.lanes.has(c.name);
      if (show === "moving" && !moves && c.name !== this.focus) continue;
      if (!words.every(word => c.name.toLowerCase().includes(word) || c.label.toLowerCase().includes(word))) continue;
      const hue = Math.max(0, inputs.findIndex(input => c.name.startsWith(`${input}.`) || c.name === input));
      const end = c.name.lastIndexOf(".");
      add({ kind: "lane", key: c.name, title: c.label, group: end < 0 ? "" : c.name.slice(0, end), height: LANE, control: c, hue });
    }
    this.rows = rows;
    this.height = y;
    this.redraw();
  }

  /** In which line of its row a recipe stands, so that none hides another. @param {number} index */
  level(index) {
    /** @type {number[]} */
    const levels = [];
    for (let i = 0; i <= index; i++) {
      const one = this.clips[i], taken = new Set();
      for (let j = 0; j < i; j++) {
        const other = this.clips[j];
        if (other.start < one.start + one.length && one.start < other.start + other.length) taken.add(levels[j]);
      }
      let level = 0;
      while (taken.has(level)) level++;
      levels.push(level);
    }
    return levels[index];
  }

  /** @param {number} y @returns {Row|undefined} */
  rowAt(y) {
    return this.rows.find(row => y >= row.y && y < row.y + row.height);
  }

  /** @param {string} name */
  rowOf(name) {
    return this.rows.find(row => row.key === name);
  }
}

/** A recipe as it is said. @param {Clip} clip */
function spot({ id, recipe, start, length, settings }) {
  return { number: id, recipe, start, length, settings };
}
