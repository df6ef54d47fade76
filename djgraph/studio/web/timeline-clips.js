// @ts-check
// Recipes: a list to take them from, and those on the timeline, moved and stretched by pointer and by keys.

import { make } from "./control.js";
import { follow } from "./timeline-follow.js";
import { CLIPS, HEAD } from "./timeline-scene.js";

/** @typedef {import("./timeline-scene.js").Scene} Scene @typedef {import("./timeline-scene.js").Clip} Clip */

const KIND = "application/x-djgraph-recipe", LENGTH = 16; // beats of a new one
let gestures = 0;

/** A new recipe, as long as there is room. @param {Scene} scene @param {string} name @param {number} beat */
export function place(scene, name, beat) {
  const { space } = scene, start = Math.min(space.snapped(beat), Math.max(0, space.end - 1));
  scene.wire.say({ do: "place", recipe: name, start, length: Math.min(LENGTH, space.end - start) });
}

/** A recipe that is there, with other arguments. @param {Scene} scene @param {Clip} clip @param {string} [gesture] */
export function change(scene, clip, gesture = "") {
  scene.place(clip, gesture);
}

/** The list beside the timeline. @param {Scene} scene @param {() => number} playhead @param {(text: string) => void} say */
export function makeList(scene, playhead, say) {
  const aside = make("aside", "tl-recipes"), title = make("h2", ""), list = make("ul", "");
  aside.setAttribute("aria-label", "Recipes");
  title.textContent = "Recipes";
  const help = make("p", "");
  help.textContent = "Drag one onto the timeline, or press Enter to put it at the playhead.";
  for (const recipe of scene.recipes) {
    const item = make("li", ""), button = /** @type {HTMLButtonElement} */ (make("button", "tl-recipe"));
    const name = make("b", ""), text = make("span", "");
    name.textContent = recipe.title;
    text.textContent = recipe.problem ? firstLine(recipe.problem) : recipe.description.replaceAll("`", "");
    button.append(name, text);
    button.dataset.recipe = recipe.name;
    button.title = recipe.problem ?? recipe.description;
    button.draggable = !recipe.problem;
    button.disabled = recipe.problem !== null;
    button.addEventListener("click", () => { place(scene, recipe.name, playhead()); say(`${recipe.title} at ${scene.space.written(scene.space.snapped(playhead()))}`); });
    button.addEventListener("dragstart", event => {
      event.dataTransfer?.setData(KIND, recipe.name);
      event.dataTransfer?.setData("text/plain", recipe.title);
      if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
    });
    item.append(button);
    list.append(item);
  }
  aside.append(title, help, list);
  return aside;
}

/** @param {string} text */
function firstLine(text) {
  return text.split("\n")[0].replace(/^\S*:\d+:\d+: /, "");
}

/** Where recipes may be dropped. @param {Scene} scene @param {HTMLElement} content @param {HTMLElement} mark  shows where it would lie */
export function takeDrops(scene, content, mark) {
  /** @param {DragEvent} event */
  const beat = event => scene.space.snapped(scene.space.beat(event.clientX - content.getBoundingClientRect().left - HEAD), event.altKey);
  content.addEventListener("dragover", event => {
    if (!event.dataTransfer?.types.includes(KIND)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    const start = beat(event), x = scene.space.xOf(start), to = scene.space.xOf(Math.min(scene.space.end, start + LENGTH));
    mark.hidden = false;
    mark.style.transform = `translateX(${HEAD + x}px)`;
    mark.style.width = `${Math.max(4, to - x)}px`;
  });
  content.addEventListener("dragleave", event => { if (event.target === content) mark.hidden = true; });
  content.addEventListener("drop", event => {
    mark.hidden = true;
    const name = event.dataTransfer?.getData(KIND);
    if (!name) return;
    event.preventDefault();
    place(scene, name, beat(event));
  });
}

/** What was copied last, from a beat on. @param {Scene} scene @param {number} beat @param {(text: string) => void} say */
export function pasteClips(scene, beat, say) {
  const { space } = scene, all = scene.kept.copied, first = Math.min(...all.map(one => one.start));
  const at = space.snapped(beat), fits = all.map(one => ({ ...one, start: at + one.start - first })).filter(one => one.start + one.length <= space.end + 1e-6);
  scene.placeNew(fits, `paste ${counted(fits.length)}`);
  say(fits.length ? `${counted(fits.length)} pasted at ${space.written(at)}` : "There is no room for it there");
}

/** @param {number} number */
const counted = number => number === 1 ? "a recipe" : `${number} recipes`;

/** Recipes on the timeline, kept in step with the project. chose: others are chosen now.
 * @param {Scene} scene @param {HTMLElement} row @param {HTMLElement} content @param {() => number} playhead @param {(text: string) => void} say
 * @param {() => void} chose @returns {() => void} */
export function makeClips(scene, row, content, playhead, say, chose) {
  /** @type {Map<number, HTMLElement>} */
  const made = new Map();
  const { space } = scene;
  let pressed = false; // the pointer says what is chosen, not the focus

  /** @param {HTMLElement} element @param {Clip} clip @param {number} [level] */
  const put = (element, clip, level) => {
    const x = space.xOf(clip.start), to = space.xOf(clip.start + clip.length);
    element.style.left = `${HEAD + x}px`;
    element.style.width = `${Math.max(10, to - x)}px`;
    if (level !== undefined) element.style.top = `${3 + CLIPS * level}px`;
    const title = scene.recipes.find(one => one.name === clip.recipe)?.title ?? clip.recipe;
    element.title = `${title}\n${space.written(clip.start)} for ${round(clip.length)} beats`;
    element.setAttribute("aria-label", `${title}, at ${space.written(clip.start)}, ${round(clip.length)} beats`);
    /** @type {HTMLElement} */ (element.querySelector("span")).textContent = title;
  };
  /** @param {Clip} clip @param {number} start @param {number} length @returns {Clip} */
  const fitted = (clip, start, length) => {
    const short = Math.min(space.step || 0.25, clip.length), long = Math.max(short, Math.min(length, space.end));
    return { ...clip, start: Math.max(0, Math.min(start, space.end - long)), length: long };
  };
  /** @param {number} id */
  const of = id => scene.clips.find(clip => clip.id === id);

  const moving = () => scene.chosen.size === 1 ? "move a recipe" : `move ${scene.chosen.size} recipes`;
  /** Those that are chosen, later by so many beats, as far as there is room. @param {number} beats */
  const shifted = beats => {
    const all = scene.picked, first = Math.min(...all.map(one => one.start)), last = Math.max(...all.map(one => one.start + one.length));
    const by = Math.max(-first, Math.min(beats, Math.max(0, space.end - last)));
    return all.map(one => ({ ...one, start: one.start + by }));
  };
  const tell = () => { if (scene.chosen.size > 1) say(`${scene.chosen.size} recipes chosen`); chose(); };
  const copy = () => { scene.kept.copied = scene.picked; say(`${counted(scene.chosen.size)} copied`); };
  const remove = () => {
    if (!scene.chosen.size) return;
    scene.wire.say({ do: "remove", numbers: [...scene.chosen] });
    say(`${counted(scene.chosen.size)} removed`);
    content.focus({ preventScroll: true });
  };
  /** The one before or behind, too. @param {number} id @param {number} way */
  const reach = (id, way) => {
    const order = [...scene.clips].sort((a, b) => a.start - b.start), next = order[order.findIndex(one => one.id === id) + way];
    if (!next) return;
    scene.chosen = new Set([...scene.chosen, next.id]);
    made.get(next.id)?.focus();
    tell();
  };
  /** @param {KeyboardEvent} event @param {number} id  of those that are chosen, the one that has the focus */
  const keyed = (event, id) => {
    const clip = of(id), step = space.step || 0.25, command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (!clip || command && event.shiftKey) return;
    const by = { arrowleft: -step, arrowright: step }[key], to = { arrowup: -1, arrowdown: 1 }[key];
    if (command && key === "a") { scene.chosen = new Set(scene.clips.map(one => one.id)); tell(); }
    else if (command && key === "c") copy();
    else if (command && key === "x") { copy(); remove(); }
    else if (command && key === "v") pasteClips(scene, playhead(), say);
    else if (command && key === "d") { copy(); pasteClips(scene, Math.max(...scene.picked.map(one => one.start + one.length)), say); }
    else if (command || event.altKey) return;
    else if (by && event.shiftKey) change(scene, fitted(clip, clip.start, Math.max(step, clip.length + by)), "keys");
    else if (by) scene.placeAll(shifted(by), moving(), "keys");
    else if (to && event.shiftKey) reach(id, to);
    else if (key === "escape") { scene.chosen = new Set([id]); tell(); }
    else if (key === "delete" || key === "backspace") remove();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // Where a band has chosen them, the lanes have the focus.
  content.addEventListener("keydown", event => {
    if (event.target !== content) return;
    const [first] = scene.picked;
    if (first && event.key === "Escape") { scene.chosen = new Set(); tell(); }
    else if (first) keyed(event, first.id);
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v" && scene.kept.copied.length) {
      event.preventDefault();
      event.stopImmediatePropagation();
      pasteClips(scene, playhead(), say);
    }
  }, { capture: true });
  /** @param {HTMLElement} element @param {Clip} clip @param {string} edge @param {PointerEvent} event */
  const drag = (element, clip, edge, event) => {
    const gesture = `clip ${Date.now()} ${gestures++}`;
    let now = [clip], moved = false;
    scene.dragging = true;
    follow(element, event, move => {
      const dx = move.clientX - event.clientX;
      if (Math.abs(dx) < 3 && !moved) return;
      moved = true;
      const end = clip.start + clip.length;
      /** @param {number} beat */
      const to = beat => space.snapped(space.beat(space.xOf(beat) + dx), move.altKey);
      if (edge === "left") { const start = Math.min(to(clip.start), end - (space.step || 0.25)); now = [fitted(clip, start, end - Math.max(0, start))]; }
      else if (edge === "right") now = [fitted(clip, clip.start, Math.min(Math.max(to(end) - clip.start, space.step || 0.25), space.end - clip.start))];
      else now = shifted(to(clip.start) - clip.start);
      for (const one of now) { const its = made.get(one.id); if (its) put(its, one); }
      const shown = now.find(one => one.id === clip.id) ?? clip;
      say(`${space.written(shown.start)} for ${round(shown.length)} beats`);
    }, cancelled => {
      scene.dragging = false;
      if (moved && !cancelled) scene.placeAll(now, moving(), gesture);
      else if (!moved) { scene.chosen = new Set([clip.id]); tell(); }
      else scene.redraw();
    });
  };
  /** @param {number} id */
  const build = id => {
    const element = make("button", "tl-clip");
    element.dataset.clip = String(id);
    element.dataset.plays = ""; // the space bar, which has nothing to press here
    element.append(make("i", "left"), make("span", ""), make("i", "right"));
    element.addEventListener("pointerdown", event => {
      const clip = of(id), more = event.ctrlKey || event.metaKey || event.shiftKey;
      if (event.button !== 0 || !clip) return;
      event.preventDefault();
      event.stopPropagation();
      const edge = /** @type {HTMLElement} */ (event.target).className, among = scene.chosen.has(id);
      if (more) scene.chosen = new Set(among ? [...scene.chosen].filter(one => one !== id) : [...scene.chosen, id]);
      else if (!among) scene.chosen = new Set([id]);
      scene.selection = new Map();
      pressed = true;
      element.focus({ preventScroll: true });
      pressed = false;
      tell();
      if (!more) drag(element, clip, edge, event);
    });
    element.addEventListener("focus", () => {
      if (pressed || scene.chosen.has(id)) return;
      scene.chosen = new Set([id]);
      scene.selection = new Map();
      chose();
    });
    element.addEventListener("keydown", event => keyed(event, id));
    return element;
  };

  return () => {
    for (const [id, element] of made) if (!of(id)) { element.remove(); made.delete(id); scene.chosen.delete(id); }
    scene.clips.forEach((clip, i) => {
      let element = made.get(clip.id);
      if (!element) {
        element = build(clip.id);
        made.set(clip.id, element);
        row.append(element);
      }
      element.classList.toggle("chosen", scene.chosen.has(clip.id));
      if (!scene.dragging) put(element, clip, scene.level(i));
    });
  };
}

/** @param {number} number */
const round = number => String(Math.round(number * 100) / 100);
