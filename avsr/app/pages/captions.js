// The list of cues beside the player: which one is on, going to one, changing one, and where it was read from.

import { announce, byId, icon, make, setText } from "./dom.js";
import { makeEditor } from "./cue_editor.js";
import { clock } from "./formats.js";
import { say } from "./strings.js";

/** Below this a cue is marked: a person should look at it. */
export const LOW_CONFIDENCE = 0.6;

/** After someone has scrolled by hand the list does not follow the video for this long. */
const HANDS_OFF_MS = 6000;

const SOURCES = {
  both: { words: "sourceBoth", icons: ["voice", "lips"] },
  voice: { words: "sourceVoice", icons: ["voice"] },
  lips: { words: "sourceLips", icons: ["lips"] },
};

/** A cue that nobody has looked at although the recogniser was not sure. */
export const needsCheck = (cue) => !cue.edited && cue.confidence !== null && cue.confidence < LOW_CONFIDENCE;

/** What it was read from, whether someone should look at it, whether someone has changed it. */
function makeMarks(cue) {
  const marks = [];
  const source = SOURCES[cue.source];
  if (source) {
    const unseen = make("span", { class: "unseen", text: `${say("sourceIs")} ` });
    marks.push(make("span", { class: `badge ${cue.source}` }, ...source.icons.map(icon), unseen, say(source.words)));
  }
  if (needsCheck(cue)) {
    const percent = Math.round(100 * cue.confidence);
    const sure = make("span", { class: "sure", text: say("sureness", { percent }) });
    marks.push(make("span", { class: "mark check" }, icon("warn"), `${say("lowConfidence")} `, sure));
  }
  if (cue.edited) marks.push(make("span", { class: "mark" }, icon("check"), say("edited")));
  return marks;
}

export class CueList {
  #list = byId("cue-list");
  #rows = new Map(); // n → {cue, item, jump, text, …}
  #order = []; // n in order of time
  #active = null; // the one cue whose buttons the Tab key reaches; the arrows move it
  #editing = null; // {n, editor}
  #editable = false;
  #touched = 0;

  /** `jump(cue)` goes to a cue, `save(n, text)` resolves to the changed cue, `play(cue)` plays one, `edits(n)` tells. */
  constructor({ jump, save, play }) {
    this.jump = jump;
    this.save = save;
    this.play = play;
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    const touch = () => (this.#touched = Date.now());
    for (const kind of ["wheel", "touchmove"]) addEventListener(kind, touch, { passive: true });
    byId("to-check").addEventListener("click", () => this.#nextToCheck());
  }

  get cues() {
    return this.#order.map((n) => this.#rows.get(n).cue);
  }

  get unsaved() {
    return Boolean(this.#editing?.editor.changed);
  }

  clear() {
    this.#editing = null;
    this.#active = null;
    this.#rows.clear();
    this.#order = [];
    this.#list.replaceChildren();
  }

  /** Shows these cues and no others. Drafts cannot be edited. */
  show(cues, editable) {
    this.#editable = editable;
    this.#list.classList.toggle("drafts", !editable);
    const wanted = new Set(cues.map((cue) => cue.n));
    for (const [n, row] of this.#rows) {
      if (wanted.has(n)) continue;
      if (this.#editing?.n === n) this.#editing = null;
      row.item.remove();
      this.#rows.delete(n);
    }
    for (const cue of cues) this.#put(cue);
    this.#arrange();
  }

  /** Shows one more draft, or a changed one. */
  add(cue) {
    this.#put(cue);
    this.#arrange();
  }

  /** Writes everything anew, in another language. */
  redraw() {
    for (const row of this.#rows.values()) this.#draw(row);
    this.#count();
  }

  /** Marks the cues that are on at this moment and, if asked to, scrolls to the first of them. */
  setTime(time, follow) {
    let first = null;
    for (const n of this.#order) {
      const row = this.#rows.get(n);
      const on = row.cue.start <= time && time < row.cue.end;
      if (on) first ??= row;
      if (row.on === on) continue;
      row.on = on;
      row.item.classList.toggle("on", on);
      if (on) row.jump.setAttribute("aria-current", "true");
      else row.jump.removeAttribute("aria-current");
      if (on && follow) row.fresh = true;
    }
    if (first?.fresh && !this.#editing && Date.now() - this.#touched > HANDS_OFF_MS) {
      first.fresh = false;
      this.#reveal(first.item);
      if (!this.#list.contains(document.activeElement)) this.#activate(first.cue.n);
    }
  }

  /** Saves a cue that is being edited, before the view closes; resolves to false where that failed. */
  async finishEditing() {
    return this.#editing ? this.#editing.editor.submit() : true;
  }

  #put(cue) {
    let row = this.#rows.get(cue.n);
    if (!row) {
      row = this.#makeRow(cue);
      this.#rows.set(cue.n, row);
    } else if (JSON.stringify(row.cue) === JSON.stringify(cue) && row.editable === this.#editable) {
      return;
    }
    row.cue = cue;
    this.#draw(row);
  }

  #makeRow(cue) {
    const row = {
      cue,
      on: false,
      fresh: false,
      time: make("span", { class: "cue-time" }),
      text: make("span", { class: "cue-text", lang: "ko" }),
      marks: make("div", { class: "marks" }),
    };
    const words = make("span", { class: "cue-words" }, row.text);
    row.jump = make("button", { type: "button", class: "cue-jump", tabindex: "-1" }, row.time, words);
    row.edit = make("button", { type: "button", class: "quiet cue-edit", tabindex: "-1" }, icon("edit"));
    row.item = make("li", { class: "cue" }, row.jump, row.edit, row.marks);
    row.jump.addEventListener("click", () => {
      this.#activate(row.cue.n);
      this.jump(row.cue);
    });
    row.jump.addEventListener("dblclick", () => this.edit(row.cue.n));
    row.edit.addEventListener("click", () => this.edit(row.cue.n));
    return row;
  }

  #draw(row) {
    const { cue } = row;
    row.editable = this.#editable;
    setText(row.time, clock(cue.start, true));
    setText(row.text, cue.text || say("emptyCue"));
    row.text.classList.toggle("empty", !cue.text);
    row.edit.hidden = !this.#editable;
    row.edit.setAttribute("aria-label", say("editCue", { n: cue.n }));
    row.edit.title = say("edit");
    row.item.classList.toggle("low", needsCheck(cue));
    row.marks.replaceChildren(...makeMarks(cue));
  }

  /** Puts the rows in order of time and gives the Tab key one of them. */
  #arrange() {
    const order = [...this.#rows.values()].sort((one, other) => one.cue.start - other.cue.start || one.cue.n - other.cue.n);
    this.#order = order.map((row) => row.cue.n);
    order.forEach((row, place) => {
      if (this.#list.children[place] !== row.item) this.#list.insertBefore(row.item, this.#list.children[place] ?? null);
    });
    if (!this.#rows.has(this.#active)) this.#activate(this.#order[0] ?? null);
    this.#count();
  }

  #count() {
    setText(byId("cue-count"), this.#order.length ? say("cueCount", { n: this.#order.length }) : "");
    const left = this.#editable ? this.cues.filter(needsCheck).length : 0;
    byId("to-check").hidden = left === 0;
    if (left) setText(byId("to-check-text"), say("toCheck", { n: left }));
  }

  #activate(n) {
    for (const [which, value] of [[this.#active, "-1"], [n, "0"]]) {
      const row = this.#rows.get(which);
      if (!row) continue;
      row.jump.setAttribute("tabindex", value);
      row.edit.setAttribute("tabindex", value);
    }
    this.#active = n;
  }

  #focus(n) {
    this.#activate(n);
    const row = this.#rows.get(n);
    row.jump.focus({ preventScroll: true });
    this.#reveal(row.item, true);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = [...this.#rows.values()].find(({ item }) => item.contains(event.target));
    if (!row || event.isComposing) return;
    const place = this.#order.indexOf(row.cue.n);
    const last = this.#order.length - 1;
    const goal = { ArrowDown: Math.min(place + 1, last), ArrowUp: Math.max(place - 1, 0), Home: 0, End: last }[event.key];
    if (goal !== undefined) this.#focus(this.#order[goal]);
    // The key's place, not its letter: with Korean input it is ㄷ.
    else if ((event.key === "F2" || event.code === "KeyE") && this.#editable) this.edit(row.cue.n);
    else return;
    event.preventDefault();
  }

  #nextToCheck() {
    const from = this.#order.indexOf(this.#active);
    const turned = [...this.#order.slice(from + 1), ...this.#order.slice(0, from + 1)];
    const n = turned.find((which) => needsCheck(this.#rows.get(which).cue));
    if (n === undefined) return;
    this.jump(this.#rows.get(n).cue);
    this.#focus(n);
  }

  async edit(n) {
    if (!this.#editable || this.#editing?.n === n) return;
    if (!(await this.finishEditing())) return; // the other one could not be saved: it stays open and says why
    const row = this.#rows.get(n);
    if (!row) return;
    this.#activate(n);
    const editor = makeEditor(row.cue, {
      save: async (text) => {
        const cue = await this.save(n, text);
        if (this.#rows.get(n) !== row) return;
        row.cue = cue;
        this.#draw(row);
        this.#count();
      },
      close: (saved) => {
        if (this.#editing?.n !== n) return;
        const hadFocus = row.item.contains(document.activeElement);
        this.#editing = null;
        editor.form.remove();
        row.item.classList.remove("editing");
        if (saved) announce(say("saved", { n }));
        if (hadFocus || document.activeElement === document.body) this.#focus(n);
      },
      play: () => this.play(row.cue),
    });
    this.#editing = { n, editor };
    row.item.classList.add("editing");
    row.item.append(editor.form);
    editor.focus();
    this.#reveal(row.item, true);
  }

  /** Scrolls the list, or the page below the player where the list has no bar of its own, and nothing else. */
  #reveal(item, nearest = false) {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    const box = item.getBoundingClientRect();
    const { scrollHeight, clientHeight } = this.#list;
    const own = scrollHeight > clientHeight && getComputedStyle(this.#list).overflowY !== "visible";
    const below = { top: byId("player").getBoundingClientRect().bottom, bottom: innerHeight };
    const frame = own ? this.#list.getBoundingClientRect() : below;
    if (!own && frame.top > innerHeight - box.height) return; // the page is scrolled away from the list
    const inside = box.top >= frame.top && box.bottom <= frame.bottom;
    if (nearest && inside) return;
    const room = frame.bottom - frame.top;
    const by = box.top - frame.top - Math.max(0, (room - box.height) / (nearest ? 2 : 3));
    (own ? this.#list : window).scrollBy({ top: by, behavior });
  }
}
