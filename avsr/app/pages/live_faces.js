// The others' pictures, each with its name, its sound, and what is being said in it right now.

import { announce, byId, make, setText } from "./dom.js";
import { say } from "./strings.js";

const OLD_MS = 6000; // after which what was said is shown fainter
const OVER_MS = 20_000; // and not any more; the panel has it

export class Faces {
  constructor(mesh) {
    this.mesh = mesh;
    this.tiles = new Map(); // id → Face
    this.blocked = false; // whether the browser lets no sound play until a button is pressed
    mesh.addEventListener("change", ({ detail: { id } }) => this.tiles.get(id)?.draw());
    byId("sound-on").addEventListener("click", () => this.allowSound());
  }

  /** `people`: id → {name}; everybody but oneself has one tile, which stays the same element. */
  draw(people, me) {
    const here = [...people].filter(([id]) => id !== me && !this.mesh.gone.has(id));
    const ids = new Set(here.map(([id]) => id));
    for (const [id, tile] of this.tiles) {
      if (ids.has(id) && this.mesh.end) continue;
      tile.remove();
      this.tiles.delete(id);
    }
    for (const [id, { name }] of this.mesh.end ? here : []) {
      let tile = this.tiles.get(id);
      if (!tile) {
        tile = new Face(this, id);
        this.tiles.set(id, tile);
        byId("faces").append(tile.element);
      }
      tile.name = name;
      tile.draw();
    }
    setText(byId("faces-note"), !this.mesh.end ? say("facesOff") : here.length ? "" : say("facesNobody"));
    byId("sound-blocked").hidden = !this.blocked || !this.tiles.size;
  }

  /** A partial or a final, as the server says it. */
  caption(message) {
    this.tiles.get(message.participant)?.caption(message);
  }

  /** What was being said is not known any more. */
  dropPartials() {
    for (const tile of this.tiles.values()) if (!tile.final) tile.say("");
  }

  clear() {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.blocked = false;
  }

  soundIsBlocked() {
    this.blocked = true;
    byId("sound-blocked").hidden = false;
  }

  allowSound() {
    this.blocked = false;
    byId("sound-blocked").hidden = true;
    for (const tile of this.tiles.values()) tile.play();
    byId("show-others").focus(); // the button is gone, and the focus must be somewhere
  }
}

class Face {
  constructor(faces, id) {
    this.faces = faces;
    this.id = id;
    this.name = "";
    this.muted = false;
    this.state = "quiet";
    this.segment = null;
    this.final = false;
    this.timers = [];
    this.video = make("video", { playsinline: true });
    this.initial = make("span", { class: "face-initial", "aria-hidden": "true" });
    this.title = make("h3", { class: "face-name" });
    this.line = make("p", { class: "face-line", "aria-hidden": "true" }); // the panel reads it out
    this.words = make("span");
    this.line.append(this.words);
    this.note = make("p", { class: "face-note" });
    this.mute = make("button", { type: "button", onclick: () => this.toggle() });
    this.volume = make("input", { type: "range", min: "0", max: "100", step: "5", value: "100", oninput: () => this.loudness() });
    this.sound = make("div", { class: "face-sound" }, this.mute, this.volume);
    const picture = make("div", { class: "face-picture" }, this.initial, this.video);
    this.element = make("li", { class: "face", "data-id": String(id) }, picture, this.title, this.line, this.note, this.sound);
  }

  draw() {
    const link = this.faces.mesh.links.get(this.id);
    const state = link?.state ?? "quiet";
    const seen = Boolean(link?.has("video"));
    this.element.dataset.state = state;
    this.element.dataset.picture = seen ? "shown" : "none";
    setText(this.title, this.name);
    setText(this.initial, [...this.name][0] ?? "");
    setText(this.note, state === "unreachable" ? say("faceUnreachable") : state === "connecting" ? say("faceConnecting") : "");
    if (state === "unreachable" && this.state !== state) announce(say("faceUnreachableNamed", { name: this.name }));
    this.state = state;
    this.video.setAttribute("aria-label", say("faceOf", { name: this.name }));
    this.video.setAttribute("aria-hidden", String(!seen));
    this.sound.hidden = !link?.has("audio");
    setText(this.mute, say(this.muted ? "unmuteOne" : "muteOne"));
    this.mute.setAttribute("aria-label", say(this.muted ? "unmuteNamed" : "muteNamed", { name: this.name }));
    this.volume.setAttribute("aria-label", say("volumeOf", { name: this.name }));
    const stream = link?.stream ?? null;
    if (this.video.srcObject !== stream) {
      this.video.srcObject = stream;
      if (stream) this.play();
    } else if (stream && this.video.paused && !this.starting) this.play();
  }

  /** Plays picture and sound; where the browser lets no sound play yet, the picture alone. */
  async play() {
    this.starting = true;
    this.video.muted = this.muted || this.faces.blocked;
    try {
      await this.video.play();
    } catch (error) {
      if (error.name === "NotAllowedError" && !this.video.muted) {
        this.faces.soundIsBlocked();
        this.video.muted = true;
        await this.video.play().catch(() => {}); // then it stands still
      }
    } finally {
      this.starting = false;
    }
  }

  toggle() {
    this.muted = !this.muted;
    this.video.muted = this.muted || this.faces.blocked;
    this.draw();
  }

  loudness() {
    this.video.volume = Number(this.volume.value) / 100;
  }

  caption({ type, segment, text, committed, tail, speaker }) {
    const words = type === "final" ? text : [committed, tail].filter(Boolean).join(" ");
    if (!words && segment !== this.segment) return; // another one came to nothing
    this.segment = segment;
    this.final = type === "final";
    this.say(words, speaker);
  }

  say(words, speaker = null) {
    for (const timer of this.timers) clearTimeout(timer);
    delete this.line.dataset.old;
    setText(this.words, words && speaker !== null ? `${speaker || say("offScreen")}: ${words}` : words);
    if (words) this.timers = [setTimeout(() => (this.line.dataset.old = ""), OLD_MS), setTimeout(() => this.say(""), OVER_MS)];
  }

  remove() {
    for (const timer of this.timers) clearTimeout(timer);
    this.video.srcObject = null;
    const focused = this.element.contains(document.activeElement);
    this.element.remove();
    if (focused) byId("show-others").focus(); // whoever was at its buttons must be somewhere
  }
}
