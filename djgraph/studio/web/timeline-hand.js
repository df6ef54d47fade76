// @ts-check
// Hands on lanes: points by pointer and by keys.

import { positionOf, valueAt, written } from "./scale.js";
import { hit, onLine, travelOf } from "./timeline-draw.js";
import { changed, copied, count, fresh, moved, pasted, valueOn, without, withPoint } from "./timeline-lanes.js";
import { EDGE } from "./timeline-draw.js";
import { follow } from "./timeline-follow.js";
import { CLIPS, HEAD, RULER } from "./timeline-scene.js";
import { MOST_BEND } from "./timeline-tempo.js";

/** @typedef {import("./timeline-scene.js").Scene} Scene @typedef {import("./timeline-scene.js").Row} Row */
/** @typedef {import("./scale.js").Control} Control @typedef {import("./timeline-lanes.js").Copied} Copied */
/** @typedef {import("./timeline-lanes.js").Edited} Edited @typedef {import("./timeline-lanes.js").Selection} Selection */

const SENT = 80; // ms between edits that are heard while a hand still drags
/** @type {Copied} */
let clipboard = [];
let gestures = 0;

/** @param {Scene} scene @param {HTMLElement} content @param {(text: string) => void} say @param {() => number} playhead  beats */
export function makeHand(scene, content, say, playhead) {
  const { space } = scene;

  /** @param {PointerEvent|MouseEvent} event */
  const place = event => {
    const box = content.getBoundingClientRect();
    return { x: event.clientX - box.left - HEAD, y: event.clientY - box.top };
  };
  /** @param {string} name @param {number} i */
  const tell = (name, i) => {
    const c = scene.store.controls.get(name), point = scene.lane(name)[i];
    if (c && point) say(`${name}: ${space.written(point.at)} · ${written(c, point.value)}`);
  };

  /** One drag, heard while it goes. @param {(dx: number, dy: number, event: PointerEvent) => Edited|null} change @param {string} what @param {PointerEvent} begun */
  const drag = (change, what, begun) => {
    const from = place(begun), gesture = `drag ${Date.now()} ${gestures++}`;
    let sent = 0, waiting = 0;
    const end = scene.store.on("done", answer => { if (answer.id === waiting) waiting = 0; });
    /** @type {Edited|null} */
    let edited = null;
    scene.dragging = true;
    follow(content, begun, event => {
      const at = place(event);
      edited = change(at.x - from.x, at.y - from.y, event) ?? edited;
      if (!edited) return;
      scene.preview(edited);
      if (!waiting && event.timeStamp - sent > SENT && scene.store.transport.playing) {
        sent = event.timeStamp;
        waiting = scene.send(edited, what, gesture);
      }
    }, cancelled => {
      end();
      scene.dragging = false;
      if (edited && !cancelled) scene.edit(edited, what, gesture);
      else { scene.under = null; scene.redraw(); }
    });
  };

  /** @param {Selection} selection @param {Row} row @param {PointerEvent} event */
  const dragPoints = (selection, row, event) => {
    const lanes = scene.editable, [name, chosen] = [row.key, selection.get(row.key)];
    const anchor = chosen ? lanes.get(name)?.[[...chosen][0]] : undefined;
    drag((dx, dy, now) => {
      if (!anchor) return null;
      const wanted = space.beat(space.xOf(anchor.at) + dx);
      const beats = now.shiftKey && Math.abs(dy) > Math.abs(dx) ? 0 : space.snapped(wanted, now.altKey) - anchor.at;
      const travel = now.shiftKey && Math.abs(dx) >= Math.abs(dy) ? 0 : -dy / (row.height - 2 * EDGE);
      const edited = moved(lanes, selection, Math.abs(dx) < 3 ? 0 : beats, Math.abs(dy) < 2 ? 0 : travel, scene.store.controls, space.end);
      const i = edited.selection.get(name)?.values().next().value;
      scene.under = edited;
      if (i !== undefined) tell(name, i);
      return edited;
    }, count(selection) === 1 ? `move a point of ${name}` : `move ${count(selection)} points`, event);
  };

  /** @param {Row} row @param {number} i @param {PointerEvent} event */
  const dragBend = (row, i, event) => {
    const lanes = scene.editable, before = lanes.get(row.key)?.[i]?.bend ?? 0;
    drag((_, dy) => changed(lanes, new Map([[row.key, new Set([i])]]), point => {
      const bend = Math.round(Math.min(MOST_BEND, Math.max(-MOST_BEND, before - dy)));
      say(`${row.key}: bend ${bend} dB`);
      return { ...point, bend: bend || null };
    }, scene.store.controls), `bend ${row.key}`, event);
  };

  /** @param {Row} row @param {number} x @param {number} y @param {boolean} free */
  const add = (row, x, y, free) => {
    const c = /** @type {Control} */ (row.control), all = scene.moving(row.key), at = space.snapped(space.beat(x), free);
    const { points, index } = withPoint(all, fresh(all, at, valueAt(c, travelOf(row, y - row.y)), c));
    return { lanes: new Map([[row.key, points]]), selection: new Map([[row.key, new Set([index])]]) };
  };

  /** A band while it is drawn. @param {PointerEvent} begun @param {(band: {x: number, y: number, width: number, height: number}) => void} choose */
  const rubber = (begun, choose) => {
    const from = place(begun);
    follow(content, begun, event => {
      const to = place(event);
      const band = { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) };
      scene.band = band;
      choose(band);
      scene.redraw();
    }, () => { scene.band = null; scene.redraw(); });
  };

  /** Recipes that a band touches. @param {PointerEvent} begun @param {Row} row @param {Set<number>} before */
  const chooseClips = (begun, row, before) => rubber(begun, band => {
    scene.chosen = new Set(before);
    scene.clips.forEach((clip, i) => {
      const x = space.xOf(clip.start), to = space.xOf(clip.start + clip.length), y = row.y + 3 + CLIPS * scene.level(i);
      if (x <= band.x + band.width && to >= band.x && y <= band.y + band.height && y + CLIPS - 6 >= band.y) scene.chosen.add(clip.id);
    });
    say(`${scene.chosen.size} recipes chosen`);
  });

  /** @param {PointerEvent} begun @param {Selection} before */
  const choosePoints = (begun, before) => rubber(begun, band => {
    scene.selection = new Map([...before].map(([name, chosen]) => [name, new Set(chosen)]));
    for (const row of scene.rows) {
      if (row.kind !== "lane" || row.y > band.y + band.height || row.y + row.height < band.y) continue;
      const c = /** @type {Control} */ (row.control), chosen = scene.selection.get(row.key) ?? new Set();
      scene.lane(row.key).forEach((point, i) => {
        const x = space.xOf(point.at), y = row.y + EDGE + (1 - positionOf(c, point.value)) * (row.height - 2 * EDGE);
        if (x >= band.x && x <= band.x + band.width && y >= band.y && y <= band.y + band.height) chosen.add(i);
      });
      if (chosen.size) scene.selection.set(row.key, chosen);
    }
    say(`${count(scene.selection)} points chosen`);
  });

  content.addEventListener("pointerdown", event => {
    if (event.button !== 0 || /** @type {HTMLElement} */ (event.target) !== content) return;
    const { x, y } = place(event), row = scene.rowAt(y);
    if (!row || x < 0) return;
    content.focus({ preventScroll: true });
    event.preventDefault();
    const more = event.shiftKey || event.ctrlKey || event.metaKey, picked = more ? scene.chosen : new Set();
    scene.chosen = new Set();
    if (row.kind === "wave" || row.kind === "target") { scene.wire.say({ do: "seek", seconds: space.second(x) }); return; }
    if (row.kind === "clips") chooseClips(event, row, picked);
    if (row.kind !== "lane") { scene.selection = new Map(); scene.redraw(); return; }
    scene.focus = row.key;
    const i = hit(scene, row, x, y);
    if (i >= 0) {
      const chosen = scene.selection.get(row.key);
      if (more) {
        const fresh = new Set(chosen);
        if (fresh.has(i)) fresh.delete(i); else fresh.add(i);
        scene.selection.set(row.key, fresh);
        scene.redraw();
        return;
      }
      if (!chosen?.has(i)) scene.selection = new Map([[row.key, new Set([i])]]);
      tell(row.key, i);
      const first = new Map([...scene.selection].map(([name, all]) => [name, name === row.key ? new Set([i, ...all]) : all]));
      dragPoints(first, row, event);
    } else if (onLine(scene, row, x, y) && event.altKey && scene.lane(row.key).length) {
      const before = scene.lane(row.key).findLastIndex(point => point.at <= space.beat(x));
      if (before >= 0) dragBend(row, before, event);
    } else if (onLine(scene, row, x, y) && !more) {
      scene.edit(add(row, x, y, event.altKey), `add a point to ${row.key}`);
      dragPoints(scene.selection, row, event);
    } else {
      if (!more) scene.selection = new Map();
      choosePoints(event, scene.selection);
    }
    scene.redraw();
  });

  content.addEventListener("dblclick", event => {
    const { x, y } = place(event), row = scene.rowAt(y);
    if (event.target !== content || row?.kind !== "lane" || x < 0) return;
    const i = hit(scene, row, x, y);
    if (i < 0) scene.edit(add(row, x, y, event.altKey), `add a point to ${row.key}`);
    else remove(new Map([[row.key, new Set([i])]]));
  });

  content.addEventListener("pointermove", event => {
    if (event.buttons) return;
    const { x, y } = place(event), row = scene.rowAt(y);
    const i = x < 0 || row?.kind !== "lane" ? -1 : hit(scene, row, x, y);
    content.dataset.over = x < 0 || !row ? "" : row.kind !== "lane" ? row.kind : i >= 0 ? "point" : onLine(scene, row, x, y) ? "line" : "lane";
    if (i >= 0 && row) tell(row.key, i);
    else if (x >= 0 && row?.control) {
      const beat = space.beat(x);
      say(`${space.written(Math.round(beat * 100) / 100)} · ${written(row.control, scene.value(row.control, beat))}`);
    }
  });

  /** @param {Selection} selection */
  const remove = selection => {
    const many = count(selection);
    if (!many) return;
    scene.edit(without(scene.editable, selection), many === 1 ? "delete a point" : `delete ${many} points`);
    say(`${many} deleted`);
  };

  /** @param {number} beats @param {number} travel */
  const nudge = (beats, travel) => {
    const many = count(scene.selection);
    if (!many) return;
    scene.edit(moved(scene.editable, scene.selection, beats, travel, scene.store.controls, space.end), `move ${many} points`, "keys");
    const [name, chosen] = [...scene.selection][0];
    tell(name, [...chosen][0]);
  };

  /** The next lane, or the next point of this one. @param {number} down @param {number} right */
  const walk = (down, right) => {
    const lanes = scene.rows.filter(row => row.kind === "lane");
    if (!lanes.length) return;
    const now = lanes.findIndex(row => row.key === scene.focus);
    if (down || now < 0) scene.focus = lanes[Math.min(lanes.length - 1, Math.max(0, now + (now < 0 ? 1 : down)))].key;
    const name = /** @type {string} */ (scene.focus), all = scene.lane(name);
    const chosen = [...scene.selection.get(name) ?? []];
    if (all.length) {
      const from = chosen.length ? chosen[right < 0 ? 0 : chosen.length - 1] : right < 0 ? all.length : -1;
      const i = down ? Math.max(0, all.findLastIndex(point => point.at <= playhead())) : Math.min(all.length - 1, Math.max(0, from + right));
      scene.selection = new Map([[name, new Set([i])]]);
      tell(name, i);
    } else {
      scene.selection = new Map();
      say(`${name}: no points; Enter adds one at the playhead`);
    }
    reveal();
    scene.redraw();
  };

  const reveal = () => {
    const row = scene.focus && scene.rowOf(scene.focus), scroller = content.parentElement;
    if (!row || !scroller) return;
    if (row.y < scroller.scrollTop + RULER) scroller.scrollTop = row.y - RULER;
    else if (row.y + row.height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = row.y + row.height - scroller.clientHeight;
    const [chosen] = scene.selection.get(row.key) ?? [], point = chosen === undefined ? null : scene.lane(row.key)[chosen];
    if (!point) return;
    const x = space.xOf(point.at);
    if (x < space.left + 20) scroller.scrollLeft = x - 60;
    else if (x > space.left + space.width - 20) scroller.scrollLeft = x - space.width + 60;
  };

  content.addEventListener("keydown", event => {
    if (event.target !== content) return;
    const step = space.step || 0.25, command = event.ctrlKey || event.metaKey;
    const fine = event.shiftKey ? 0.1 : 1;
    if (command && event.key.toLowerCase() === "c") copy();
    else if (command && event.key.toLowerCase() === "x") { copy(); remove(scene.selection); }
    else if (command && event.key.toLowerCase() === "v") paste();
    else if (command && event.key.toLowerCase() === "d") { copy(); paste(true); }
    else if (command && event.key.toLowerCase() === "a") chooseAll(event.shiftKey);
    else if (command || event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(event.key) && !event.altKey) return;
    else if (event.altKey && event.key === "ArrowLeft") nudge(-step * fine, 0);
    else if (event.altKey && event.key === "ArrowRight") nudge(step * fine, 0);
    else if (event.altKey && event.key === "ArrowUp") nudge(0, 0.02 * fine);
    else if (event.altKey && event.key === "ArrowDown") nudge(0, -0.02 * fine);
    else if (event.key === "ArrowUp") walk(-1, 0);
    else if (event.key === "ArrowDown") walk(1, 0);
    else if (event.key === "ArrowLeft") walk(0, -1);
    else if (event.key === "ArrowRight") walk(0, 1);
    else if (event.key === "Delete" || event.key === "Backspace") remove(scene.selection);
    else if (event.key === "Escape") { scene.selection = new Map(); scene.redraw(); }
    else if (event.key === "Enter") enter();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const copy = () => {
    if (!count(scene.selection)) return;
    clipboard = copied(scene.editable, scene.selection);
    scene.kept.copied = [];
    say(`${count(scene.selection)} points copied`);
  };
  /** @param {boolean} [behind]  what was copied, on the next beat that is snapped to */
  const paste = behind => {
    if (!clipboard.length) return;
    let at = space.snapped(playhead());
    if (behind) {
      const chosen = [...scene.selection].flatMap(([name, all]) => [...all].map(i => scene.lane(name)[i].at));
      const step = space.step || 1;
      at = Math.min(...chosen) + Math.max(step, Math.ceil((Math.max(...chosen) - Math.min(...chosen) + 1e-6) / step) * step);
    }
    const edited = pasted(scene.editable, clipboard, at, scene.focus, scene.store.controls, space.end);
    scene.edit(edited, "paste");
    say(`${count(edited.selection)} points pasted at ${space.written(at)}`);
  };
  /** @param {boolean} everywhere */
  const chooseAll = everywhere => {
    const names = scene.rows.filter(row => row.kind === "lane" && (everywhere || row.key === scene.focus)).map(row => row.key);
    scene.selection = new Map(names.map(name => [name, new Set(scene.lane(name).keys())]));
    say(`${count(scene.selection)} points chosen`);
    scene.redraw();
  };
  const enter = () => {
    const row = scene.focus && scene.rowOf(scene.focus);
    if (!row || !row.control) return;
    const c = row.control, all = scene.moving(row.key), at = space.snapped(playhead());
    const value = all.length ? valueOn(all, at, c) : scene.value(c, at), { points, index } = withPoint(all, fresh(all, at, value, c));
    scene.edit({ lanes: new Map([[row.key, points]]), selection: new Map([[row.key, new Set([index])]]) }, `add a point to ${row.key}`);
    tell(row.key, index);
  };
}
