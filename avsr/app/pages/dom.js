// Small helpers for building the page. Texts are always set as text, never as HTML: file names and captions are strangers'.

import { say } from "./strings.js";

export const byId = (id) => document.getElementById(id);

/** An element with properties (`class`, `data-…`, `aria-…` and other attributes, `on…` listeners) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** One of the pictures at the top of index.html; words beside it say the same, so it is hidden from screen readers. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** Sets a text only where it differs: what has not changed is not drawn, read out or selected anew. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says something to a screen reader without moving the focus. */
export function announce(text) {
  const region = byId("announcer");
  // The same sentence twice is silent unless it differs: a no-break space makes the difference.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Shows a problem at the top of the page and reads it out. */
export function showProblem(text) {
  byId("problem-text").textContent = text;
  byId("problem").hidden = false;
}

export function hideProblem() {
  byId("problem").hidden = true;
  byId("problem-text").textContent = "";
}

/** Asks whether to delete a video; resolves to true or false. The dialog keeps the focus and gives it back. */
export function askToRemove(name) {
  const dialog = byId("remove-dialog");
  byId("remove-detail").textContent = say("removeDetail", { name });
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "remove"), { once: true });
  });
}
