// @ts-check
// Fit and model: a fit of the graph to a mix, with its progress; a trained model, asked to propose; what they propose.

import { make } from "./control.js";
import { drawLosses } from "./loss.js";
import { written } from "./scale.js";
import { TempoMap } from "./timeline-tempo.js";
import { button, headed, labelled } from "./widgets.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./ghosts.js").Report} Report
 * @typedef {{state: "idle"|"preparing"|"running"|"stopping"|"done"|"stopped"|"failed", target?: string, stage?: string, step?: number,
 *   steps?: number, loss?: number, seconds_left?: number|null, losses?: [string, number][], message?: string, report?: Report}} Fit
 * @typedef {{state: "none"|"refused"|"ready"|"working", file?: string, sees?: string, recipes?: string[], remapped?: boolean, stage?: string,
 *   notes?: string[], message?: string, offer?: "remap"|"other_sound"|null}} Model
 */

/** @type {Record<string, string>} */
const STAGES = { "": "reading the tracks", listening: "listening", guess: "first guess", curves: "drawing curves", mixer: "refining through the mixer", writing: "measuring how sure it is" };
const OFFERS = { remap: ["Carry over by name", "What was learned for controls of the same name is kept; others begin at their default"],
  other_sound: ["Take it all the same", "The controls are the same, the sound is not what the model was trained with"] };

/** @param {Store} store @param {Wire} wire @returns {HTMLElement} */
export function makeFit(store, wire) {
  const root = make("div", "fit");
  root.append(fitCard(store, wire), modelCard(store, wire), proposalCard(store, wire));
  return root;
}

/** @param {string} title @param {string} text */
function card(title, text) {
  const root = headed(title, "card"), about = make("p", "about");
  about.textContent = text;
  root.append(about);
  return root;
}

/** @param {Store} store @param {Wire} wire */
function fitCard(store, wire) {
  const root = card("Fit to a mix", "Finds what the controls have to do for these tracks to sound like a recording of their mix.");
  const { given, files, why_not } = /** @type {{given: string|null, files: string[], why_not: string|null}} */ (store.extra.fit_targets ?? { given: null, files: [], why_not: null });
  const target = select(), steps = /** @type {HTMLInputElement} */ (make("input", "")), loop = check(), level = check();
  if (given) target.append(new Option(`${given} (--target)`, ""));
  for (const file of files) target.append(new Option(file, file));
  Object.assign(steps, { type: "number", min: "0", max: "200", value: "20" });
  const begin = button("Start", "", () => wire.say({
    do: "fit", target: target.value, steps: Math.min(200, Math.max(0, Math.round(Number(steps.value) || 0))),
    region: loop.checked ? store.project.loop : null, level: level.checked ? 0 : null,
  }), "go");
  const stop = button("Stop", "", () => wire.say({ do: "fit_stop" }), "stop");
  const where = make("p", "where"), bar = /** @type {HTMLProgressElement} */ (make("progress", "")), canvas = /** @type {HTMLCanvasElement} */ (make("canvas", "losses")), report = make("div", "report");
  where.setAttribute("role", "status");
  bar.setAttribute("aria-label", "Progress of the fit");
  canvas.setAttribute("role", "img");
  const only = labelled("Only the loop", loop);
  const options = make("div", "options"), actions = make("div", "actions");
  options.append(labelled("Mix", target), labelled("Steps", steps), only, labelled("At the mixer's own level", level));
  actions.append(begin, stop);
  options.hidden = !target.options.length || why_not !== null;
  root.append(options, actions, where, bar, canvas, report);

  const show = () => {
    const fit = /** @type {Fit} */ (store.extra.fit ?? { state: "idle" });
    const busy = ["preparing", "running", "stopping"].includes(fit.state);
    begin.disabled = busy;
    actions.hidden = options.hidden && !busy;
    stop.hidden = !busy;
    stop.textContent = fit.state === "stopping" ? "End now" : "Stop";
    stop.title = fit.state === "stopping" ? "Without what was found" : "What was found so far is proposed";
    only.hidden = !store.project.loop;
    if (only.hidden) loop.checked = false;
    where.textContent = said(fit) || why_not || (target.options.length ? "" : "There is no mix: open the studio with --target MIX, or with --folder DIR where mixes lie.");
    where.classList.toggle("wrong", fit.state === "failed");
    bar.hidden = !busy;
    if (fit.step && fit.steps) { bar.max = fit.steps; bar.value = fit.step; } else bar.removeAttribute("value");
    const losses = fit.losses ?? [];
    canvas.hidden = losses.length < 2;
    if (!canvas.hidden) requestAnimationFrame(() => drawLosses(canvas, losses));
    canvas.setAttribute("aria-label", losses.length ? `Loss after ${losses.length} steps: ${losses[losses.length - 1][1].toPrecision(2)}` : "");
    report.replaceChildren(...(fit.state === "done" && fit.report ? reported(fit.report) : []));
  };
  store.on("fit", show);
  store.on("project", show);
  store.on("view", () => requestAnimationFrame(show));
  show();
  return root;
}

/** @param {Fit} fit */
function said(fit) {
  switch (fit.state) {
    case "idle": return "";
    case "failed": return fit.message ?? "";
    case "stopped": return `Stopped: ${fit.message}`;
    case "done": return fit.report?.interrupted ? `Stopped; the best so far of ${fit.target} is proposed.` : `Done: ${fit.target} is fitted, and proposed.`;
    default: {
      const stage = STAGES[fit.stage ?? ""] ?? fit.stage, left = fit.seconds_left;
      const step = fit.step ? `, step ${fit.step} of ${fit.steps}` : "", loss = fit.loss === undefined ? "" : `, loss ${fit.loss.toPrecision(2)}`;
      return `${fit.state === "stopping" ? "Stopping: " : ""}${fit.target}: ${stage}${step}${loss}${left === null || left === undefined ? "" : `, about ${lasting(left)} left`}`;
    }
  }
}

/** @param {number} seconds */
function lasting(seconds) {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

/** @param {Report} report @returns {HTMLElement[]} */
function reported(report) {
  const facts = make("dl", "facts"), out = [facts];
  const all = Object.entries(report.controls), moving = all.filter(([, one]) => one.moves && one.audible > 0);
  const silent = all.filter(([, one]) => one.audible === 0), unsure = moving.filter(([, one]) => one.cannot_be_told > 0.25);
  /** @param {string} name @param {string} value */
  const fact = (name, value) => {
    const term = make("dt", ""), text = make("dd", "");
    term.textContent = name;
    text.textContent = value;
    facts.append(term, text);
  };
  fact("Match", `${report.si_sdr_db.toFixed(1)} dB SI-SDR`);
  fact("The mix lies", `${signed(report.delay_ms, 2)} ms, ${signed(report.level_db, 1)} dB`);
  fact("Moved", `${moving.length} of ${all.length} controls`);
  if (silent.length) fact("Unheard", `${silent.length} have no audible effect in this mix`);
  if (unsure.length) fact("Cannot be told", `for a part of the time: ${unsure.map(([name]) => name).join(", ")}`);
  fact("Took", `${lasting(report.fit_seconds)}, ${report.mixer_steps} steps through the mixer`);
  for (const [kind, several] of /** @type {[string, string[]][]} */ ([["warning", report.warnings], ["note", report.notes]])) {
    for (const text of several) {
      const line = make("p", kind);
      line.textContent = text;
      out.push(line);
    }
  }
  return out;
}

/** @param {number} value @param {number} digits */
function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

/** @param {Store} store @param {Wire} wire */
function modelCard(store, wire) {
  const root = card("Ask a model", "A checkpoint of examples/train_transition.py hears both tracks, and proposes how to go from one to the other.");
  const file = select(), said = make("p", "where");
  const recipe = select(), length = /** @type {HTMLInputElement} */ (make("input", ""));
  for (const name of /** @type {string[]} */ (store.extra.model_files ?? [])) file.append(new Option(name, name));
  Object.assign(length, { type: "number", min: "0", max: "2500", step: "1", value: "4" });
  said.setAttribute("role", "status");
  /** @param {object} [more] */
  const loadIt = (more = {}) => wire.say({ do: "load_model", file: file.value, ...more });
  const load = button("Load", "", () => loadIt(), "go");
  file.addEventListener("change", () => loadIt());
  const options = make("div", "options"), told = make("div", "options"), actions = make("div", "actions");
  options.append(labelled("Checkpoint", file), load);
  const chosen = labelled("Transition", recipe), lasts = labelled("Bars", length);
  told.append(chosen, lasts);
  const ask = button("Propose", "", () => {
    const tempo = new TempoMap(store.project.tempo), bar = store.project.beats_per_bar;
    // A transition begins with a bar.
    const start = Math.max(0, Math.round(tempo.beat(store.transport.seconds) / bar) * bar);
    wire.say({ do: "ask_model", recipe: recipe.value || null, start, length: Math.max(0, Number(length.value) || 0) * bar });
  }, "go");
  const stop = button("Stop", "", () => wire.say({ do: "stop_model" }), "stop");
  const offer = button("", "", () => {
    const model = /** @type {Model} */ (store.extra.model);
    if (model.offer) loadIt({ [model.offer]: true });
  }, "offer");
  actions.append(ask, stop);
  options.hidden = !file.options.length;
  root.append(options, said, offer, told, actions);
  let known = "";
  const show = () => {
    const model = /** @type {Model} */ (store.extra.model ?? { state: "none" }), ready = model.state === "ready" || model.state === "working";
    load.disabled = model.state === "working";
    said.textContent = model.message || (model.state === "working" ? (model.stage === "proposing" ? "It proposes …" : "It listens …")
      : ready ? [`${model.file} ${model.sees === "mix" ? "listens to the target mix" : "plays a transition from the bar at the playhead on"}${model.remapped ? "; carried over by name" : ""}.`, ...model.notes ?? []].join(" ") : file.options.length ? "" : "There is no checkpoint: open the studio with --folder DIR where runs lie.");
    said.classList.toggle("wrong", model.state === "refused" || !!model.message);
    offer.hidden = !model.offer;
    if (model.offer) [offer.textContent, offer.title] = OFFERS[model.offer];
    told.hidden = !ready || model.sees !== "plan";
    const recipes = model.recipes ?? [];
    chosen.hidden = !recipes.length;
    if (recipes.join() !== known) {
      known = recipes.join();
      recipe.replaceChildren(...recipes.map(name => new Option(name.replaceAll("_", " "), name)));
    }
    actions.hidden = !ready;
    ask.disabled = model.state === "working";
    stop.hidden = model.state !== "working";
  };
  store.on("model", show);
  show();
  return root;
}

/** @param {Store} store @param {Wire} wire */
function proposalCard(store, wire) {
  const root = card("What is proposed", "Ghosts on the console and in the timeline show it. Nothing is changed until it is taken; undo takes it back.");
  const table = make("table", "proposed"), none = make("p", "where");
  none.textContent = "Nothing yet.";
  root.classList.add("wide");
  root.append(none, table);
  /** @type {Map<string, HTMLElement>} */
  const cells = new Map();
  const build = () => {
    const proposal = store.ghosts?.proposal ?? null;
    none.hidden = proposal !== null;
    table.hidden = proposal === null;
    cells.clear();
    if (!proposal) { table.replaceChildren(); return; }
    const head = make("tr", "");
    for (const text of ["Control", "At the playhead", "Known", ""]) {
      const cell = make("th", "");
      cell.textContent = text;
      cell.setAttribute("scope", "col");
      head.append(cell);
    }
    table.replaceChildren(head, ...proposal.controls.filter(name => store.controls.has(name)).map(name => {
      const row = make("tr", ""), value = make("td", "value"), known = make("td", "known"), last = make("td", "");
      const title = make("th", ""), take = button("Take", "", () => wire.say({ do: "take", controls: [name] }), "take");
      title.textContent = name;
      title.setAttribute("scope", "row");
      const one = proposal.report.controls?.[name];
      known.textContent = !one ? "" : one.audible === 0 ? `cannot be heard${one.why_not ? `: ${one.why_not}` : ""}`
        : `${one.cannot_be_told > 0.005 ? `cannot be told ${Math.round(100 * one.cannot_be_told)} % of the time` : "throughout"}${one.sounds_like ? `; sounds like ${one.sounds_like}` : ""}`;
      known.classList.toggle("unsure", !!one && (one.audible === 0 || one.cannot_be_told > 0.25));
      take.setAttribute("aria-label", `Take ${name}`);
      last.append(take);
      cells.set(name, value);
      row.append(title, value, known, last);
      return row;
    }));
    for (const name of cells.keys()) move(name);
  };
  /** @param {string} name */
  const move = name => {
    const cell = cells.get(name), c = store.controls.get(name), value = store.ghosts?.values.get(name);
    if (cell && c && value !== undefined) cell.textContent = written(c, value);
  };
  store.on("ghosts", build);
  store.on("ghost", move);
  build();
  return root;
}

function select() { return /** @type {HTMLSelectElement} */ (make("select", "")); }

function check() {
  const element = /** @type {HTMLInputElement} */ (make("input", ""));
  element.type = "checkbox";
  return element;
}
