// @ts-check
// Undo, recording and the two versions, in the bar at the top: they concern every view.

import { make } from "./control.js";

/** @typedef {import("./store.js").Store} Store @typedef {import("./wire.js").Wire} Wire */

const MODES = [["touch", "Touch", "Records while a hand is on a control"], ["latch", "Latch", "Records a control from the first touch until it stops"],
  ["write", "Write", "Overwrites all lanes from the first moment on"]];
const RESTED = 600; // ms after which the wheel or a key counts as let go

/** @param {Store} store @param {Wire} wire @returns {HTMLElement[]} */
export function makeRecord(store, wire) {
  return [makeUndo(store, wire), makeModes(store, wire), makeVersions(store, wire)];
}

/** @param {string} label */
function group(label) {
  const element = make("div", "seg");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", label);
  return element;
}

/** @param {Store} store @param {Wire} wire */
function makeUndo(store, wire) {
  const element = group("History");
  const undo = /** @type {HTMLButtonElement} */ (make("button", "undo")), redo = /** @type {HTMLButtonElement} */ (make("button", "redo"));
  undo.textContent = "Undo";
  redo.textContent = "Redo";
  undo.addEventListener("click", () => wire.say({ do: "undo" }));
  redo.addEventListener("click", () => wire.say({ do: "redo" }));
  const show = () => {
    undo.title = store.undo === null ? "" : `Undo: ${store.undo} (Ctrl+Z)`;
    redo.title = store.redo === null ? "" : `Redo: ${store.redo} (Ctrl+Shift+Z)`;
    undo.disabled = store.undo === null;
    redo.disabled = store.redo === null;
  };
  store.on("project", show);
  show();
  element.append(undo, redo);
  whileThere(element, "keydown", event => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y") || isText(event.target)) return;
    event.preventDefault();
    wire.say({ do: key === "y" || event.shiftKey ? "redo" : "undo" });
  });
  return element;
}

/** @param {Store} store @param {Wire} wire */
function makeModes(store, wire) {
  const element = group("Record");
  element.classList.add("record");
  const label = make("span", "rec");
  label.textContent = "Record";
  element.append(label);
  for (const [mode, title, about] of MODES) {
    const button = make("button", "");
    button.textContent = title;
    button.title = about;
    button.dataset.mode = mode;
    button.addEventListener("click", () => wire.say({ do: "record", mode: store.extra.recording === mode ? null : mode }));
    element.append(button);
  }
  const show = () => {
    for (const button of element.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.mode === store.extra.recording));
  };
  store.on("recording", show);
  show();
  // While it records in touch mode, a control goes back to its lane as soon as it is let go.
  const touching = () => store.extra.recording === "touch" && store.transport.playing;
  /** @type {Set<string>} */
  const touched = new Set();
  /** @type {Map<string, number>} */
  const resting = new Map();
  /** @param {string} name */
  const release = name => {
    touched.delete(name);
    if (touching() && store.held.has(name)) wire.say({ do: "release", control: name });
  };
  whileThere(element, "pointerdown", event => {
    const name = controlOf(event.target);
    if (name) touched.add(name);
  });
  for (const kind of /** @type {("pointerup"|"pointercancel")[]} */ (["pointerup", "pointercancel"])) {
    whileThere(element, kind, () => { for (const name of [...touched]) release(name); });
  }
  for (const kind of /** @type {("wheel"|"keydown"|"change")[]} */ (["wheel", "keydown", "change"])) {
    whileThere(element, kind, event => {
      const name = controlOf(event.target);
      if (!name || !touching()) return;
      clearTimeout(resting.get(name));
      resting.set(name, window.setTimeout(() => { if (!touched.has(name)) release(name); }, RESTED));
    });
  }
  return element;
}

/** @param {Store} store @param {Wire} wire */
function makeVersions(store, wire) {
  const element = group("Versions");
  const copy = make("button", "");
  for (const letter of ["A", "B"]) {
    const button = make("button", "");
    button.textContent = letter;
    button.dataset.letter = letter;
    button.title = `Version ${letter}`;
    button.addEventListener("click", () => wire.say({ do: "switch", letter }));
    element.append(button);
  }
  copy.addEventListener("click", () => wire.say({ do: "copy" }));
  element.append(copy);
  const show = () => {
    const now = store.project.letter, other = now === "A" ? "B" : "A";
    for (const button of element.querySelectorAll("button")) if (button.dataset.letter) button.setAttribute("aria-pressed", String(button.dataset.letter === now));
    copy.textContent = `${now} → ${other}`;
    copy.title = `Store ${now} as ${other}, too`;
    copy.setAttribute("aria-label", copy.title);
  };
  store.on("project", show);
  show();
  return element;
}

/** @param {EventTarget|null} target */
function controlOf(target) {
  return target instanceof Element ? /** @type {HTMLElement|null} */ (target.closest("[data-control]"))?.dataset.control ?? null : null;
}

/** @param {EventTarget|null} target */
export function isText(target) {
  return target instanceof HTMLInputElement ? !["range", "checkbox", "button"].includes(target.type)
    : target instanceof HTMLTextAreaElement || (target instanceof HTMLElement && target.isContentEditable);
}

/** Listens to the document as long as an element is part of it.
 * @template {keyof DocumentEventMap} K @param {HTMLElement} element @param {K} kind @param {(event: DocumentEventMap[K]) => void} heard */
export function whileThere(element, kind, heard) {
  const ends = new AbortController();
  let seen = false;
  document.addEventListener(kind, event => {
    seen ||= element.isConnected;
    if (element.isConnected) heard(event);
    else if (seen) ends.abort();
  }, { signal: ends.signal, passive: kind === "wheel" });
}
