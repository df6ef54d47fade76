// @ts-check
// Where the page begins: the wire, the store, the bar at the top, and the views.

import { make } from "./control.js";
import { makeRecord } from "./record.js";
import { Sound } from "./sound.js";
import { Store } from "./store.js";
import { showViews } from "./views.js";
import { Wire } from "./wire.js";

const store = new Store();
/** @type {Sound|null} */
let sound = null;
const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const wire = new Wire(event => store.take(event), open => say(open ? "" : "the studio is not there; trying again …", !open));

/** @param {string} text @param {boolean} [wrong] */
function say(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

store.on("playing", event => { if (!event.playing) sound?.clear(); });
store.on("refused", event => say(event.message, true));
store.on("snapshot", () => {
  document.title = `${store.console.title} — djgraph studio`;
  bar();
  sound ??= new Sound(store.console.sample_rate, say);
  const nav = /** @type {HTMLElement} */ (document.getElementById("views")), main = /** @type {HTMLElement} */ (document.getElementById("view"));
  showViews(nav, main, store, wire, sound);
});

function bar() {
  const root = /** @type {HTMLElement} */ (document.getElementById("bar"));
  const title = make("h1", ""), play = make("button", "play"), time = make("span", "time"), load = make("span", "load"), loudness = make("span", "loudness");
  title.textContent = store.console.title;
  const toggle = async () => {
    const playing = store.transport.playing;
    if (!playing) await sound?.start();
    wire.say({ do: playing ? "stop" : "play" });
  };
  play.addEventListener("click", toggle);
  const theme = make("button", "theme");
  theme.textContent = "Light / dark";
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  });
  const show = () => {
    play.textContent = store.transport.playing ? "Stop" : "Play";
    play.setAttribute("aria-pressed", String(store.transport.playing));
    const s = store.transport.seconds;
    time.textContent = `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
  };
  store.on("transport", show);
  store.on("meters", event => {
    const [momentary, integrated, peak] = event.loudness.map((/** @type {number|null} */ n) => n === null ? "−∞" : n.toFixed(1).replace("-", "−"));
    loudness.textContent = `${momentary} LUFS  ∫ ${integrated}  ${peak} dBTP`;
    load.textContent = `load ${(100 * event.load[0]).toFixed(0)} %`;
    load.classList.toggle("over", event.load[0] > 1);
  });
  show();
  root.replaceChildren(title, play, time, ...makeRecord(store, wire), make("span", "gap"), loudness, load, theme);
}
