// @ts-check
// The timeline: waveforms, lanes and recipes over time.

import { make } from "./control.js";

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeTimeline(store, wire) {
  const root = make("div", "timeline");
  const tools = make("div", "tools");
  tools.setAttribute("role", "toolbar");
  tools.setAttribute("aria-label", "Editing");
  const undo = /** @type {HTMLButtonElement} */ (make("button", "undo")), redo = /** @type {HTMLButtonElement} */ (make("button", "redo"));
  undo.addEventListener("click", () => wire.say({ do: "undo" }));
  redo.addEventListener("click", () => wire.say({ do: "redo" }));
  const show = () => {
    undo.textContent = "Undo";
    redo.textContent = "Redo";
    undo.title = store.undo ?? "";
    redo.title = store.redo ?? "";
    undo.disabled = store.undo === null;
    redo.disabled = store.redo === null;
  };
  store.on("project", show);
  show();
  tools.append(undo, redo);
  root.append(tools);
  return root;
}
