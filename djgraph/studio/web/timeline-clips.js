// @ts-check
// Recipes: a list to take them from, and those on the timeline, moved and stretched by pointer and by keys.

import { make } from "./control.js";
import { follow } from "./timeline-hand.js";
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

/** Recipes on the timeline, kept in step with the project.
 * @param {Scene} scene @param {HTMLElement} row @param {(text: string) => void} say @param {() => void} chose @returns {() => void} */
export function makeClips(scene, row, say, chose) {
  /** @type {Map<number, HTMLElement>} */
  const made = new Map();
  const { space } = scene;

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

  /** @param {number} id */
  const build = id => {
    const element = make("button", "tl-clip");
    element.dataset.clip = String(id);
    element.append(make("i", "left"), make("span", ""), make("i", "right"));
    element.addEventListener("pointerdown", event => {
      const clip = of(id);
      if (event.button !== 0 || !clip) return;
      event.preventDefault();
      event.stopPropagation();
      element.focus({ preventScroll: true });
      const edge = /** @type {HTMLElement} */ (event.target).className, gesture = `clip ${Date.now()} ${gestures++}`;
      let now = clip;
      scene.dragging = true;
      follow(element, event, move => {
        const dx = move.clientX - event.clientX;
        if (Math.abs(dx) < 3 && now === clip) return;
        const end = clip.start + clip.length;
        /** @param {number} beat */
        const moved = beat => space.snapped(space.beat(space.xOf(beat) + dx), move.altKey);
        if (edge === "left") { const start = Math.min(moved(clip.start), end - (space.step || 0.25)); now = fitted(clip, start, end - Math.max(0, start)); }
        else if (edge === "right") now = fitted(clip, clip.start, Math.min(Math.max(moved(end) - clip.start, space.step || 0.25), space.end - clip.start));
        else now = fitted(clip, moved(clip.start), clip.length);
        put(element, now);
        say(`${space.written(now.start)} for ${round(now.length)} beats`);
      }, cancelled => {
        scene.dragging = false;
        if (cancelled) put(element, clip);
        else if (now !== clip) change(scene, now, gesture);
      });
    });
    element.addEventListener("focus", () => { scene.chosen = new Set([id]); scene.selection = new Map(); chose(); });
    element.addEventListener("keydown", event => {
      const clip = of(id), step = space.step || 0.25;
      if (!clip) return;
      const by = { ArrowLeft: -step, ArrowRight: step }[event.key];
      if (by && event.shiftKey) change(scene, fitted(clip, clip.start, Math.max(step, clip.length + by)), "keys");
      else if (by) change(scene, fitted(clip, clip.start + by, clip.length), "keys");
      else if (event.key === "Delete" || event.key === "Backspace") scene.wire.say({ do: "remove", numbers: [id] });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
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
