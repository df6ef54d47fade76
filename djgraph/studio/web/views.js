// @ts-check
// The views of the page as tabs: made when first looked at, and made anew where what they are made of has changed.

import { makeConsole } from "./console.js";
import { make } from "./control.js";
import { makeFit } from "./fit.js";
import { makeGraph } from "./graph.js";
import { makeFiles } from "./files.js";
import { makeTimeline } from "./timeline.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {{id: string, title: string, make: (store: Store, wire: Wire, sound: Sound) => HTMLElement}} View
 */

/** In the order of the tabs. @type {View[]} */
export const VIEWS = [
  { id: "console", title: "Console", make: makeConsole },
  { id: "timeline", title: "Timeline", make: makeTimeline },
  { id: "fit", title: "Fit & model", make: makeFit },
  { id: "graph", title: "Graph and text", make: makeGraph },
  { id: "files", title: "Files", make: makeFiles },
];

/** What ends the listening of the views that were made last. @type {() => void} */
let forget = () => {};

/**
 * Tabs in `nav`, their panels in `main`; the one that the address names is shown first.
 * @param {HTMLElement} nav @param {HTMLElement} main @param {Store} store @param {Wire} wire @param {Sound} sound
 */
export function showViews(nav, main, store, wire, sound) {
  forget();
  const scoped = store.scoped();
  forget = scoped.forget;
  /** @type {Map<string, HTMLElement>} */
  const tabs = new Map();
  /** @type {Map<string, HTMLElement>} */
  const panels = new Map();

  /** @param {string} id @param {boolean} [focus] */
  const show = (id, focus = false) => {
    const view = VIEWS.find(one => one.id === id) ?? VIEWS[0];
    for (const [name, tab] of tabs) {
      tab.setAttribute("aria-selected", String(name === view.id));
      tab.tabIndex = name === view.id ? 0 : -1;
    }
    for (const [name, panel] of panels) panel.hidden = name !== view.id;
    const panel = /** @type {HTMLElement} */ (panels.get(view.id));
    if (!panel.firstChild) panel.append(view.make(scoped.store, wire, sound));
    history.replaceState(null, "", `#${view.id}`);
    if (focus) tabs.get(view.id)?.focus();
    if (store.extra.saving) wire.say({ do: "look", view: view.id });
    store.tell("view", view.id);
  };

  VIEWS.forEach(({ id, title }, index) => {
    const tab = make("button", "tab"), panel = make("section", "panel");
    Object.assign(tab, { id: `tab-${id}`, textContent: title });
    Object.assign(panel, { id: `panel-${id}`, hidden: true, tabIndex: -1 });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => show(id));
    tab.addEventListener("keydown", event => {
      const last = VIEWS.length - 1;
      const to = { ArrowRight: index === last ? 0 : index + 1, ArrowLeft: index === 0 ? last : index - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(VIEWS[to].id, true);
    });
    tabs.set(id, tab);
    panels.set(id, panel);
  });
  scoped.store.on("go", id => show(id));
  nav.replaceChildren(...tabs.values());
  main.replaceChildren(...panels.values());
  show(location.hash.slice(1) || store.extra.saving?.view || "");
}
