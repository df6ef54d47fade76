// @ts-check
// Where the page begins: the wire, the store, the bar at the top, and the views.

import { make } from "./control.js";
import { keptFocus } from "./focus.js";
import { Ghosts, makeGhostBar } from "./ghosts.js";
import { makeRecord } from "./record.js";
import { Sound } from "./sound.js";
import { Store } from "./store.js";
import { makeTheme } from "./theme.js";
import { makeTransport } from "./transport.js";
import { showViews } from "./views.js";
import { Wire } from "./wire.js";

const ENDED = 4; // tries in a row, some seconds
const GONE = "The studio does not answer. If it was ended, all that was done is saved: start it again and go on in the page that it opens; until then this one tries on …";

const store = new Store();
store.ghosts = new Ghosts(store);
/** @type {Sound|null} */
let sound = null;
const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const wire = new Wire(event => store.take(event), (open, tries) => say(open ? "" : tries < ENDED ? "the studio is not there; trying again …" : GONE, !open));

/** @param {string} text @param {boolean} [wrong] */
function say(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

store.on("say", ({ message, wrong }) => say(message, wrong));
store.on("playing", ({ playing }) => { if (playing && said.classList.contains("wrong")) say(""); });
store.on("refused", event => say(event.message, true));
store.on("anew", () => {
  const refocus = keptFocus();
  document.title = `${store.console.title} — djgraph studio`;
  sound ??= new Sound(store.console.sample_rate, say);
  bar();
  sound.blocks(store.sound.block);
  const nav = /** @type {HTMLElement} */ (document.getElementById("views")), main = /** @type {HTMLElement} */ (document.getElementById("view"));
  showViews(nav, main, store, wire, sound);
  refocus();
});

/** What ends the listening of the bar that was made last. @type {() => void} */
let forget = () => {};

function bar() {
  forget();
  const scoped = store.scoped();
  forget = scoped.forget;
  const root = /** @type {HTMLElement} */ (document.getElementById("bar"));
  const title = make("h1", "");
  title.textContent = title.title = store.console.title;
  const { left, right } = makeTransport(scoped.store, wire, () => sound);
  if (scoped.store.ghosts) document.getElementById("ghosts")?.replaceChildren(makeGhostBar(scoped.store, wire, scoped.store.ghosts));
  root.replaceChildren(title, ...left, ...makeRecord(scoped.store, wire), make("span", "gap"), ...right, makeTheme());
}
