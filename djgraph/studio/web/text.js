// @ts-check
// The graph's text: checked as one types, saved, taken over by the sound; what is wrong is told at its place.

import { make } from "./control.js";
import { makeEditor } from "./editor.js";

/** @typedef {import("./editor.js").Problem} Problem */
/** @typedef {{digest: string, name: string, own: boolean, there: boolean, played: string, disk: string|null, text?: string}} About */

const QUIET = 350; // milliseconds without a key until a text is checked

/**
 * @param {import("./wire.js").Wire} wire @param {(text: string, wrong?: boolean) => void} say
 */
export function makeText(wire, say) {
  const element = make("div", "text"), bar = make("div", "tools"), name = make("span", "name"), state = make("span", "state");
  const save = /** @type {HTMLButtonElement} */ (make("button", "save")), banner = make("div", "banner"), list = make("ol", "problems"), notes = make("ul", "notes");
  const editor = makeEditor();
  save.textContent = "Save and play";
  save.title = "Ctrl+S: keep the text, and let it take over in the running sound";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Text");
  state.setAttribute("role", "status");
  banner.setAttribute("role", "alert");
  banner.hidden = list.hidden = notes.hidden = true;
  list.id = "text-problems";
  list.setAttribute("aria-label", "What is wrong");
  const find = make("button", "small");
  find.textContent = "Find";
  find.title = "Ctrl+F";
  find.addEventListener("click", () => editor.find());
  bar.append(name, state, make("span", "gap"), find, save);
  element.append(bar, banner, editor.element, list, notes);

  /** @type {About|null} */ let about = null;
  let base = ""; // the text as it was loaded or saved last
  let over = ""; // its digest
  let number = 0, checking = false, again = false;
  /** @type {number|undefined} */ let timer;
  const dirty = () => editor.value() !== base;

  /** @type {Promise<void>} */ let loaded = Promise.resolve();
  const load = () => { loaded = fresh(); return loaded; };
  async function fresh() {
    const answer = await fetch("text");
    about = /** @type {About} */ (await answer.json());
    base = about.text ?? "";
    over = about.digest;
    editor.put(base);
    show();
    check();
  }

  /** Another text has been saved, here or elsewhere. @param {About} told */
  function hear(told) {
    about = told;
    if (told.digest !== over && !dirty()) load();
    show();
  }

  function show() {
    if (!about) return;
    name.textContent = about.own ? about.name : `${about.name} — kept in the project`;
    name.classList.toggle("dirty", dirty());
    name.title = dirty() ? "not saved" : "saved";
    save.disabled = !dirty() && about.played === about.digest && !about.disk;
    const elsewhere = about.digest !== over;
    banner.hidden = !(about.disk || elsewhere && dirty());
    if (!banner.hidden) offer(elsewhere && !about.disk);
  }

  /** @param {boolean} page */
  function offer(page) {
    const words = make("span", "");
    words.textContent = page ? "Another page has saved this text." : `${about?.name} has been changed by another program.`;
    const theirs = make("button", "small"), mine = make("button", "small");
    theirs.textContent = dirty() ? "Load it, and drop what is here" : "Load it";
    mine.textContent = "Save over it (a copy is kept)";
    theirs.addEventListener("click", () => {
      base = editor.value(); // nothing here is held on to
      if (page) load(); else { over = ""; wire.say({ do: "fetch_text" }); }
    });
    mine.addEventListener("click", () => put(about?.disk ?? about?.digest ?? ""));
    banner.replaceChildren(words, theirs, mine);
  }

  /** @param {string} digest */
  function put(digest) {
    const text = editor.value();
    base = text;
    wire.say({ do: "save_text", text, over: digest });
    hash(text).then(found => { over = found; show(); });
  }
  const keep = () => { if (about) put(over); };

  async function check() {
    if (checking) { again = true; return; }
    checking = true;
    const text = editor.value(), mine = ++number;
    state.textContent = "checking …";
    state.className = "state";
    try {
      const answer = await fetch("text/check", { method: "POST", body: text, headers: { "Content-Type": "text/plain" } });
      const found = await answer.json();
      if (mine === number && text === editor.value()) tell(found);
    } catch {
      state.textContent = "not checked: the studio is not there";
    }
    checking = false;
    if (again) { again = false; check(); }
  }

  /** @param {{problems?: Problem[], refused?: string, nodes?: number, controls?: number}} found */
  function tell(found) {
    const problems = found.problems ?? [];
    const errors = problems.filter(one => one.level === "error").length, warnings = problems.length - errors;
    editor.mark(problems);
    list.replaceChildren(...problems.map(entry));
    list.hidden = !problems.length;
    state.className = `state ${found.refused || errors ? "wrong" : "right"}`;
    state.textContent = found.refused ?? (errors ? counted(errors, "error") : `sound: ${counted(found.nodes ?? 0, "node")}, ${counted(found.controls ?? 0, "control")}`) + (warnings ? `, ${counted(warnings, "warning")}` : "");
  }

  /** @param {Problem} one */
  function entry(one) {
    const item = make("li", one.level), go = make("button", "go"), place = make("span", "place"), words = make("span", "words");
    place.textContent = one.line ? `${one.line}:${one.column}` : one.file ?? "";
    words.textContent = one.message;
    go.append(place, words);
    go.setAttribute("aria-label", `${one.level}, line ${one.line ?? "unknown"}: ${one.message}`);
    go.addEventListener("click", () => { if (one.line) editor.go(one.line, one.column ?? 1, true); });
    item.append(go);
    if (one.guess) item.append(detail("did you mean", one.guess));
    else if (one.allowed.length) item.append(detail("allowed", one.allowed.join(", ") + (one.more ? ` and ${one.more} more` : "")));
    if (one.hint) item.append(detail("hint", one.hint));
    if (one.guess && one.line) {
      const mend = make("button", "small mend");
      mend.textContent = `Write ${one.guess}`;
      mend.addEventListener("click", () => editor.mend(one.line ?? 1, one.column ?? 1, one.guess ?? ""));
      item.append(mend);
    }
    return item;
  }

  /** What becomes of a saved text. @param {{stage: string, problems: Problem[], notes: string[]}} event @param {boolean} [before] it is known already */
  function stage(event, before = false) {
    const words = { checking: "checking …", compiling: "compiling …", warming: "warming up beside the sound …", done: "playing", failed: "not played: it is wrong" }[event.stage] ?? event.stage;
    if (!before) say(`${about?.name ?? "the text"}: ${words}`, event.stage === "failed");
    if (event.stage === "failed" && !before && !dirty()) tell({ problems: event.problems });
    notes.replaceChildren(...event.notes.map(note => { const item = make("li", ""); item.textContent = note; return item; }));
    notes.hidden = !event.notes.length;
  }

  editor.changed(() => {
    show();
    clearTimeout(timer);
    timer = setTimeout(check, QUIET);
  });
  editor.saved(keep);
  save.addEventListener("click", keep);
  window.addEventListener("beforeunload", event => { if (about && dirty()) event.preventDefault(); });
  return { element, editor, load, hear, stage, ready: () => loaded };
}

/** @param {number} n @param {string} noun */
function counted(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** @param {string} label @param {string} text */
function detail(label, text) {
  const line = make("div", "detail"), head = make("span", "head");
  head.textContent = label;
  line.append(head, ` ${text}`);
  return line;
}

/** The digest that the server has of a text. @param {string} text */
async function hash(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, "0")).join("").slice(0, 32);
}
