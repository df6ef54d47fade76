// @ts-check
// The timeline: waveforms, recipes and lanes over time. This module puts its parts together and keeps them in step.

import { make } from "./control.js";
import { isText, whileThere } from "./record.js";
import { makeClips, makeList, takeDrops } from "./timeline-clips.js";
import { draw, drawRuler, paletteOf } from "./timeline-draw.js";
import { makeForm } from "./timeline-form.js";
import { makeHand } from "./timeline-hand.js";
import { makeHeads } from "./timeline-heads.js";
import { makeRuler } from "./timeline-ruler.js";
import { HEAD, RULER, Scene } from "./timeline-scene.js";
import { clock } from "./timeline-space.js";
import { makeTools } from "./timeline-tools.js";

/** @param {import("./store.js").Store} store @param {import("./wire.js").Wire} wire @returns {HTMLElement} */
export function makeTimeline(store, wire) {
  const root = make("div", "timeline"), body = make("div", "tl-body"), scroller = make("div", "tl-scroll"), content = make("div", "tl-content");
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas", "tl-canvas")), ruler = /** @type {HTMLCanvasElement} */ (make("canvas", "tl-ruler"));
  const heads = make("div", "tl-heads"), clips = make("div", "tl-clips"), playhead = make("div", "tl-playhead"), mark = make("div", "tl-mark");
  const said = make("span", "tl-said"), corner = make("div", "tl-corner");
  said.setAttribute("role", "status");
  mark.hidden = true;
  content.tabIndex = 0;
  content.setAttribute("role", "application");
  content.setAttribute("aria-label", "Lanes. Up and down choose a lane, left and right a point, Enter adds one, Alt with arrows moves it, Delete removes it.");
  for (const text of ["bars", "seconds"]) corner.append(Object.assign(make("span", ""), { textContent: text }));

  let asked = false, palette = paletteOf(root), themed = false;
  /** Draws soon, once. */
  const redraw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; show(); });
  };
  const scene = new Scene(store, wire, redraw), { space } = scene;
  /** @param {string} text */
  const say = text => { said.textContent = text; };
  /** When the last news of the position came, to go on from there smoothly. */
  let heard = { seconds: store.transport.seconds, at: performance.now() };
  let seeking = 0; // an order to go somewhere that is not answered: older news does not count
  const seconds = () => Math.min(store.seconds, heard.seconds + (store.transport.playing ? Math.min(0.25, (performance.now() - heard.at) / 1000) : 0));
  const beats = () => space.tempo.beat(seconds());

  makeHand(scene, content, say, beats);
  const form = makeForm(scene), placeClips = makeClips(scene, clips, content, beats, say, redraw), listHeads = makeHeads(scene, heads, content);
  const tools = makeTools(scene, { fit, zoom, say, list: () => { root.classList.toggle("listed"); redraw(); } });
  makeRuler(scene, ruler, say);
  takeDrops(scene, content, mark);
  content.append(heads, clips, mark, playhead);
  scroller.append(content);
  const flags = make("div", "tl-flags"), flag = make("div", "tl-flag");
  flags.append(flag);
  body.append(scroller, canvas, ruler, flags, corner);
  const foot = make("div", "tl-foot");
  foot.append(form.element, said);
  const middle = make("div", "tl-middle");
  middle.append(body, makeList(scene, beats, say));
  root.append(tools, middle, foot);
  root.classList.add("listed");

  /** @param {HTMLCanvasElement} one @param {number} width @param {number} height */
  function sized(one, width, height) {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    if (one.width !== Math.round(width * ratio) || one.height !== Math.round(height * ratio)) {
      one.width = Math.round(width * ratio);
      one.height = Math.round(height * ratio);
      one.style.width = `${width}px`;
      one.style.height = `${height}px`;
    }
    const ctx = /** @type {CanvasRenderingContext2D} */ (one.getContext("2d"));
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    return ctx;
  }

  function show() {
    const width = scroller.clientWidth, height = scroller.clientHeight;
    if (!root.isConnected || width <= HEAD) return;
    const began = performance.now();
    if (!themed) { palette = paletteOf(root); themed = true; }
    space.width = width - HEAD;
    if (!scene.kept.zoom) { space.fit(); scene.kept.zoom = space.zoom; }
    content.style.width = `${HEAD + Math.ceil(space.x(space.seconds)) + 12}px`;
    content.style.height = `${Math.max(scene.height + 24, height)}px`;
    space.left = scroller.scrollLeft;
    draw(sized(canvas, width, height), scene, palette, scroller.scrollTop, width, height);
    drawRuler(sized(ruler, width - HEAD, RULER), scene, palette, width - HEAD);
    const row = scene.rowOf("clips");
    if (row) { clips.style.top = `${row.y}px`; clips.style.height = `${row.height}px`; }
    mark.style.top = `${(row?.y ?? RULER) + 3}px`;
    placeClips();
    listHeads();
    form.show();
    movePlayhead();
    root.dataset.drawn = (performance.now() - began).toFixed(2); // ms, for whoever measures
  }

  function movePlayhead() {
    const x = space.x(seconds());
    playhead.style.transform = `translateX(${HEAD + x}px)`;
    flag.style.transform = `translateX(${x - space.left}px)`;
    playhead.style.height = `${Math.max(scene.height, scroller.clientHeight)}px`;
  }

  function run() {
    if (!root.isConnected) return;
    movePlayhead();
    if (scene.kept.follow && !scene.dragging) {
      const x = space.x(seconds());
      if (x > space.left + space.width * 0.92 || x < space.left) scroller.scrollLeft = Math.max(0, x - space.width * 0.1);
    }
    if (store.transport.playing) requestAnimationFrame(run);
  }

  /** @param {number} factor @param {number} [x]  stays where it is, in pixels of the view */
  function zoom(factor, x = space.width / 2) {
    const second = (space.left + x) / space.zoom;
    space.zoomed(space.zoom * factor);
    scene.kept.zoom = space.zoom;
    content.style.width = `${HEAD + Math.ceil(space.x(space.seconds)) + 12}px`;
    scroller.scrollLeft = second * space.zoom - x;
    redraw();
  }
  function fit() {
    space.fit();
    scene.kept.zoom = space.zoom;
    scroller.scrollLeft = 0;
    redraw();
  }

  scroller.addEventListener("scroll", () => {
    scene.kept.left = scroller.scrollLeft;
    scene.kept.top = scroller.scrollTop;
    redraw();
  }, { passive: true });
  body.addEventListener("wheel", event => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300), event.clientX - scroller.getBoundingClientRect().left - HEAD);
    } else if (event.target === ruler) scroller.scrollBy(event.deltaX || event.deltaY, 0);
  }, { passive: false });
  root.addEventListener("keydown", event => {
    if (isText(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit();
    else if (event.key === "[" || event.key === "]") loopFrom(event.key === "]");
    else if (event.key === "Home") seek(0);
    else if (event.key === "End") seek(space.end);
    else if (event.shiftKey && event.key === "ArrowLeft") seek(space.snapped(beats() - (space.step || 0.25)));
    else if (event.shiftKey && event.key === "ArrowRight") seek(space.snapped(beats() + (space.step || 0.25)));
    else return;
    event.preventDefault();
  });
  /** @param {number} beat */
  function seek(beat) {
    const at = space.tempo.seconds(Math.max(0, Math.min(beat, space.end)));
    seeking = wire.say({ do: "seek", seconds: Math.max(0, at) });
    heard = { seconds: at, at: performance.now() };
    movePlayhead();
    say(`${clock(at)}, bar ${space.written(beat)}`);
  }
  /** A loop that begins, or ends, at the playhead. @param {boolean} end */
  function loopFrom(end) {
    const at = space.snapped(beats()), now = scene.loop ?? [0, space.end];
    const [from, to] = end ? [Math.min(now[0], at), at] : [at, Math.max(now[1], at)];
    if (to - from < 1e-6) return;
    scene.setLoop([from, to]);
    say(`Loop ${space.written(from)} to ${space.written(to)}`);
  }
  whileThere(root, "pointerup", () => redraw());
  new ResizeObserver(redraw).observe(body);
  new MutationObserver(() => { themed = false; redraw(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });

  store.on("project", () => { scene.take(); redraw(); });
  store.on("ghosts", () => scene.arrange());
  store.on("clips", event => scene.takeClips(event.clips));
  store.on("waves", event => scene.takeWaves(event.rows));
  store.on("held", event => { if (scene.kept.show === "moving" && !scene.rowOf(event.control)) scene.arrange(); });
  store.on("control", redraw);
  store.on("done", event => {
    if (event.id === seeking) seeking = 0;
    scene.answered(event.id);
  });
  store.on("refused", event => {
    if (event.id === seeking) seeking = 0;
    scene.answered(event.id);
    say(event.message.split("\n")[0]);
  });
  store.on("transport", () => {
    const playing = store.transport.playing;
    if (!seeking) heard = { seconds: store.transport.seconds, at: performance.now() };
    if (playing) requestAnimationFrame(run); else movePlayhead();
  });
  store.on("sought", redraw);
  scene.space.zoom = scene.kept.zoom || scene.space.zoom;
  requestAnimationFrame(() => {
    show();
    scroller.scrollLeft = scene.kept.left;
    scroller.scrollTop = scene.kept.top;
  });
  return root;
}
