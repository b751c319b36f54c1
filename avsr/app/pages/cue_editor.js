// The field in which one cue's text is changed.

import { icon, make } from "./dom.js";
import { say, sayError } from "./strings.js";

const MOST_LINES = 2;

/**
 * A form for the text of `cue`. `save(text)` resolves once the server has it; then `close(true)` is called, and after
 * Esc or the button `close(false)`. `play()` plays what the cue belongs to.
 */
export function makeEditor(cue, { save, close, play }) {
  const hint = `edit-help-${cue.n}`;
  const field = make("textarea", {
    class: "edit-field",
    lang: "ko",
    rows: MOST_LINES,
    spellcheck: "true",
    enterkeyhint: "done",
    "aria-label": say("editField", { n: cue.n }),
    "aria-describedby": hint,
  });
  field.value = cue.text;
  const problem = make("p", { class: "edit-problem", role: "alert" });
  const saveButton = make("button", { type: "submit", class: "main-button small", text: say("save") });
  const leave = () => close(false);
  const cancelButton = make("button", { type: "button", class: "small", text: say("cancel"), onclick: leave });
  const playWords = make("span", { text: say("playCue") });
  const playButton = make("button", { type: "button", class: "quiet small", onclick: play }, icon("play"), playWords);
  const form = make(
    "form",
    { class: "edit" },
    field,
    problem,
    make("div", { class: "buttons" }, saveButton, cancelButton, playButton),
    make("p", { class: "edit-help", id: hint, text: say("editHelp") }),
  );

  let sending = null;

  /** Sends the text unless it is the old one; resolves to whether the form could be closed. */
  async function submit() {
    if (sending) return sending;
    const text = field.value.split("\n").map((line) => line.trim()).filter(Boolean).join("\n");
    if (text === cue.text) {
      close(false);
      return true;
    }
    field.readOnly = true;
    form.setAttribute("aria-busy", "true");
    problem.textContent = "";
    sending = save(text).then(
      () => true,
      (error) => {
        problem.textContent = sayError(error);
        return false;
      },
    );
    const saved = await sending;
    sending = null;
    field.readOnly = false;
    form.removeAttribute("aria-busy");
    if (saved) close(true);
    else field.focus();
    return saved;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("keydown", (event) => {
    // While a syllable is being composed, Enter and Esc belong to the input method (229: what some browsers say then).
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.preventDefault();
      close(false);
    } else if (event.key === "Enter" && event.target === field) {
      if (event.shiftKey && field.value.split("\n").length < MOST_LINES) return; // the browser breaks the line
      event.preventDefault();
      if (!event.shiftKey) submit();
    }
    event.stopPropagation(); // keys typed here are no commands to the list
  });

  return {
    form,
    submit,
    focus() {
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    },
    get changed() {
      return field.value !== cue.text;
    },
  };
}
