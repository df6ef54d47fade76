// @ts-check
// Where the focus is, across a page that is made anew: on the same control, or the thing with the same id or label.

/** @returns {() => void} what brings it back */
export function keptFocus() {
  const one = document.activeElement;
  if (!(one instanceof Element) || one === document.body) return () => {};
  const control = one.closest("[data-control]"), name = control?.getAttribute("data-control");
  const kind = one.matches("input.value") ? "input.value" : "[role=slider], button, select";
  const label = one.getAttribute("aria-label");
  return () => {
    if (one.isConnected) return;
    /** @type {Element|null|undefined} */
    let found = null;
    if (name) found = document.querySelector(`[data-control="${CSS.escape(name)}"]`)?.querySelector(kind);
    else if (one.id) found = document.getElementById(one.id);
    else if (label) found = document.querySelector(`[aria-label="${CSS.escape(label)}"]`);
    if (found instanceof HTMLElement || found instanceof SVGElement) found.focus({ preventScroll: true });
  };
}
