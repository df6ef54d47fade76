// @ts-check
// Draws the timeline on canvas: only what is visible, and nothing twice.

import { positionOf } from "./scale.js";
import { between, held, valueOn } from "./timeline-lanes.js";
import { HEAD, RULER } from "./timeline-scene.js";
import { last } from "./timeline-tempo.js";

/** @typedef {import("./timeline-scene.js").Scene} Scene @typedef {import("./timeline-scene.js").Row} Row */
/** @typedef {import("./timeline-lanes.js").Point} Point @typedef {import("./scale.js").Control} Control */

export const EDGE = 9; // pixels above and below a lane's travel
export const DOT = 4;
const SHARE = 2; // pixels between the samples of a curved way

/** The colours of the theme, read when it changes. @param {HTMLElement} element */
export function paletteOf(element) {
  const style = getComputedStyle(element);
  /** @param {string} name */
  const of = name => style.getPropertyValue(name).trim();
  return {
    ground: of("--ground"), panel: of("--panel"), raised: of("--raised"), line: of("--line"), text: of("--text"), quiet: of("--quiet"),
    accent: of("--accent"), warm: of("--warm"), held: of("--held"), good: of("--good"), ghost: of("--ghost"),
    hues: [0, 1, 2, 3, 4, 5].map(i => of(`--hue-${i}`)), font: style.fontFamily,
  };
}
/** @typedef {ReturnType<typeof paletteOf>} Palette */

/** Where a value lies in a lane, in pixels from its top. @param {Row} row @param {number} value */
export function yOf(row, value) {
  return EDGE + (1 - positionOf(/** @type {Control} */ (row.control), value)) * (row.height - 2 * EDGE);
}

/** @param {Row} row @param {number} y  from the lane's top */
export function travelOf(row, y) {
  return Math.min(1, Math.max(0, 1 - (y - EDGE) / (row.height - 2 * EDGE)));
}

/** Everything but the ruler. @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Palette} p @param {number} top @param {number} width @param {number} height */
export function draw(ctx, scene, p, top, width, height) {
  const { space } = scene, right = width - HEAD;
  ctx.clearRect(0, 0, width, height);
  ctx.save();
  ctx.translate(HEAD, -top);
  ctx.beginPath();
  ctx.rect(0, top, right, height);
  ctx.clip();
  const rows = scene.rows.filter(row => row.y + row.height > top + RULER && row.y < top + height);
  for (const row of rows) {
    ctx.fillStyle = row.kind === "lane" ? (row.key === scene.focus ? p.raised : p.panel) : p.ground;
    if (row.kind !== "clips") ctx.fillRect(0, row.y, right, row.height);
  }
  grid(ctx, scene, p, top, height);
  const ends = space.x(space.seconds) - space.left;
  for (const row of rows) {
    ctx.strokeStyle = p.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(0, row.y + row.height - 0.5);
    ctx.lineTo(right, row.y + row.height - 0.5);
    ctx.stroke();
    if (row.kind === "wave" || row.kind === "target") wave(ctx, scene, row, p, Math.min(right, Math.ceil(ends)));
    if (row.kind === "lane") lane(ctx, scene, row, p, Math.min(right, Math.ceil(ends)));
  }
  if (ends < right) {
    ctx.fillStyle = p.ground;
    ctx.globalAlpha = 0.75;
    ctx.fillRect(ends, top, right - ends, height);
    ctx.globalAlpha = 1;
  }
  if (scene.band) {
    const { x, y, width: w, height: h } = scene.band;
    ctx.strokeStyle = p.accent;
    ctx.fillStyle = p.accent;
    ctx.globalAlpha = 0.15;
    ctx.fillRect(x - space.left, y, w, h);
    ctx.globalAlpha = 1;
    ctx.strokeRect(x - space.left + 0.5, y + 0.5, w, h);
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Palette} p @param {number} top @param {number} height */
function grid(ctx, scene, p, top, height) {
  const { space, loop } = scene;
  for (const level of [0, 1, 2]) {
    ctx.strokeStyle = p.line;
    ctx.globalAlpha = [0.3, 0.55, 1][level];
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (const mark of space.beats()) {
      if (mark.level !== level) continue;
      const x = Math.round(mark.x - space.left) + 0.5;
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
    }
    ctx.stroke();
  }
  if (loop) {
    const from = space.xOf(loop[0]) - space.left, to = space.xOf(loop[1]) - space.left;
    ctx.globalAlpha = 0.09;
    ctx.fillStyle = p.accent;
    ctx.fillRect(from, top, to - from, height);
  }
  ctx.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {Palette} p @param {number} width */
function wave(ctx, scene, row, p, width) {
  const { space, peaks } = scene, sound = row.wave;
  if (!sound || width <= 0) return;
  const middle = row.y + row.height / 2, half = row.height / 2 - 3, hue = p.hues[row.hue % p.hues.length];
  if (!sound.digest) {
    ctx.fillStyle = p.quiet;
    ctx.font = `11px ${p.font}`;
    ctx.fillText(sound.problem ? "cannot be read" : "measuring …", 8, middle + 4);
    return;
  }
  const scale = 1 / (row.kind === "target" ? Math.max(0.05, sound.peak) : scene.loudest); // one for all, so that levels can be compared
  const { low, high, mean } = peaks.columns(sound.digest, sound.samples, space.left / space.zoom, space.zoom, width);
  ctx.fillStyle = hue;
  for (const [alpha, up, down] of /** @type {[number, Float32Array, Float32Array|null][]} */ ([[0.45, high, low], [1, mean, null]])) {
    ctx.globalAlpha = alpha;
    ctx.beginPath();
    for (let x = 0; x < width; x++) {
      if (Number.isNaN(up[x])) continue;
      const upper = Math.min(1, Math.max(-1, scale * up[x])), lower = Math.min(1, Math.max(-1, scale * (down ? down[x] : -up[x])));
      ctx.rect(x, middle - upper * half - 0.25, 1, Math.max(0.75, (upper - lower) * half));
    }
    ctx.fill();
  }
  ctx.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {Palette} p @param {number} width */
function lane(ctx, scene, row, p, width) {
  const c = /** @type {Control} */ (row.control), { space, store } = scene;
  const hue = p.hues[row.hue % p.hues.length];
  const neutral = row.y + yOf(row, c.neutral);
  ctx.strokeStyle = p.line;
  ctx.setLineDash([2, 4]);
  ctx.beginPath();
  ctx.moveTo(0, Math.round(neutral) + 0.5);
  ctx.lineTo(width, Math.round(neutral) + 0.5);
  ctx.stroke();
  ctx.setLineDash([]);
  fitted(ctx, scene, row, p, width);
  const own = scene.lane(c.name), ghost = scene.ghosts.get(c.name) ?? [];
  if (ghost.length) {
    ctx.strokeStyle = p.warm;
    ctx.setLineDash(own.length ? [3, 3] : []);
    ctx.lineWidth = own.length ? 1 : 2;
    way(ctx, scene, row, ghost, width);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  if (own.length) {
    ctx.strokeStyle = hue;
    ctx.lineWidth = 2;
    way(ctx, scene, row, own, width);
    ctx.stroke();
    ctx.lineTo(width, row.y + row.height - 1);
    ctx.lineTo(0, row.y + row.height - 1);
    ctx.globalAlpha = 0.1;
    ctx.fillStyle = hue;
    ctx.fill();
    ctx.globalAlpha = 1;
    dots(ctx, scene, row, own, p, hue);
  } else if (!ghost.length) {
    const y = row.y + yOf(row, store.project.values[c.name] ?? c.default);
    ctx.strokeStyle = p.quiet;
    ctx.lineWidth = 1;
    ctx.setLineDash([6, 4]);
    ctx.beginPath();
    ctx.moveTo(0, y);
    ctx.lineTo(width, y);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  ctx.lineWidth = 1;
}

/** The path of a curve where it is visible. @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {Point[]} all @param {number} width */
export function way(ctx, scene, row, all, width) {
  const { space } = scene, c = /** @type {Control} */ (row.control), first = space.beat(space.left);
  const at = all.map(point => point.at), steps = held(c);
  /** @param {number} beat */
  const x = beat => space.xOf(beat) - space.left;
  /** @param {number} value */
  const y = value => row.y + yOf(row, value);
  let i = last(at, first);
  ctx.beginPath();
  ctx.moveTo(-2, y(i < 0 ? all[0].value : between(all, i, first, c)));
  if (i < 0) { ctx.lineTo(x(all[0].at), y(all[0].value)); i = 0; }
  for (; i < all.length; i++) {
    const here = all[i], there = all[i + 1], from = x(here.at);
    if (from > width) break;
    if (from >= 0) ctx.lineTo(from, y(here.value));
    if (!there) break;
    const to = x(there.at);
    if (here.shape === "hold" || steps) ctx.lineTo(to, y(here.value));
    else if (c.scale !== "linear" || here.bend || !["linear", "hold"].includes(here.shape)) {
      for (let px = Math.max(from, 0) + SHARE; px < Math.min(to, width); px += SHARE) {
        ctx.lineTo(px, y(between(all, i, space.tempo.beat((px + space.left) / space.zoom), c)));
      }
    }
    ctx.lineTo(to, y(there.value));
  }
  if (i >= all.length || all[i]) {
    const end = all[Math.min(i, all.length - 1)];
    if (x(end.at) <= width) ctx.lineTo(width, y(end.value));
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {Point[]} all @param {Palette} p @param {string} hue */
function dots(ctx, scene, row, all, p, hue) {
  const { space } = scene, chosen = scene.selected.get(row.key);
  const from = space.beat(space.left - 10), to = space.beat(space.left + space.width + 10);
  const at = all.map(point => point.at), first = Math.max(0, last(at, from - 1e-9)), final = last(at, to);
  const crowded = (final - first) / space.width > 0.12;
  for (let i = first; i <= final; i++) {
    const marked = chosen?.has(i) ?? false;
    if (crowded && !marked) continue;
    ctx.beginPath();
    ctx.arc(space.xOf(all[i].at) - space.left, row.y + yOf(row, all[i].value), marked ? DOT + 1 : DOT, 0, 2 * Math.PI);
    ctx.fillStyle = marked ? p.held : p.panel;
    ctx.fill();
    ctx.strokeStyle = marked ? p.text : hue;
    ctx.lineWidth = 1.5;
    ctx.stroke();
  }
}

/** What a fit found, with its error band, and what is proposed. @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {Palette} p @param {number} width */
function fitted(ctx, scene, row, p, width) {
  const { target } = scene, { ghosts } = scene.store;
  if (target) banded(ctx, scene, row, target.fitted.get(row.key), target.bands.get(row.key), p.good, width);
  if (ghosts) banded(ctx, scene, row, ghosts.lanes.get(row.key), ghosts.bands.get(row.key), p.ghost, width);
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Row} row @param {import("./timeline-lanes.js").Point[]|undefined} found
 * @param {import("./timeline-scene.js").Band|undefined} band @param {string} colour @param {number} width */
function banded(ctx, scene, row, found, band, colour, width) {
  const { space } = scene;
  if (band) {
    const first = Math.max(0, last(band.seconds, space.left / space.zoom)), final = Math.min(band.seconds.length - 1, last(band.seconds, (space.left + width) / space.zoom) + 1);
    ctx.fillStyle = colour;
    for (let i = first; i < final; i++) {
      ctx.globalAlpha = band.told[i] ? 0.28 : 0.07;
      const from = space.x(band.seconds[i]) - space.left, to = space.x(band.seconds[i + 1]) - space.left;
      ctx.beginPath();
      ctx.moveTo(from, row.y + yOf(row, band.high[i]));
      ctx.lineTo(to, row.y + yOf(row, band.high[i + 1]));
      ctx.lineTo(to, row.y + yOf(row, band.low[i + 1]));
      ctx.lineTo(from, row.y + yOf(row, band.low[i]));
      ctx.fill();
    }
    ctx.globalAlpha = 1;
  }
  if (found?.length) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5;
    way(ctx, scene, row, found, width);
    ctx.stroke();
  }
}

/** Bars and beats above, seconds below, the loop between. @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Palette} p @param {number} width */
export function drawRuler(ctx, scene, p, width) {
  const { space, loop } = scene;
  ctx.clearRect(0, 0, width, RULER);
  ctx.fillStyle = p.panel;
  ctx.fillRect(0, 0, width, RULER);
  if (loop) {
    const from = space.xOf(loop[0]) - space.left, to = space.xOf(loop[1]) - space.left;
    ctx.fillStyle = p.accent;
    ctx.globalAlpha = 0.3;
    ctx.fillRect(from, 0, to - from, RULER);
    ctx.globalAlpha = 1;
    ctx.fillRect(from, 0, 3, RULER);
    ctx.fillRect(to - 3, 0, 3, RULER);
  }
  ctx.font = `600 11px ${p.font}`;
  for (const mark of space.beats()) {
    const x = Math.round(mark.x - space.left) + 0.5;
    ctx.strokeStyle = mark.level === 2 ? p.quiet : p.line;
    ctx.beginPath();
    ctx.moveTo(x, mark.level === 2 ? 4 : mark.level === 1 ? 16 : 20);
    ctx.lineTo(x, 25);
    ctx.stroke();
    if (mark.text) {
      ctx.fillStyle = p.text;
      ctx.fillText(mark.text, x + 4, 14);
    }
  }
  ctx.font = `10px ${p.font}`;
  ctx.strokeStyle = p.line;
  for (const mark of space.times()) {
    const x = Math.round(mark.x - space.left) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, 29);
    ctx.lineTo(x, RULER - 2);
    ctx.stroke();
    ctx.fillStyle = p.quiet;
    ctx.fillText(mark.text, x + 4, RULER - 6);
  }
  ctx.strokeStyle = p.line;
  ctx.beginPath();
  ctx.moveTo(0, RULER - 0.5);
  ctx.lineTo(width, RULER - 0.5);
  ctx.moveTo(0, 26.5);
  ctx.lineTo(width, 26.5);
  ctx.stroke();
}

/** The nearest point of a lane within reach. @param {Scene} scene @param {Row} row @param {number} x  content's @param {number} y */
export function hit(scene, row, x, y) {
  const all = scene.lane(row.key);
  let best = -1, least = 9;
  const at = all.map(point => point.at), { space } = scene;
  for (let i = Math.max(0, last(at, space.beat(x - 10))); i < all.length; i++) {
    const dx = space.xOf(all[i].at) - x;
    if (dx > 10) break;
    const far = Math.hypot(dx, row.y + yOf(row, all[i].value) - y);
    if (far < least) { least = far; best = i; }
  }
  return best;
}

/** Whether a place is on a lane's line. @param {Scene} scene @param {Row} row @param {number} x @param {number} y */
export function onLine(scene, row, x, y) {
  const c = /** @type {Control} */ (row.control), all = scene.moving(row.key), beat = scene.space.beat(x);
  const value = all.length ? valueOn(all, beat, c) : scene.value(c, beat);
  return Math.abs(row.y + yOf(row, value) - y) < 6;
}
