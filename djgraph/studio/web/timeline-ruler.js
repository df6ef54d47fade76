// @ts-check
// Hands on the ruler: a click goes there, a drag makes a loop, its ends can be moved, a double click ends it.

import { follow } from "./timeline-follow.js";
import { clock } from "./timeline-space.js";

/** @param {import("./timeline-scene.js").Scene} scene @param {HTMLCanvasElement} ruler @param {(text: string) => void} say */
export function makeRuler(scene, ruler, say) {
  const { space, wire } = scene;
  ruler.setAttribute("aria-hidden", "true"); // the same by keys: seek and loop in the toolbar
  /** @param {MouseEvent} event */
  const at = event => space.left + event.clientX - ruler.getBoundingClientRect().left;
  /** @param {number} x */
  const end = x => {
    if (!scene.loop) return -1;
    return scene.loop.findIndex(beat => Math.abs(space.xOf(beat) - x) < 6);
  };
  ruler.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    event.preventDefault();
    const from = at(event), edge = end(from), fixed = edge < 0 || !scene.loop ? space.snapped(space.beat(from), event.altKey) : scene.loop[1 - edge];
    const before = scene.loop;
    let moved = false;
    follow(ruler, event, move => {
      if (!moved && Math.abs(at(move) - from) < 4) return;
      moved = true;
      const to = space.snapped(space.beat(at(move)), move.altKey);
      scene.loop = [Math.min(fixed, to), Math.max(fixed, to)];
      say(`Loop ${space.written(scene.loop[0])} to ${space.written(scene.loop[1])}`);
      scene.redraw();
    }, cancelled => {
      if (cancelled || !moved) scene.loop = before;
      else if (scene.loop && scene.loop[1] - scene.loop[0] > 1e-6) scene.setLoop(scene.loop);
      if (!moved && !cancelled) {
        const seconds = space.second(from);
        wire.say({ do: "seek", seconds });
        say(`${clock(seconds)}, bar ${space.written(space.beat(from))}`);
      }
      scene.redraw();
    });
  });
  ruler.addEventListener("dblclick", () => scene.setLoop(null));
  ruler.addEventListener("pointermove", event => { ruler.dataset.over = end(at(event)) >= 0 ? "edge" : ""; });
}
