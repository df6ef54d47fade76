// @ts-check
// The names at the left of the rows.

import { make } from "./control.js";
import { written } from "./scale.js";
import { HEAD } from "./timeline-scene.js";

/** @param {import("./timeline-scene.js").Scene} scene @param {HTMLElement} heads @param {HTMLElement} content @returns {() => void} */
export function makeHeads(scene, heads, content) {
  /** @type {import("./timeline-scene.js").Row[]} */
  let shown = [];
  /** @type {Map<string, HTMLElement>} */
  let made = new Map();
  heads.style.width = `${HEAD}px`;

  /** @param {import("./timeline-scene.js").Row} row */
  const build = row => {
    const element = make("div", `tl-head ${row.kind}`), title = make("b", ""), group = make("span", ""), value = make("output", "");
    element.dataset.row = row.key;
    element.style.setProperty("--own", `var(--hue-${row.hue % 6})`);
    title.textContent = row.title;
    group.textContent = row.group;
    element.title = row.kind === "lane" ? `${row.key}\n${row.control?.description ?? ""}` : row.title;
    element.append(group, title);
    if (row.kind === "lane") {
      element.append(value);
      element.addEventListener("pointerdown", event => {
        event.preventDefault();
        scene.focus = row.key;
        scene.chosen.clear();
        content.focus({ preventScroll: true });
        scene.redraw();
      });
    }
    return element;
  };

  return () => {
    if (shown !== scene.rows) {
      const before = made;
      made = new Map();
      for (const row of scene.rows) {
        const element = before.get(row.key) ?? build(row);
        element.style.top = `${row.y}px`;
        element.style.height = `${row.height}px`;
        made.set(row.key, element);
        if (element.parentElement !== heads) heads.append(element);
      }
      for (const [key, element] of before) if (!made.has(key)) element.remove();
      shown = scene.rows;
    }
    for (const row of scene.rows) {
      const element = /** @type {HTMLElement} */ (made.get(row.key));
      if (row.kind !== "lane" || !row.control) continue;
      const c = row.control, own = scene.lane(c.name).length;
      element.classList.toggle("focused", row.key === scene.focus);
      element.classList.toggle("moved", own > 0);
      element.classList.toggle("held", scene.store.held.has(c.name));
      const text = own || scene.ghosts.has(c.name) ? `${own ? `${own} pt` : "recipe"} · ${written(c, scene.store.values.get(c.name) ?? c.default)}` : written(c, scene.store.values.get(c.name) ?? c.default);
      const output = /** @type {HTMLOutputElement} */ (element.lastElementChild);
      if (output.textContent !== text) output.textContent = text;
    }
  };
}
