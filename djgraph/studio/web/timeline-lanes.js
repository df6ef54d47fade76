// @ts-check
// Points of lanes and what is done to them: added, moved, deleted, copied. Nothing here is changed in place.

import { positionOf, snapped, valueAt } from "./scale.js";
import { last, progress } from "./timeline-tempo.js";

/**
 * @typedef {import("./scale.js").Control} Control
 * @typedef {import("./timeline-tempo.js").Shape} Shape
 * @typedef {{at: number, value: number, shape: Shape, bend: number|null}} Point  at: in beats; value: in plain units
 * @typedef {Map<string, Point[]>} Lanes  by control
 * @typedef {Map<string, Set<number>>} Selection  by control, indices of points
 * @typedef {{from: string, points: Point[]}[]} Copied  times from the first of all points on
 * @typedef {{lanes: Lanes, selection: Selection}} Edited  lanes: those that changed
 */

/** As the server tells them, which leaves out what is usual. @param {{at: number, value: number, shape?: Shape, bend?: number|null}[]} told
 * @returns {Point[]} */
export function points(told) {
  return told.map(({ at, value, shape = "linear", bend = null }) => ({ at, value, shape, bend }));
}

/** Whether a control has steps or choices, and so stays from point to point. @param {Control} c */
export const held = c => c.choices.length > 0 || c.step !== null;

/** What a lane says at a beat. @param {Point[]} all @param {number} beat @param {Control} c */
export function valueOn(all, beat, c) {
  const i = last(all.map(point => point.at), beat);
  if (i < 0) return all[0].value;
  return between(all, i, beat, c);
}

/** The same behind the point of an index. @param {Point[]} all @param {number} i @param {number} beat @param {Control} c */
export function between(all, i, beat, c) {
  const here = all[i], there = all[i + 1];
  if (!there || held(c) || there.at === here.at) return here.value;
  return here.value + progress(here.shape, Math.min(1, (beat - here.at) / (there.at - here.at)), here.bend) * (there.value - here.value);
}

/** @param {Point[]} all @param {Point} point @returns {{points: Point[], index: number}} */
export function withPoint(all, point) {
  const index = last(all.map(one => one.at), point.at) + 1;
  return { points: [...all.slice(0, index), point, ...all.slice(index)], index };
}

/** A point as the lane goes on there: of its shape, so that the way stays what it was if it is straight.
 * @param {Point[]} all @param {number} at @param {number} value @param {Control} c @returns {Point} */
export function fresh(all, at, value, c) {
  const before = all[last(all.map(point => point.at), at)];
  return { at, value: snapped(c, value), shape: held(c) ? "hold" : before?.shape ?? "linear", bend: before?.bend ?? null };
}

/** Selected points moved together: no further than to the clip's ends, and to the ends of each control's travel.
 * @param {Lanes} lanes @param {Selection} selection @param {number} beats @param {number} travel  as a share of the controls' travel
 * @param {Map<string, Control>} controls @param {number} end  the clip's last beat @returns {Edited} */
export function moved(lanes, selection, beats, travel, controls, end) {
  let first = Infinity, final = 0;
  for (const [name, chosen] of selection) {
    for (const i of chosen) {
      const at = lanes.get(name)?.[i]?.at ?? 0;
      first = Math.min(first, at);
      final = Math.max(final, at);
    }
  }
  const by = Math.max(-first, Math.min(beats, Math.max(0, end - final)));
  return changed(lanes, selection, (point, c) => ({
    ...point, at: Math.max(0, point.at + by),
    value: travel ? snapped(c, valueAt(c, positionOf(c, point.value) + travel)) : point.value,
  }), controls);
}

/** Selected points changed one by one, and put in order. @param {Lanes} lanes @param {Selection} selection
 * @param {(point: Point, c: Control) => Point} change @param {Map<string, Control>} controls @returns {Edited} */
export function changed(lanes, selection, change, controls) {
  /** @type {Edited} */
  const out = { lanes: new Map(), selection: new Map() };
  for (const [name, chosen] of selection) {
    const c = controls.get(name), all = lanes.get(name);
    if (!c || !all || !chosen.size) continue;
    const tagged = all.map((point, i) => chosen.has(i) ? { point: change(point, c), chosen: true } : { point, chosen: false });
    tagged.sort((a, b) => a.point.at - b.point.at);
    out.lanes.set(name, tagged.map(one => one.point));
    out.selection.set(name, new Set(tagged.flatMap((one, i) => one.chosen ? [i] : [])));
  }
  return out;
}

/** Without the selected points. @param {Lanes} lanes @param {Selection} selection @returns {Edited} */
export function without(lanes, selection) {
  /** @type {Edited} */
  const out = { lanes: new Map(), selection: new Map() };
  for (const [name, chosen] of selection) {
    if (chosen.size) out.lanes.set(name, (lanes.get(name) ?? []).filter((_, i) => !chosen.has(i)));
  }
  return out;
}

/** @param {Lanes} lanes @param {Selection} selection @returns {Copied} */
export function copied(lanes, selection) {
  /** @type {Copied} */
  const out = [];
  for (const [name, chosen] of selection) {
    const all = (lanes.get(name) ?? []).filter((_, i) => chosen.has(i));
    if (all.length) out.push({ from: name, points: all });
  }
  const first = Math.min(...out.map(one => one.points[0].at));
  return out.map(one => ({ ...one, points: one.points.map(point => ({ ...point, at: point.at - first })) }));
}

/** Copied points from a beat on, in place of what lies there. Those of one lane go to the lane `onto`, as far along its travel.
 * @param {Lanes} lanes @param {Copied} what @param {number} beat @param {string|null} onto @param {Map<string, Control>} controls
 * @param {number} end @returns {Edited} */
export function pasted(lanes, what, beat, onto, controls, end) {
  /** @type {Edited} */
  const out = { lanes: new Map(), selection: new Map() };
  for (const { from, points: all } of what) {
    const name = what.length === 1 && onto ? onto : from, c = controls.get(name), own = controls.get(from);
    if (!c || !own) continue;
    const put = all.filter(point => beat + point.at <= end + 1e-9).map(point => ({
      ...point, at: beat + point.at,
      value: name === from ? point.value : snapped(c, valueAt(c, positionOf(own, point.value))),
      shape: held(c) ? /** @type {Shape} */ ("hold") : point.shape,
    }));
    if (!put.length) continue;
    const lane = lanes.get(name) ?? [], begin = put[0].at, stop = put[put.length - 1].at;
    const before = lane.filter(point => point.at < begin), after = lane.filter(point => point.at > stop);
    out.lanes.set(name, [...before, ...put, ...after]);
    out.selection.set(name, new Set(put.map((_, i) => before.length + i)));
  }
  return out;
}

/** @param {Selection} selection */
export function count(selection) {
  let all = 0;
  for (const chosen of selection.values()) all += chosen.size;
  return all;
}
