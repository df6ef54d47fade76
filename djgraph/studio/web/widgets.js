// @ts-check
// Buttons, labelled fields and parts with a heading, as several views have them.

import { make } from "./control.js";

/** A sign without letters is read aloud as its title. @param {string} text @param {string} title @param {() => void} click @param {string} [name] */
export function button(text, title, click, name = "") {
  const element = /** @type {HTMLButtonElement} */ (make("button", name));
  element.textContent = text;
  element.title = title;
  if (text && !/\p{L}/u.test(text)) element.setAttribute("aria-label", title);
  element.addEventListener("click", click);
  return element;
}

/** @param {string} text @param {HTMLElement} field @param {string} [name] */
export function labelled(text, field, name = "") {
  const element = make("label", name), words = make("span", "");
  words.textContent = text;
  element.append(words, field);
  return element;
}

/** A part of a view, with its heading. @param {string} title @param {string} name */
export function headed(title, name) {
  const element = make("section", name), head = make("h2", "");
  head.textContent = title;
  element.setAttribute("aria-label", title);
  element.append(head);
  return element;
}
