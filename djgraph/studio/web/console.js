// @ts-check
// The console: strips in order, generated from what the server says of the graph.

import { make, makeControl } from "./control.js";

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeConsole(store, wire) {
  const root = make("div", "console");
  /** @type {Map<string, (value: number, held: boolean) => void>} */
  const shown = new Map();
  /** @param {any} c */
  const control = c => {
    const made = makeControl(c, value => wire.say({ do: "hold", control: c.name, value }));
    shown.set(c.name, made.show);
    return made.element;
  };
  for (const section of store.console.sections) root.append(strip(section, control));
  if (store.console.macros.length) {
    root.append(strip({ name: "macros", kind: "macros", meter: false, blocks: [{ title: "Macros", controls: store.console.macros }] }, control));
  }
  const refresh = (/** @type {string} */ name) => shown.get(name)?.(store.values.get(name) ?? 0, store.held.has(name));
  for (const name of shown.keys()) refresh(name);
  store.on("control", refresh);
  store.on("meters", event => {
    for (const meter of root.querySelectorAll("meter.meter")) {
      const peak = Math.max(0, ...(event.peaks[/** @type {HTMLElement} */ (meter).dataset.tap ?? ""] ?? [0]));
      /** @type {HTMLMeterElement} */ (meter).value = Math.max(0, 1 + 20 * Math.log10(peak + 1e-9) / 60);
    }
  });
  return root;
}

/** @param {any} section @param {(c: any) => HTMLElement} control */
function strip(section, control) {
  const element = make("section", `strip ${section.kind}`);
  element.setAttribute("aria-label", section.name);
  element.dataset.strip = section.name;
  const head = make("h2", "");
  head.textContent = section.name;
  head.title = section.name;
  element.append(head);
  const faders = [];
  for (const block of section.blocks) {
    const others = block.controls.filter((/** @type {any} */ c) => c.widget !== "fader");
    faders.push(...block.controls.filter((/** @type {any} */ c) => c.widget === "fader"));
    if (!others.length) continue;
    const box = make("div", "block"), title = make("h3", ""), controls = make("div", "controls");
    title.textContent = block.title;
    controls.append(...others.map(control));
    box.append(title, controls);
    element.append(box);
  }
  const foot = make("div", "foot");
  foot.append(...faders.map(control));
  if (section.meter) {
    const meter = make("meter", "meter");
    meter.dataset.tap = section.name;
    meter.setAttribute("aria-label", `${section.name}, level`);
    foot.append(meter);
  }
  element.append(foot);
  return element;
}
