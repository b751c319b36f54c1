// The panel beside the pictures: final lines, which are read out; what is still being said, which is not; search, hold, size, export.

import { byId, make, setText } from "./dom.js";
import { clock } from "./formats.js";
import { recall, remember, say } from "./strings.js";

const KEPT_SIZE = "avsr.live.size";
const FORMATS = {
  txt: { type: "text/plain", write: (lines) => lines.map((line) => `[${clock(line.start)}] ${whose(line)}: ${line.text}\n`).join("") },
  srt: {
    type: "application/x-subrip",
    write: (lines) => lines.map((line, n) => `${n + 1}\n${stamp(line.start, ",")} --> ${stamp(line.end, ",")}\n${whose(line)}: ${line.text}\n\n`).join(""),
  },
  vtt: {
    type: "text/vtt",
    write: (lines) => `WEBVTT\n\n${lines.map((line) => `${stamp(line.start, ".")} --> ${stamp(line.end, ".")}\n${voice(line)}\n\n`).join("")}`,
  },
};

/** 00:01:02.345 */
function stamp(seconds, point) {
  const whole = Math.round(seconds * 1000);
  const two = (number, digits = 2) => String(number).padStart(digits, "0");
  return `${two(Math.floor(whole / 3_600_000))}:${two(Math.floor(whole / 60_000) % 60)}:${two(Math.floor(whole / 1000) % 60)}${point}${two(whole % 1000, 3)}`;
}

/** WebVTT's voice span; its text knows three entities. */
function voice(line) {
  const plain = (given) => given.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<v ${plain(whose(line))}>${plain(line.text)}`;
}

/** Who says it: the participant and, where several people are before their camera, which of them: "민지 · 2". */
function whose({ name, speaker }, mark = "") {
  const called = mark ? `${name} (${mark})` : name;
  if (speaker === null || speaker === undefined) return called;
  return `${called} · ${speaker || say("offScreen")}`;
}

export class Panel {
  constructor() {
    this.me = 0;
    this.lines = []; // finals
    this.waiting = []; // elements that are held back
    this.partials = new Map(); // segment → element
    this.gaps = new Map(); // participant → what was skipped of theirs after so many lines, and the note that says so
    byId("search").addEventListener("input", () => this.search());
    byId("hold").addEventListener("click", () => this.hold(byId("hold").getAttribute("aria-pressed") !== "true"));
    byId("export").addEventListener("click", () => this.save(byId("format").value));
    byId("size").addEventListener("change", () => this.size(byId("size").value));
    this.size(recall(KEPT_SIZE) ?? "100");
  }

  clear() {
    this.lines = [];
    this.waiting = [];
    this.gaps.clear();
    this.dropPartials();
    byId("log").replaceChildren();
    this.drawHeld();
  }

  dropPartials() {
    this.partials.clear();
    byId("partials").replaceChildren();
  }

  /** A final line: `message` as the server says it. */
  add(message) {
    this.lines.push(message);
    this.endPartial(message.segment);
    this.put(this.element(message, make("p", { class: "words", text: message.text }), message.source));
  }

  /** Something that has happened, in words. */
  note(text) {
    const element = make("p", { class: "event", text });
    this.put(element);
    return element;
  }

  /** What the computer has left out of somebody's: said once, and added up there as long as nobody has said anything since. */
  skipped({ participant, name, sound, pictures }) {
    const after = this.lines.length;
    const before = this.gaps.get(participant);
    const goesOn = before?.after === after;
    const all = { sound: sound + (goesOn ? before.sound : 0), pictures: pictures + (goesOn ? before.pictures : 0) };
    const what = [
      all.sound && say("droppedSound", { n: all.sound.toFixed(1) }),
      all.pictures && say("droppedPictures", { n: all.pictures.toFixed(1) }),
    ];
    const text = say("dropped", { name, what: what.filter(Boolean).join(", ") });
    if (goesOn) setText(before.element, text);
    this.gaps.set(participant, { ...all, after, element: goesOn ? before.element : this.note(text) });
  }

  partial(message) {
    if (!message.committed && !message.tail) {
      this.endPartial(message.segment);
      return;
    }
    const committed = make("span", { class: "committed", text: message.committed });
    const tail = make("span", { class: "tail", text: message.tail });
    const words = make("p", { class: "words" }, committed, message.committed && message.tail ? " " : "", tail);
    const element = this.element(message, words, null);
    this.partials.get(message.segment)?.remove();
    this.partials.set(message.segment, element);
    byId("partials").append(element);
  }

  endPartial(segment) {
    this.partials.get(segment)?.remove();
    this.partials.delete(segment);
  }

  element(message, words, source) {
    const mine = message.participant === this.me;
    const from = source === "lips" ? say("source_lips") : source === "voice" ? say("source_voice") : null;
    const name = make("strong", { text: whose(message, mine ? say("me") : "") });
    const who = make("p", { class: "who" }, name, " ", make("span", { class: "when", text: clock(message.start) }));
    if (from) who.append(" ", make("span", { class: "from", text: from }));
    return make("div", { class: mine ? "line mine" : "line" }, who, words);
  }

  put(element) {
    if (byId("hold").getAttribute("aria-pressed") === "true") {
      this.waiting.push(element);
      this.drawHeld();
      return;
    }
    const log = byId("log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    log.append(element);
    this.filter(element);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  hold(on) {
    byId("hold").setAttribute("aria-pressed", String(on));
    if (!on) for (const element of this.waiting.splice(0)) this.put(element);
    this.drawHeld();
  }

  drawHeld() {
    const on = byId("hold").getAttribute("aria-pressed") === "true";
    setText(byId("held"), on ? say("held", { n: this.waiting.length }) : "");
  }

  search() {
    for (const element of byId("log").children) this.filter(element);
    const wanted = byId("search").value.trim();
    setText(byId("found"), wanted ? say("found", { n: byId("log").querySelectorAll(":scope > :not([hidden])").length }) : "");
  }

  filter(element) {
    element.hidden = !element.textContent.toLowerCase().includes(byId("search").value.trim().toLowerCase());
  }

  size(percent) {
    byId("size").value = percent;
    if (!byId("size").value) byId("size").value = "100";
    byId("room").dataset.size = byId("size").value;
    remember(KEPT_SIZE, byId("size").value);
  }

  save(format) {
    const { type, write } = FORMATS[format];
    const lines = [...this.lines].sort((one, other) => one.start - other.start);
    const address = URL.createObjectURL(new Blob([write(lines)], { type: `${type};charset=utf-8` }));
    const link = make("a", { href: address, download: `avsr-live-${new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-")}.${format}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
