// @ts-check
// The timeline's own toolbar: which lanes, snapping, zoom, the loop, the list of recipes.

import { make } from "./control.js";
import { SNAPS } from "./timeline-space.js";

/** @param {import("./timeline-scene.js").Scene} scene
 * @param {{fit: () => void, zoom: (factor: number) => void, say: (text: string) => void, list: () => void}} does @returns {HTMLElement} */
export function makeTools(scene, does) {
  const root = make("div", "tl-tools"), { space, kept } = scene;
  root.setAttribute("role", "toolbar");
  root.setAttribute("aria-label", "Timeline");

  const show = choice("Lanes", [["moving", "that move"], ["all", "all"]], kept.show, value => { kept.show = value; scene.arrange(); });
  const filter = /** @type {HTMLInputElement} */ (make("input", "tl-filter"));
  Object.assign(filter, { type: "search", placeholder: "Filter lanes", value: kept.filter });
  filter.setAttribute("aria-label", "Filter lanes");
  filter.addEventListener("input", () => { kept.filter = filter.value; scene.arrange(); });
  const snap = choice("Snap", SNAPS, space.snap, value => { space.snap = kept.snap = value; });
  const waves = toggle("Waveforms", kept.waves, on => { kept.waves = on; scene.arrange(); });
  const follow = toggle("Follow", kept.follow, on => { kept.follow = on; });
  const loop = make("button", "");
  loop.textContent = "Loop";
  /** @type {[number, number]|null} */
  let last = scene.loop;
  loop.addEventListener("click", () => {
    const region = scene.loop ? null : last ?? [0, Math.min(space.end, 4 * space.bar)];
    scene.wire.say({ do: "loop", region: region && region.map(beat => space.tempo.seconds(beat)) });
  });
  const showLoop = () => {
    last = scene.store.project.loop ?? last;
    loop.setAttribute("aria-pressed", String(scene.store.project.loop !== null));
  };
  scene.store.on("project", showLoop);
  showLoop();
  const recipes = toggle("Recipes", true, () => does.list());
  root.append(show, filter, snap, loop, follow, waves, gap(),
    button("−", "Zoom out (−)", () => does.zoom(0.8)), button("+", "Zoom in (+)", () => does.zoom(1.25)), button("Fit", "The whole clip (0)", does.fit), recipes);
  return root;
}

function gap() {
  return make("span", "gap");
}

/** @param {string} text @param {string} title @param {() => void} click */
function button(text, title, click) {
  const element = make("button", "");
  element.textContent = text;
  element.title = title;
  element.setAttribute("aria-label", title);
  element.addEventListener("click", click);
  return element;
}

/** @param {string} text @param {boolean} on @param {(on: boolean) => void} changed */
function toggle(text, on, changed) {
  const element = make("button", "");
  element.textContent = text;
  element.setAttribute("aria-pressed", String(on));
  element.addEventListener("click", () => {
    on = !on;
    element.setAttribute("aria-pressed", String(on));
    changed(on);
  });
  return element;
}

/** @param {string} label @param {string[][]} options @param {string} now @param {(value: string) => void} changed */
function choice(label, options, now, changed) {
  const element = make("label", ""), text = make("span", ""), select = /** @type {HTMLSelectElement} */ (make("select", ""));
  text.textContent = label;
  for (const [value, title] of options) select.append(new Option(title, value, false, value === now));
  select.addEventListener("change", () => changed(select.value));
  element.append(text, select);
  return element;
}
