// @ts-check
// Find and replace in a textarea.

import { make } from "./control.js";
import { button } from "./widgets.js";

/**
 * @param {HTMLTextAreaElement} area @param {(from: number, to: number) => void} show @param {(text: string) => void} insert
 * @returns {{element: HTMLElement, open: (text: string) => void, next: (way: number) => void}}
 */
export function makeFind(area, show, insert) {
  const element = make("div", "find"), count = make("span", "count");
  element.hidden = true;
  element.setAttribute("role", "search");
  const field = entry("Find"), other = entry("Replace by");
  count.setAttribute("aria-live", "polite");

  /** @returns {number[]} */
  const places = () => {
    const wanted = field.value.toLowerCase(), text = area.value.toLowerCase(), found = [];
    if (!wanted) return [];
    for (let at = text.indexOf(wanted); at >= 0 && found.length < 100000; at = text.indexOf(wanted, at + wanted.length)) found.push(at);
    return found;
  };
  /** @param {number} way */
  const next = way => {
    const found = places(), here = area.selectionStart;
    if (!found.length) { count.textContent = field.value ? "none" : ""; return; }
    let index = way > 0 ? found.findIndex(at => at > here || (at === here && area.selectionEnd === here)) : found.findLastIndex(at => at < here);
    if (index < 0) index = way > 0 ? 0 : found.length - 1;
    count.textContent = `${index + 1} of ${found.length}`;
    show(found[index], found[index] + field.value.length);
  };
  const replace = () => {
    const chosen = area.value.slice(area.selectionStart, area.selectionEnd);
    area.focus({ preventScroll: true });
    if (field.value && chosen.toLowerCase() === field.value.toLowerCase()) insert(other.value);
    next(1);
  };
  const close = () => { element.hidden = true; area.focus(); };

  field.addEventListener("input", () => { const found = places(); count.textContent = field.value ? `${found.length}` : ""; });
  element.addEventListener("keydown", event => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === field) { next(event.shiftKey ? -1 : 1); field.focus(); }
    else if (event.key === "Enter" && event.target === other) { replace(); other.focus(); }
    else return;
    event.preventDefault();
  });
  element.append(field, button("‹", "previous place", () => next(-1), "small"), button("›", "next place", () => next(1), "small"), other,
    button("Replace", "replace this one", replace, "small"), count, button("×", "close", close, "small"));
  return {
    element, next,
    open: text => {
      element.hidden = false;
      if (text && !text.includes("\n")) field.value = text;
      field.focus();
      field.select();
      field.dispatchEvent(new Event("input"));
    },
  };
}

/** @param {string} label */
function entry(label) {
  const field = /** @type {HTMLInputElement} */ (make("input", "entry"));
  field.type = "text";
  field.placeholder = label;
  field.spellcheck = false;
  field.setAttribute("aria-label", label);
  return field;
}
