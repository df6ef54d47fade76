// @ts-check
// Files: what the project is called and where it lies, saves to go back to, and what goes out of it.

import { make } from "./control.js";
import { headed, labelled } from "./widgets.js";

/**
 * @typedef {{job: number, what: string, name: string, state: string, step: string, share: number, files: string[], notes: string[], problem: string}} Job
 * @typedef {{number: number, at: number, kept: boolean, what?: string, note?: string, problem?: string}} Save
 * @typedef {{name: string, bytes: number, at: number}} Written
 * @typedef {{saved: number|null, problem: string|null, folder: string|null, view: string}} Saving
 */

/** What each is, and what its endings say. @type {Record<string, {title: string, text: string}>} */
const KINDS = {
  mix: { title: "Mix", text: "The whole clip through the renderer, at full quality: what djgraph render makes of this automation." },
  automation: { title: "Automation", text: "What all controls do, for djgraph render --automation." },
  daw: { title: "DAW project", text: "DAWproject for Bitwig, Studio One, Cubase and others: stems on tracks, controls as lanes." },
  picture: { title: "Picture of the lanes", text: "What moves over time." },
  set: { title: "Set file", text: "Tracks, tempo and automation for djgraph set." },
};
const STATES = /** @type {Record<string, string>} */ ({ done: "written", failed: "not written", cancelled: "ended" });

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeFiles(store, wire) {
  const root = make("div", "files");
  root.append(projectBox(store, wire));
  if (store.extra.saving.folder) root.append(exportBox(store, wire), writtenBox(store, wire), savesBox(store, wire)); // there is nowhere to write otherwise
  return root;
}

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire */
function projectBox(store, wire) {
  const box = headed("Project", "box");
  const name = /** @type {HTMLInputElement} */ (make("input", "name"));
  name.maxLength = 200;
  name.addEventListener("change", () => { if (name.value.trim()) wire.say({ do: "rename", name: name.value.trim() }); });
  name.addEventListener("keydown", event => { if (event.key === "Enter") name.blur(); });
  const state = make("p", "state"), folder = make("p", "folder");
  state.setAttribute("role", "status");
  const show = () => {
    if (document.activeElement !== name) name.value = store.project.name;
    const saving = /** @type {Saving} */ (store.extra.saving);
    state.hidden = !saving.folder;
    folder.textContent = saving.folder ? `kept in ${saving.folder}` : "not kept in a folder";
    state.classList.toggle("wrong", saving.problem !== null);
    state.textContent = saving.problem !== null ? `not saved: ${saving.problem}` : saving.saved === null ? "all is saved" : `saved ${clock(saving.saved)}`;
  };
  store.on("project", show);
  store.on("saved", show);
  show();
  box.append(labelled("Name", name, "field"), state, folder);
  return box;
}

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire */
function exportBox(store, wire) {
  const box = headed("Out", "box");
  const name = /** @type {HTMLInputElement} */ (make("input", "name"));
  name.maxLength = 100;
  name.placeholder = store.project.name;
  const normalize = /** @type {HTMLInputElement} */ (make("input", "check"));
  normalize.type = "checkbox";
  /** @type {string[]} */
  const outputs = store.console.outputs;
  const which = /** @type {HTMLSelectElement} */ (make("select", "which"));
  for (const name of outputs) which.append(new Option(name, name));
  which.append(new Option("all, a file each", ""));
  const kinds = make("div", "kinds");
  for (const [what, kind] of Object.entries(KINDS)) {
    const forms = store.extra.exports.forms[what];
    if (!forms) continue;
    const row = make("div", "kind"), title = make("h3", ""), text = make("p", "");
    title.textContent = kind.title;
    text.textContent = kind.text;
    row.append(title, text);
    const buttons = make("div", "buttons");
    for (const form of forms) {
      const button = make("button", "export");
      button.textContent = form.toUpperCase();
      button.setAttribute("aria-label", `Write ${kind.title} as ${form.toUpperCase()}`);
      button.addEventListener("click", () => wire.say({ do: "export", what, form, name: name.value.trim(),
        ...what === "mix" ? { normalize: normalize.checked, outputs: which.value ? [which.value] : outputs } : {} }));
      buttons.append(button);
    }
    if (what === "mix") {
      const label = make("label", "normalize");
      label.append(normalize, "scale to −1 dBFS");
      if (outputs.length > 1) buttons.append(labelled("Output", which, "which"));
      buttons.append(label);
    }
    row.append(buttons);
    kinds.append(row);
  }
  box.append(labelled("File name", name, "field"), kinds);
  return box;
}

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire */
function writtenBox(store, wire) {
  const box = headed("Written", "box"), jobs = make("ul", "jobs"), files = make("ul", "written"), none = make("p", "");
  jobs.setAttribute("aria-label", "Exports under way");
  files.setAttribute("aria-label", "Files that were written");
  none.textContent = "Nothing yet.";
  const show = () => {
    none.hidden = store.extra.exports.jobs.length + store.extra.exports.files.length > 0;
    jobs.replaceChildren(...store.extra.exports.jobs.filter((/** @type {Job} */ job) => job.state !== "done" || job.notes.length).slice(-6).reverse().map((/** @type {Job} */ job) => jobRow(job, wire)));
    files.replaceChildren(...store.extra.exports.files.slice(0, 100).map(fileRow));
  };
  store.on("export", show);
  show();
  box.append(none, jobs, files);
  return box;
}

/** @param {Job} job @param {import("./wire.js").Wire} wire */
function jobRow(job, wire) {
  const row = make("li", `job ${job.state}`), name = make("span", "what"), said = make("span", "said");
  name.textContent = job.name;
  if (job.state === "running") {
    const bar = /** @type {HTMLProgressElement} */ (make("progress", ""));
    bar.max = 1;
    if (job.share > 0) bar.value = job.share;
    bar.setAttribute("aria-label", `${job.name}: ${job.step}`);
    said.textContent = job.share > 0 ? `${job.step} ${Math.round(100 * job.share)} %` : job.step;
    const end = make("button", "end");
    end.textContent = "Cancel";
    end.setAttribute("aria-label", `Cancel ${job.name}`);
    end.addEventListener("click", () => wire.say({ do: "cancel_export", job: job.job }));
    row.append(name, bar, said, end);
  } else {
    said.textContent = [STATES[job.state], job.problem, ...job.notes].filter(Boolean).join(" · ");
    row.append(name, said);
  }
  return row;
}

/** @param {Written} file */
function fileRow(file) {
  const row = make("li", ""), link = /** @type {HTMLAnchorElement} */ (make("a", "")), said = make("span", "said");
  link.href = `exports/${encodeURIComponent(file.name)}`;
  link.download = file.name;
  link.textContent = file.name;
  said.textContent = `${size(file.bytes)}, ${clock(file.at)}`;
  row.append(link, said);
  return row;
}

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire */
function savesBox(store, wire) {
  const box = headed("Saves", "box");
  const note = /** @type {HTMLInputElement} */ (make("input", "name"));
  note.maxLength = 200;
  note.placeholder = "what this is";
  const form = make("form", "keep"), keep = make("button", ""), list = make("ul", "saves"), refresh = make("button", "");
  keep.textContent = "Keep this state";
  refresh.textContent = "Show saves";
  /** @type {HTMLButtonElement} */ (refresh).type = "button";
  form.addEventListener("submit", event => {
    event.preventDefault();
    if (!note.value.trim()) { note.focus(); return; }
    wire.say({ do: "keep_save", note: note.value.trim() });
    note.value = "";
  });
  refresh.addEventListener("click", () => wire.say({ do: "list_saves" }));
  store.on("saves", event => list.replaceChildren(...event.saves.map((/** @type {Save} */ save) => saveRow(save, wire))));
  store.on("view", id => { if (id === "files") wire.say({ do: "list_saves" }); });
  wire.say({ do: "list_saves" });
  form.append(labelled("Note", note, "field"), keep, refresh);
  box.append(form, list);
  return box;
}

/** @param {Save} save @param {import("./wire.js").Wire} wire */
function saveRow(save, wire) {
  const row = make("li", save.kept ? "kept" : ""), at = make("span", "at"), said = make("span", "said");
  at.textContent = clock(save.at);
  said.textContent = save.problem ?? (save.note || save.what || "opened");
  said.classList.toggle("wrong", save.problem !== undefined);
  row.append(at, said);
  if (save.problem === undefined) {
    const back = make("button", "");
    back.textContent = "Restore";
    back.setAttribute("aria-label", `Restore save ${save.number}, ${at.textContent}`);
    back.addEventListener("click", () => wire.say({ do: "restore", number: save.number }));
    row.append(back);
  }
  return row;
}

/** @param {number} at Seconds since 1970. */
function clock(at) {
  const date = new Date(1000 * at), today = new Date().toDateString() === date.toDateString();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? time : `${date.toLocaleDateString()} ${time}`;
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
