// @ts-check
// A drag, from the press of a pointer on.

/** A pointer until it is let go; Escape takes it back. @param {HTMLElement} element @param {PointerEvent} begun
 * @param {(event: PointerEvent) => void} move @param {(cancelled: boolean) => void} done */
export function follow(element, begun, move, done) {
  element.setPointerCapture(begun.pointerId);
  const ends = new AbortController();
  /** @param {boolean} cancelled */
  const end = cancelled => { ends.abort(); done(cancelled); };
  element.addEventListener("pointermove", move, { signal: ends.signal });
  element.addEventListener("pointerup", () => end(false), { signal: ends.signal });
  element.addEventListener("pointercancel", () => end(true), { signal: ends.signal });
  element.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    end(true);
  }, { signal: ends.signal, capture: true });
}
