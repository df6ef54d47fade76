// @ts-check
// A drawing that is moved and zoomed: by wheel, drag, two fingers and keys.

const LEAST = 0.05, MOST = 6;

/**
 * @typedef {{show: (svg: SVGElement) => void, zoom: (by: number) => void, fit: () => void, whole: () => void,
 *   into: (one: SVGElement, centre?: boolean) => void, dragged: () => boolean}} Space
 */

/** @param {HTMLElement} view @returns {Space} */
export function makeSpace(view) {
  /** @type {SVGElement|null} */ let svg = null;
  let x = 0, y = 0, scale = 1, wide = 1, high = 1, placed = false, far = false;
  /** @type {Map<number, {x: number, y: number}>} */ const fingers = new Map();

  const put = () => {
    if (!svg) return;
    const left = Math.min(x, view.clientWidth - 60), top = Math.min(y, view.clientHeight - 60);
    x = Math.max(left, 60 - wide * scale);
    y = Math.max(top, 60 - high * scale);
    svg.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  };
  /** @param {number} by @param {number} [atX] @param {number} [atY] */
  const zoom = (by, atX = view.clientWidth / 2, atY = view.clientHeight / 2) => {
    const next = Math.min(MOST, Math.max(LEAST, scale * by));
    x = atX - (atX - x) * next / scale;
    y = atY - (atY - y) * next / scale;
    scale = next;
    put();
  };
  const fit = () => {
    scale = Math.min(1.25, Math.max(LEAST, Math.min((view.clientWidth - 20) / wide, (view.clientHeight - 20) / high)));
    x = (view.clientWidth - wide * scale) / 2;
    y = Math.max(10, (view.clientHeight - high * scale) / 2);
    put();
  };
  const whole = () => zoom(1 / scale);

  view.addEventListener("wheel", event => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    if (event.ctrlKey || !event.shiftKey && event.deltaMode === 0 && !Number.isInteger(event.deltaY) || event.ctrlKey || event.altKey) {
      zoom(Math.exp(-event.deltaY / 100), event.clientX - box.left, event.clientY - box.top);
    } else if (event.shiftKey) { x -= event.deltaY || event.deltaX; put(); }
    else zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  view.addEventListener("pointerdown", event => {
    if (event.button > 1) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    far = false;
  });
  window.addEventListener("pointermove", event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (fingers.size === 2) {
      const other = /** @type {{x: number, y: number}} */ ([...fingers].find(([id]) => id !== event.pointerId)?.[1]);
      const box = view.getBoundingClientRect();
      const apart = (/** @type {{x: number, y: number}} */ a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      zoom(apart(now) / apart(before), (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top);
      far = true;
    } else if (far || Math.hypot(now.x - before.x, now.y - before.y) > 4) {
      far = true;
      x += now.x - before.x;
      y += now.y - before.y;
      put();
    } else return;
    fingers.set(event.pointerId, now);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    window.addEventListener(kind, event => fingers.delete(/** @type {PointerEvent} */ (event).pointerId));
  }
  view.addEventListener("keydown", event => {
    const step = event.shiftKey ? 200 : 60;
    const move = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (move) { x += move[0]; y += move[1]; put(); }
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") fit();
    else if (event.key === "1") whole();
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => { if (svg && !placed && view.clientWidth) { placed = true; fit(); } }).observe(view);

  return {
    zoom: by => zoom(by), fit, whole,
    dragged: () => far,
    show: fresh => {
      const [, , w, h] = (fresh.getAttribute("viewBox") ?? "0 0 1 1").split(" ").map(Number);
      const same = svg !== null && Math.abs(w - wide) < 2 && Math.abs(h - high) < 2;
      svg = fresh;
      [wide, high] = [w, h];
      view.replaceChildren(fresh);
      if (same) put();
      else if (view.clientWidth) { placed = true; fit(); }
      else placed = false;
    },
    into: (one, centre = false) => {
      const box = one.getBoundingClientRect(), seen = view.getBoundingClientRect();
      if (centre && scale < 0.7) { scale = 1; put(); return void intoView(one.getBoundingClientRect(), seen); }
      if (centre || box.left < seen.left || box.right > seen.right || box.top < seen.top || box.bottom > seen.bottom) intoView(box, seen);
    },
  };

  /** @param {DOMRect} box @param {DOMRect} seen */
  function intoView(box, seen) {
    x += seen.left + seen.width / 2 - (box.left + box.width / 2);
    y += seen.top + seen.height / 2 - (box.top + box.height / 2);
    put();
  }
}
