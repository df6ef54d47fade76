// @ts-check
// The space bar: it belongs to fields, and to buttons that keys led to; a button that was clicked leaves it to the transport.

const PRESSED = "button, select, summary, input, [role=button], [role=checkbox], [role=menuitem]";

/** What has the focus because it was clicked. @type {EventTarget|null} */
let clicked = null;
let pointing = false;

addEventListener("pointerdown", () => { pointing = true; }, true);
addEventListener("keydown", () => { pointing = false; }, true);
addEventListener("focusin", event => { clicked = pointing ? event.target : null; }, true);
addEventListener("click", event => { if (event.detail) clicked = document.activeElement; }, true); // it had the focus before

/** Whether the space bar means something else there. @param {EventTarget|null} target */
export function takesSpace(target) {
  if (!(target instanceof Element)) return false;
  const one = target.closest(`${PRESSED}, textarea, [contenteditable]`);
  if (!one || one.hasAttribute("data-plays")) return false;
  if (one instanceof HTMLInputElement && !["button", "checkbox", "radio", "range"].includes(one.type)) return true;
  return !one.matches(PRESSED) || one !== clicked;
}
