// @ts-check
// Graph and text side by side. Both are made once and outlive what plays: a new graph changes the drawing, not the editor.

import { make } from "./control.js";
import { makePicture } from "./graph-picture.js";
import { showOnConsole } from "./reveal.js";
import { makeText } from "./text.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {{root: HTMLElement, picture: import("./graph-picture.js").GraphPicture, text: ReturnType<typeof makeText>, use: (store: Store) => void}} Both */
/** @type {Both|null} */
let both = null;

/** @param {Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeGraph(store, wire) {
  const first = both === null;
  both ??= makeBoth(wire);
  const { root, picture, text, use } = both;
  use(store);
  picture.load();
  if (first) text.load();
  else text.hear(store.extra.text);
  store.on("text", event => text.hear(event));
  text.stage(store.extra.reload, true);
  store.on("reload", event => text.stage(event));
  store.on("reveal-box", async ({ name, node }) => {
    if (!picture.reveal(name, node)) { await picture.load(); picture.reveal(name, node); }
  });
  store.on("reveal-line", async ({ line }) => { await text.ready(); text.editor.go(line, 1, true); });
  return root;
}

/** @param {import("./wire.js").Wire} wire @returns {Both} */
function makeBoth(wire) {
  /** @type {Store|null} */ let store = null;
  const root = make("div", "graph-view"), divider = make("div", "divider");
  const say = (/** @type {string} */ message, wrong = false) => store?.tell("say", { message, wrong });
  const picture = makePicture(target => {
    if (!store) return;
    const names = target.kind === "knob" ? [...target.members, "macros"] : target.members;
    if (!showOnConsole(store, names, target.of || (target.kind === "knob" ? target.members[0] : ""))) say(`${target.members[0]} has no controls`);
  }, say);
  const text = makeText(wire, say);
  divider.tabIndex = 0;
  divider.setAttribute("role", "separator");
  divider.setAttribute("aria-orientation", "vertical");
  divider.setAttribute("aria-label", "between drawing and text");
  let share = 0.5;
  const part = (/** @type {number} */ to) => {
    share = Math.min(0.9, Math.max(0.1, to));
    root.style.gridTemplateColumns = `${share}fr 7px ${1 - share}fr`;
    divider.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  };
  part(share);
  divider.addEventListener("pointerdown", event => { divider.setPointerCapture(event.pointerId); event.preventDefault(); });
  divider.addEventListener("pointermove", event => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = root.getBoundingClientRect();
    part((event.clientX - box.left) / box.width);
  });
  divider.addEventListener("keydown", event => {
    const step = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
    if (step) { part(share + step); event.preventDefault(); }
  });
  divider.addEventListener("dblclick", () => part(0.5));
  new MutationObserver(() => { if (root.isConnected) picture.load(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  root.append(picture.element, divider, text.element);
  return { root, picture, text, use: next => { store = next; } };
}
