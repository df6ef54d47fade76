// @ts-check
// The timeline's own toolbar: which lanes, snapping, zoom, the list of recipes.

import { make } from "./control.js";
import { SNAPS } from "./timeline-space.js";
import { button } from "./widgets.js";

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
  const target = compare(scene);
  const recipes = toggle("Recipes", true, () => does.list());
  root.append(show, filter, snap, follow, waves, ...target, gap(),
    button("−", "Zoom out (−)", () => does.zoom(0.8)), button("+", "Zoom in (+)", () => does.zoom(1.25)), button("Fit", "The whole clip (0)", does.fit), recipes);
  return root;
}

/** Hearing a target in place of the mix, and taking over what a fit found in it. @param {import("./timeline-scene.js").Scene} scene */
function compare(scene) {
  if (!scene.target) return [];
  const { store, wire } = scene, group = make("div", "seg");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Heard");
  for (const [what, title] of [["mix", "Mix"], ["target", "Target"]]) {
    const one = make("button", "");
    one.textContent = title;
    one.title = what === "mix" ? "Hear one's own mix" : `Hear ${scene.target.name} at the same place`;
    one.dataset.what = what;
    one.addEventListener("click", () => wire.say({ do: "hear", what }));
    group.append(one);
  }
  /** @param {string} what */
  const show = what => { for (const one of group.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one.dataset.what === what)); };
  store.on("heard", event => show(event.what));
  show(store.extra.target.heard);
  if (!scene.target.fitted.size) return [group];
  const adopt = button("Take over the fit", "What the fit found becomes lanes", () => wire.say({ do: "adopt" }));
  return [group, adopt];
}

function gap() {
  return make("span", "gap");
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
  select.setAttribute("aria-label", label);
  element.append(text, select);
  return element;
}
