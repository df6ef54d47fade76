// @ts-check
// The drawing of the graph: fetched, cleaned, put into the page; boxes and rows that can be reached by pointer and keys.

import { make } from "./control.js";
import { makeSpace } from "./graph-space.js";
import { button } from "./widgets.js";

/** What a drawing may consist of: everything else is left out, whatever the server sent. */
const TAGS = new Set(["svg", "g", "path", "rect", "circle", "text", "title"]);
const ATTRIBUTES = new Set(["viewBox", "width", "height", "x", "y", "rx", "r", "cx", "cy", "d", "fill", "stroke", "stroke-width",
  "stroke-dasharray", "font-family", "font-size", "font-weight", "text-anchor", "transform", "class", "data-id", "data-kind",
  "data-members", "data-count", "data-of", "data-row", "data-from", "data-to"]);
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {{kind: string, id: string, members: string[], of: string, row: string}} Target
 * @typedef {{element: HTMLElement, load: () => Promise<void>, reveal: (name: string, node?: string) => boolean}} GraphPicture
 */

/** @param {(target: Target) => void} chosen @param {(text: string, wrong?: boolean) => void} say @returns {GraphPicture} */
export function makePicture(chosen, say) {
  const element = make("div", "picture"), view = make("div", "space"), bar = make("div", "tools");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Drawing");
  view.tabIndex = 0;
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", "The graph: Tab goes to its boxes, + and − zoom, arrows move, 0 shows all, Enter leads to the console");
  const space = makeSpace(view);
  /** @type {SVGElement|null} */ let svg = null;
  let loads = 0;
  const unfold = make("button", "unfold");
  unfold.textContent = "Every strip";
  unfold.title = "draw equal strips one by one";
  unfold.setAttribute("aria-pressed", "false");
  unfold.addEventListener("click", () => {
    unfold.setAttribute("aria-pressed", String(unfold.getAttribute("aria-pressed") !== "true"));
    load();
  });
  bar.append(button("−", "zoom out", () => space.zoom(1 / 1.3), "small"), button("+", "zoom in", () => space.zoom(1.3), "small"),
    button("All", "show all", space.fit, "small"), button("1:1", "as large as it is", space.whole, "small"), unfold);
  element.append(bar, view);

  async function load() {
    view.classList.toggle("waiting", !svg);
    const number = ++loads, theme = document.documentElement.dataset.theme === "light" ? "light" : "dark";
    const answer = await fetch(`drawing/${theme}${unfold.getAttribute("aria-pressed") === "true" ? "?unfold" : ""}`);
    if (number !== loads) return;
    view.classList.remove("waiting");
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      say(told.refused ?? "the graph cannot be drawn", true);
      return;
    }
    const drawn = await answer.json();
    if (number !== loads || drawn.tag !== "svg") return;
    const fresh = /** @type {SVGElement} */ (built(drawn));
    fresh.setAttribute("role", "presentation");
    svg = fresh;
    connect(fresh);
    space.show(fresh);
  }

  /** @param {SVGElement} drawn */
  function connect(drawn) {
    for (const box of /** @type {NodeListOf<SVGElement>} */ (drawn.querySelectorAll("g.box"))) {
      const target = { kind: box.dataset.kind ?? "", id: box.dataset.id ?? "", members: (box.dataset.members ?? "").split(" "), of: "", row: "" };
      reachable(box, target, `${target.kind} ${target.members.join(", ")}`);
      const near = (/** @type {boolean} */ on) => light(drawn, target.id, on);
      box.addEventListener("pointerenter", () => near(true));
      box.addEventListener("pointerleave", () => near(false));
      for (const row of /** @type {NodeListOf<SVGElement>} */ (box.querySelectorAll("g.row"))) {
        const words = [...row.querySelectorAll("text")].map(text => text.textContent).join(", ");
        reachable(row, { ...target, of: row.dataset.of ?? "", row: row.dataset.row ?? "" }, words);
      }
    }
  }

  /** @param {SVGElement} one @param {Target} target @param {string} label */
  function reachable(one, target, label) {
    if (target.kind === "output") return;
    one.setAttribute("tabindex", "0");
    one.setAttribute("role", "button");
    one.setAttribute("aria-label", `${label}: show on the console`);
    one.addEventListener("click", event => {
      event.stopPropagation();
      if (!space.dragged()) chosen(target);
    });
    one.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      chosen(target);
    });
    one.addEventListener("focus", () => { if (one.matches(":focus-visible")) space.into(one); });
  }

  return {
    element, load,
    reveal: (name, node = "") => {
      if (!svg) return false;
      const boxes = [.../** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll("g.box"))];
      const box = boxes.find(one => one.dataset.id === name || one.dataset.id === `in:${name}` && one.dataset.kind === "input")
        ?? boxes.find(one => one.dataset.kind !== "output" && (one.dataset.members ?? "").split(" ").includes(name))
        ?? boxes.find(one => node && [.../** @type {NodeListOf<SVGElement>} */ (one.querySelectorAll("g.row"))].some(row => row.dataset.of === node));
      if (!box) return false;
      const row = node ? [.../** @type {NodeListOf<SVGElement>} */ (box.querySelectorAll("g.row"))].find(one => one.dataset.of === node) : null;
      const found = row ?? box;
      space.into(found, true);
      found.focus({ preventScroll: true });
      found.classList.add("flash");
      setTimeout(() => found.classList.remove("flash"), 1600);
      return true;
    },
  };
}

/** @typedef {{tag: string, attributes: Record<string, string>, text: string, children: Drawn[]}} Drawn */

/** Of what is allowed; no markup is read. @param {Drawn} from @returns {Element} */
function built(from) {
  const to = document.createElementNS(SVG, from.tag);
  for (const [name, value] of Object.entries(from.attributes)) if (ATTRIBUTES.has(name)) to.setAttribute(name, value);
  if (from.text) to.append(from.text);
  for (const child of from.children) if (TAGS.has(child.tag)) to.append(built(child));
  return to;
}

/** What a box is connected with. @param {SVGElement} svg @param {string} id @param {boolean} on */
function light(svg, id, on) {
  svg.classList.toggle("asked", on);
  for (const one of svg.querySelectorAll(".near")) one.classList.remove("near");
  if (!on) return;
  const near = new Set([id]);
  for (const edge of /** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll("g.edge"))) {
    if (edge.dataset.from !== id && edge.dataset.to !== id) continue;
    edge.classList.add("near");
    near.add(edge.dataset.from ?? "").add(edge.dataset.to ?? "");
  }
  for (const box of /** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll("g.box"))) if (near.has(box.dataset.id ?? "")) box.classList.add("near");
}
