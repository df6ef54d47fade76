// @ts-check
// From one view to a place in another: a strip, an effect or a control on the console, a box in the drawing, a line of the text.

/** @typedef {import("./store.js").Store} Store */

/** Show a strip of the console, or of it the controls that a node or a name has: scrolled to, focused, flashed.
 * @param {Store} store @param {string[]} names @param {string} [of] */
export function showOnConsole(store, names, of = "") {
  store.tell("go", "console");
  const root = document.getElementById("panel-console");
  if (!root) return false;
  const wanted = of ? controlsOf(store, of) : new Set();
  const strip = /** @type {HTMLElement|undefined} */ ([...root.querySelectorAll("[data-strip]")].find(one => names.includes(/** @type {HTMLElement} */ (one).dataset.strip ?? "")));
  const control = /** @type {HTMLElement|undefined} */ ([.../** @type {NodeListOf<HTMLElement>} */ ((strip ?? root).querySelectorAll("[data-control]"))]
    .find(one => wanted.has(one.dataset.control ?? "") || names.includes(one.dataset.control ?? "")));
  const found = control?.closest(".block") ?? control ?? strip;
  if (!(found instanceof HTMLElement)) return false;
  for (let hidden = found.closest("[hidden]"); hidden && root.contains(hidden) && hidden !== root; hidden = found.closest("[hidden]")) /** @type {HTMLElement} */ (hidden).hidden = false;
  const folded = found.closest(".folded");
  if (folded) /** @type {HTMLElement|null} */ (folded.querySelector("button.fold"))?.click();
  found.scrollIntoView({ block: "nearest", inline: "center", behavior: calm() ? "auto" : "smooth" });
  const focus = (control ?? found).querySelector("[tabindex='0'], button, select, input");
  if (focus instanceof HTMLElement || focus instanceof SVGElement) focus.focus({ preventScroll: true });
  flash(found);
  return true;
}

/** Show a strip's or a node's box in the drawing. @param {Store} store @param {string} name @param {string} [node] */
export function showInGraph(store, name, node = "") {
  store.tell("go", "graph");
  store.tell("reveal-box", { name, node });
}

/** Show a line of the graph's text. @param {Store} store @param {number} line */
export function showInText(store, line) {
  store.tell("go", "graph");
  store.tell("reveal-line", { line });
}

/** The controls of a node, or the one of that name. @param {Store} store @param {string} of @returns {Set<string>} */
function controlsOf(store, of) {
  /** @type {Set<string>} */
  const found = new Set();
  if (store.controls.has(of)) found.add(of);
  for (const section of store.console.sections) {
    for (const block of section.blocks) for (const c of block.controls) if (block.node === of || c.name.startsWith(`${of}.`)) found.add(c.name);
    if (of.startsWith(`${section.name}.send:`)) {
      const bus = of.slice(section.name.length + 6);
      for (const block of section.blocks) for (const c of block.controls) if (c.kind === "send" && c.name.includes(bus)) found.add(c.name);
    }
  }
  return found;
}

/** @param {HTMLElement} element */
export function flash(element) {
  element.classList.remove("flash");
  void element.offsetWidth;
  element.classList.add("flash");
  setTimeout(() => element.classList.remove("flash"), 1600);
}

function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
