// @ts-check
// A plain editor: a textarea over the same text in colours, line numbers, marks of what is wrong, find, Tab.

import { OUTSIDE, tokens } from "./editor-yaml.js";
import { makeFind } from "./editor-find.js";
import { make } from "./control.js";

/**
 * @typedef {{level: "error"|"warning", message: string, line: number|null, column: number|null, file: string|null, at: string,
 *   allowed: string[], more: number, guess: string|null, hint: string|null}} Problem
 * @typedef {{element: HTMLElement, value: () => string, put: (text: string) => void, mark: (problems: Problem[]) => void,
 *   go: (line: number, column?: number, flash?: boolean) => void, line: () => number, focus: () => void, find: () => void,
 *   mend: (line: number, column: number, word: string) => void,
 *   changed: (hear: () => void) => void, saved: (hear: () => void) => void, moved: (hear: () => void) => void}} Editor
 */

const STEP = "  "; // what Tab puts in
const MARGIN = 40; // lines that are drawn beyond those that are seen

/** @returns {Editor} */
export function makeEditor() {
  const element = make("div", "editor"), scroll = make("div", "scroll"), numbers = make("div", "numbers"), page = make("div", "sheet");
  const area = /** @type {HTMLTextAreaElement} */ (make("textarea", "area")), colours = make("div", "colours");
  Object.assign(area, { spellcheck: false, wrap: "off", autocomplete: "off" });
  area.setAttribute("autocapitalize", "off");
  area.setAttribute("aria-label", "Graph as YAML");
  area.setAttribute("aria-describedby", "text-problems");
  colours.setAttribute("aria-hidden", "true");
  numbers.setAttribute("aria-hidden", "true");
  page.append(colours, area);
  scroll.append(numbers, page);
  /** @type {string[]} */ let lines = [""];
  /** The state that each line begins in. @type {import("./editor-yaml.js").State[]} */ let states = [];
  /** @type {Map<number, Problem[]>} */ let wrong = new Map();
  /** @type {(() => void)[]} */ const onChange = [];
  /** @type {(() => void)[]} */ const onSave = [];
  /** @type {(() => void)[]} */ const onMove = [];
  let flashed = 0, height = 19, asked = false;

  const ask = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };

  function measure() {
    height = parseFloat(getComputedStyle(area).lineHeight) || height;
  }

  /** The text has changed: what is kept of it is made anew. */
  function take() {
    lines = area.value.split("\n");
    states = [];
    const widest = lines.reduce((most, line) => Math.max(most, line.length), 20);
    page.style.width = `max(100%, ${Math.min(widest, 5000) + 4}ch)`;
    page.style.height = `calc(${lines.length} * var(--row) + 40vh)`;
    ask();
  }

  /** The lines that are seen, in colours, and their numbers. */
  function draw() {
    measure();
    const first = Math.max(0, Math.floor(scroll.scrollTop / height) - MARGIN);
    const last = Math.min(lines.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / height) + MARGIN);
    let state = states.length ? states[Math.min(first, states.length - 1)] : OUTSIDE;
    for (let i = Math.max(0, Math.min(first, states.length - 1)); i < first; i++) {
      states[i] = state;
      state = tokens(lines[i], state).state;
    }
    const rows = document.createDocumentFragment(), counts = document.createDocumentFragment();
    const here = line();
    for (let i = first; i < last; i++) {
      states[i] = state;
      const row = make("div", "row"), made = tokens(lines[i], state), found = wrong.get(i + 1);
      state = made.state;
      row.style.top = `calc(${i} * var(--row))`;
      for (const piece of made.pieces) {
        if (!piece.kind) { row.append(piece.text); continue; }
        const span = make("span", `y-${piece.kind}`);
        span.textContent = piece.text;
        row.append(span);
      }
      if (i + 1 === here) row.classList.add("here");
      if (i + 1 === flashed) row.classList.add("flash");
      if (found) underline(row, found, i);
      rows.append(row);
      counts.append(number(i, found));
    }
    colours.replaceChildren(rows);
    numbers.replaceChildren(counts);
    const digits = String(lines.length).length;
    numbers.style.width = `${digits + 4}ch`;
    numbers.style.height = page.style.height;
  }

  /** @param {number} i @param {Problem[]|undefined} found */
  function number(i, found) {
    const one = make("div", "number");
    one.textContent = String(i + 1);
    one.style.top = `calc(${i} * var(--row))`;
    if (found) {
      one.classList.add(found.some(p => p.level === "error") ? "error" : "warning");
      one.title = found.map(p => p.message).join("\n");
      one.addEventListener("click", () => go(i + 1, found[0].column ?? 1));
    }
    return one;
  }

  /** A wave below the word that is wrong. @param {HTMLElement} row @param {Problem[]} found @param {number} i */
  function underline(row, found, i) {
    row.classList.add(found.some(p => p.level === "error") ? "error" : "warning");
    for (const one of found) {
      const from = (one.column ?? 1) - 1, word = /^(?:"[^"]*"|'[^']*'|[^\s,\[\]{}:]+)/.exec(lines[i].slice(from));
      const wave = make("span", `wave ${one.level}`);
      wave.style.left = `${from}ch`;
      wave.style.width = `${Math.max(1, Math.min(word ? word[0].length : 1, 200))}ch`;
      row.append(wave);
    }
  }

  const line = () => area.value.slice(0, area.selectionStart).split("\n").length;

  /** @param {number} number @param {number} [column] @param {boolean} [flash] */
  function go(number, column = 1, flash = false) {
    const at = Math.min(Math.max(1, number), lines.length);
    let place = 0;
    for (let i = 0; i < at - 1; i++) place += lines[i].length + 1;
    place += Math.min(column - 1, lines[at - 1].length);
    area.focus({ preventScroll: true });
    area.setSelectionRange(place, place);
    show(at, column);
    if (flash) {
      flashed = at;
      setTimeout(() => { flashed = 0; ask(); }, 1600);
    }
    ask();
  }

  /** @param {number} number @param {number} column */
  function show(number, column) {
    measure();
    const top = (number - 1) * height, wide = scroll.clientWidth / 9;
    if (top < scroll.scrollTop + 2 * height || top > scroll.scrollTop + scroll.clientHeight - 4 * height) scroll.scrollTop = top - scroll.clientHeight / 3;
    scroll.scrollLeft = column > wide ? (column - wide / 2) * 8 : 0;
  }

  /** Put a text in place of what is chosen, so that undo knows of it. @param {string} text */
  function insert(text) {
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
  }

  /** The lines that are chosen, set in or out, or made comments. @param {(line: string) => string} change */
  function eachLine(change) {
    const { value, selectionStart: from, selectionEnd: to } = area;
    const begin = value.lastIndexOf("\n", from - 1) + 1;
    let end = value.indexOf("\n", to > from && value[to - 1] === "\n" ? to - 1 : to);
    if (end < 0) end = value.length;
    const before = value.slice(begin, end), after = before.split("\n").map(change).join("\n");
    if (before === after) return;
    area.setSelectionRange(begin, end);
    insert(after);
    area.setSelectionRange(begin, begin + after.length);
  }

  let leaving = false; // Escape, and the next Tab leaves the editor
  area.addEventListener("keydown", event => {
    const control = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") { leaving = true; return; }
    if (event.key === "Tab" && !control && !event.altKey) {
      if (leaving) { leaving = false; return; }
      event.preventDefault();
      if (event.shiftKey) eachLine(text => text.replace(/^ {1,2}/, ""));
      else if (area.selectionStart !== area.selectionEnd && area.value.slice(area.selectionStart, area.selectionEnd).includes("\n")) eachLine(text => text ? STEP + text : text);
      else insert(STEP);
    } else if (event.key === "Enter" && !control) {
      event.preventDefault();
      const before = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
      const inset = /^ */.exec(before)?.[0] ?? "", item = /^ *- /.test(before) && !/^ *- *$/.test(before) ? STEP : "";
      insert(`\n${inset}${/[:|>]\s*$/.test(before) ? STEP : ""}${item}`);
    } else if (control && event.key === "s") {
      event.preventDefault();
      for (const hear of onSave) hear();
    } else if (control && event.key === "/") {
      event.preventDefault();
      const chosen = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionEnd);
      const all = chosen.split("\n").filter(text => text.trim()).every(text => /^\s*#/.test(text));
      eachLine(text => all ? text.replace(/^(\s*)# ?/, "$1") : text.trim() ? text.replace(/^(\s*)/, "$1# ") : text);
    } else if (control && event.key === "f") {
      event.preventDefault();
      find.open(area.value.slice(area.selectionStart, area.selectionEnd));
    } else if (control && event.key === "g") {
      event.preventDefault();
      find.next(event.shiftKey ? -1 : 1);
    }
    leaving = false;
  });
  area.addEventListener("input", () => { take(); for (const hear of onChange) hear(); });
  const move = () => { ask(); for (const hear of onMove) hear(); };
  for (const kind of ["keyup", "pointerup", "focus"]) area.addEventListener(kind, move);
  area.addEventListener("keyup", event => { if (/^(Arrow|Page|Home|End|Enter)/.test(event.key)) { const at = line(); show(at, 1); } });
  scroll.addEventListener("scroll", ask);
  new ResizeObserver(ask).observe(scroll);

  const find = makeFind(area, (from, to) => {
    area.focus({ preventScroll: true });
    area.setSelectionRange(from, to);
    const before = area.value.slice(0, from);
    show(before.split("\n").length, from - before.lastIndexOf("\n"));
    ask();
  }, insert);
  element.append(find.element, scroll);
  take();
  return {
    element, go, line,
    value: () => area.value,
    put: text => {
      if (text === area.value) return;
      const { selectionStart, selectionEnd } = area, focused = document.activeElement === area;
      area.value = text;
      if (focused) area.setSelectionRange(Math.min(selectionStart, text.length), Math.min(selectionEnd, text.length));
      wrong = new Map();
      take();
    },
    mark: problems => {
      wrong = new Map();
      for (const one of problems) if (one.line) wrong.set(one.line, [...(wrong.get(one.line) ?? []), one]);
      ask();
    },
    focus: () => area.focus(),
    find: () => find.open(area.value.slice(area.selectionStart, area.selectionEnd)),
    mend: (number, column, word) => {
      go(number, column);
      const at = area.selectionStart, found = /^(?:"[^"\n]*"|'[^'\n]*'|[^\s,\[\]{}:]+)/.exec(area.value.slice(at));
      if (!found) return;
      area.setSelectionRange(at, at + found[0].length);
      insert(word);
    },
    changed: hear => { onChange.push(hear); },
    saved: hear => { onSave.push(hear); },
    moved: hear => { onMove.push(hear); },
  };
}
