// @ts-check
// Dark or light: as the system has it, until somebody chooses; the choice stays.

import { make } from "./control.js";

const KEPT = "djgraph theme";
const LIGHT = matchMedia("(prefers-color-scheme: light)");

/** @returns {"dark"|"light"} */
function theme() {
  const chosen = localStorage.getItem(KEPT);
  if (chosen === "dark" || chosen === "light") return chosen;
  return LIGHT.matches ? "light" : "dark";
}

function apply() {
  document.documentElement.dataset.theme = theme();
}

LIGHT.addEventListener("change", apply);
addEventListener("storage", apply); // another page of the studio
apply();

/** A button that goes from one to the other. */
export function makeTheme() {
  const button = make("button", "theme");
  button.textContent = "◐";
  button.title = "Light / dark";
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", () => {
    localStorage.setItem(KEPT, theme() === "light" ? "dark" : "light");
    apply();
  });
  return button;
}
