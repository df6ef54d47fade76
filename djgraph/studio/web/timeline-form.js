// @ts-check
// What is chosen, as numbers to be typed: points with their shape and bend, recipes with their arguments.

import { make } from "./control.js";
import { parsed, snapped, written } from "./scale.js";
import { change } from "./timeline-clips.js";
import { changed, count } from "./timeline-lanes.js";
import { MOST_BEND, SHAPES } from "./timeline-tempo.js";
import { button, labelled } from "./widgets.js";

/** @typedef {import("./timeline-scene.js").Scene} Scene @typedef {import("./timeline-scene.js").Clip} Clip */
/** @typedef {import("./timeline-lanes.js").Point} Point @typedef {import("./scale.js").Control} Control */

/** @param {Scene} scene @returns {{element: HTMLElement, show: () => void}} */
export function makeForm(scene) {
  const element = make("section", "tl-form");
  element.setAttribute("aria-label", "Chosen");
  let shown = "";
  const show = () => {
    const text = description(scene);
    if (text === shown) return;
    shown = text;
    const focused = element.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.field : undefined;
    const [clip, ...others] = scene.picked;
    element.replaceChildren(...others.length ? ofClips(scene, [clip, ...others]) : clip ? ofClip(scene, clip) : count(scene.selection) ? ofPoints(scene) : scene.focus ? ofLane(scene, scene.focus) : hint());
    if (focused) /** @type {HTMLElement|null} */ (element.querySelector(`[data-field="${focused}"]`))?.focus();
  };
  return { element, show };
}

/** All that the form shows, to know when it is another. @param {Scene} scene */
function description(scene) {
  if (scene.picked.length) return JSON.stringify(scene.picked);
  return JSON.stringify([scene.focus, scene.focus && !!scene.lane(scene.focus).length, scene.target?.fitted.size, ...[...scene.selected].map(([name, chosen]) => [name, [...chosen].map(i => scene.lane(name)[i])])]);
}

/** A lane as a whole. @param {Scene} scene @param {string} name */
function ofLane(scene, name) {
  const title = make("b", ""), own = scene.lane(name).length, [text] = hint();
  title.textContent = name;
  const actions = [];
  if (own) {
    const clear = make("button", "");
    clear.textContent = "Clear lane";
    clear.addEventListener("click", () => scene.edit({ lanes: new Map([[name, []]]), selection: new Map() }, `clear ${name}`));
    actions.push(clear);
  }
  if (scene.target?.fitted.has(name)) {
    const adopt = make("button", "");
    adopt.textContent = "Take over what the fit found";
    adopt.addEventListener("click", () => scene.wire.say({ do: "adopt", controls: [name] }));
    actions.push(adopt);
  }
  return [title, ...actions, text];
}

function hint() {
  const text = make("p", "quiet");
  text.textContent = "Click a line to add a point, drag a band around several. Alt: without snapping; on a line: bend. Shift: one direction. Ctrl+C, X, V, D, A; arrows walk, Alt+arrows move.";
  return [text];
}

/** @param {Scene} scene */
function ofPoints(scene) {
  const many = count(scene.selection), { controls } = scene.store;
  const chosen = [...scene.selection].flatMap(([name, all]) => [...all].map(i => ({ name, point: scene.lane(name)[i] }))).filter(one => one.point);
  const { name, point } = chosen[0], c = /** @type {Control} */ (controls.get(name));
  const title = make("b", "");
  title.textContent = many === 1 ? name : `${many} points`;
  /** @param {string} what @param {(point: Point, c: Control) => Point} to */
  const all = (what, to) => scene.edit(changed(scene.editable, scene.selection, to, controls), many === 1 ? `${what} a point of ${name}` : `${what} ${many} points`);
  /** @type {(HTMLElement)[]} */
  const fields = [title];
  if (many === 1) {
    fields.push(field("Time", "at", scene.space.written(point.at), text => {
      const beat = scene.space.parsed(text);
      if (beat !== null) all("move", one => ({ ...one, at: Math.min(beat, scene.space.end) }));
    }));
    fields.push(field("Value", "value", written(c, point.value), text => {
      const value = parsed(c, text);
      if (value !== null) all("set", one => ({ ...one, value }));
    }));
  } else {
    fields.push(field("Value", "value", chosen.every(one => one.point.value === point.value) ? written(c, point.value) : "", text => {
      all("set", (one, own) => { const value = parsed(own, text); return value === null ? one : { ...one, value: snapped(own, value) }; });
    }));
  }
  const shape = /** @type {HTMLSelectElement} */ (make("select", ""));
  const same = chosen.every(one => one.point.shape === point.shape);
  for (const one of same ? SHAPES : ["", ...SHAPES]) shape.append(new Option(one || "several", one, false, one === (same ? point.shape : "")));
  shape.addEventListener("change", () => { if (shape.value) all("shape", one => ({ ...one, shape: /** @type {Point["shape"]} */ (shape.value) })); });
  shape.dataset.field = "shape";
  fields.push(explained("Shape", shape));
  const bend = /** @type {HTMLInputElement} */ (make("input", ""));
  Object.assign(bend, { type: "number", min: -MOST_BEND, max: MOST_BEND, step: 1, value: point.bend === null ? "" : String(point.bend), placeholder: point.shape === "exponential" ? "40" : "0" });
  bend.dataset.field = "bend";
  bend.addEventListener("change", () => {
    const value = bend.value === "" ? null : Math.min(MOST_BEND, Math.max(-MOST_BEND, Number(bend.value)));
    all("bend", one => ({ ...one, bend: value }));
  });
  fields.push(explained("Bend, dB", bend));
  return fields;
}

/** @param {Scene} scene @param {Clip} clip */
function ofClip(scene, clip) {
  const recipe = scene.recipes.find(one => one.name === clip.recipe);
  /** @type {{value: string, title: string}[]} */
  const tracks = scene.store.extra.tracks ?? [];
  const title = make("b", "");
  title.textContent = recipe?.title ?? clip.recipe;
  title.title = recipe?.description ?? "";
  /** @type {HTMLElement[]} */
  const fields = [title];
  /** @param {Partial<Clip>} more */
  const say = more => change(scene, { ...now(), ...more });
  const now = () => scene.clips.find(one => one.id === clip.id) ?? clip;
  fields.push(field("Start", "start", scene.space.written(clip.start), text => {
    const beat = scene.space.parsed(text);
    if (beat !== null) say({ start: beat });
  }));
  fields.push(field("Beats", "length", String(Math.round(clip.length * 1000) / 1000), text => {
    const length = Number(text.replace(",", "."));
    if (length > 0) say({ length });
  }));
  /** @param {string} name @param {string|number|null} value */
  const set = (name, value) => {
    const { [name]: _, ...settings } = now().settings;
    say({ settings: value === null ? settings : { ...settings, [name]: value } });
  };
  for (const { name, default: usual, description } of recipe?.arguments ?? []) {
    if (name === "start" || name === "length") continue;
    if (name === "a" || name === "b") {
      /** @param {string} which */
      const track = which => String(now().settings[which] ?? tracks[which === "a" ? 0 : 1]?.value ?? "");
      const choice = /** @type {HTMLSelectElement} */ (make("select", "")), chosen = track(name);
      for (const { value, title } of tracks) choice.append(new Option(title, value, false, value === chosen));
      if (!tracks.some(one => one.value === chosen)) choice.append(new Option(chosen, chosen, false, true));
      choice.addEventListener("change", () => {
        // From a track to itself there is nothing: the two change places.
        const other = name === "a" ? "b" : "a", swapped = track(other) === choice.value;
        say({ settings: { ...now().settings, [name]: choice.value, ...swapped ? { [other]: track(name) } : {} } });
      });
      choice.dataset.field = name;
      fields.push(explained(name === "a" ? "From" : "To", choice, description));
    } else {
      const box = field(name, name, String(clip.settings[name] ?? ""), text => {
        const number = Number(text.replace(",", "."));
        set(name, text.trim() === "" ? null : Number.isFinite(number) ? number : text.trim().slice(0, 200));
      }, description);
      /** @type {HTMLInputElement} */ (box.querySelector("input")).placeholder = String(usual ?? "");
      fields.push(box);
    }
  }
  return [...fields, ...ends(scene, [clip])];
}

/** Several recipes: the first one's place, which the others follow. @param {Scene} scene @param {Clip[]} clips */
function ofClips(scene, clips) {
  const title = make("b", "");
  title.textContent = `${clips.length} recipes`;
  const start = field("Start", "start", scene.space.written(clips[0].start), text => {
    const beat = scene.space.parsed(text);
    if (beat === null) return;
    const now = scene.picked, by = beat - now[0].start, last = Math.max(...now.map(one => one.start + one.length));
    const shift = Math.min(by, Math.max(0, scene.space.end - last));
    scene.placeAll(now.map(one => ({ ...one, start: Math.max(0, one.start + shift) })), `move ${now.length} recipes`);
  }, "Of the first of them; the others stay as far behind it");
  return [title, start, ...ends(scene, clips)];
}

/** What recipes become. @param {Scene} scene @param {Clip[]} clips */
function ends(scene, clips) {
  const numbers = clips.map(one => one.id), it = clips.length === 1 ? "it" : "them";
  return [
    button(`Make lanes of ${it}`, "", () => { scene.wire.say({ do: "unfold", numbers }); scene.chosen.clear(); }),
    button("Remove", "", () => { scene.wire.say({ do: "remove", numbers }); scene.chosen.clear(); }),
  ];
}

/** @param {string} label @param {string} key @param {string} value @param {(text: string) => void} enter @param {string} [about] */
function field(label, key, value, enter, about = "") {
  const input = /** @type {HTMLInputElement} */ (make("input", ""));
  input.value = value;
  input.spellcheck = false;
  input.maxLength = 200;
  input.dataset.field = key;
  input.addEventListener("focus", () => input.select());
  input.addEventListener("change", () => { if (input.value !== value) enter(input.value); });
  input.addEventListener("keydown", event => { if (event.key === "Escape") { input.value = value; input.blur(); } });
  return explained(label, input, about);
}

/** @param {string} text @param {HTMLElement} control @param {string} [about] */
function explained(text, control, about = "") {
  const label = labelled(text, control);
  label.title = about;
  control.setAttribute("aria-label", text);
  return label;
}
