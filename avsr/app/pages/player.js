// The player. The captions are a text track of the browser's own, so that they show in full screen and on a phone's own
// player too, and in the look that a viewer has set for captions in the system.

import { byId, setText } from "./dom.js";
import { recall, remember, say } from "./strings.js";

const KEPT_SIZE = "avsr.caption-size";

/** Into a cue, not onto its edge: players round, and a hair before the start the cue before is on. */
const INTO_CUE = 0.01;

/** A cue's text is WebVTT markup: what a caption holds of it is only text. */
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export class Player {
  #video = byId("video");
  #track = null;
  #source = null;
  #stopAt = null;
  #broken = false;
  #shown = new Map(); // n → VTTCue

  /** `moved(time)` is called when another moment is on. */
  constructor(moved) {
    this.moved = moved;
    const tell = () => moved(this.#video.currentTime);
    for (const event of ["timeupdate", "seeking", "seeked"]) this.#video.addEventListener(event, tell);
    this.#video.addEventListener("timeupdate", () => this.#stopIfDue());
    this.#video.addEventListener("seeking", () => this.#stopAt?.armed && (this.#stopAt = null));
    this.#video.addEventListener("error", () => this.#source && this.#cannotPlay());
    this.#video.addEventListener("loadedmetadata", () => {
      // A browser that knows the sound but not the picture plays on without it.
      const blind = this.#source.picture && this.#video.videoWidth === 0;
      if (blind) this.#cannotPlay();
    });
    this.#prepareSize();
  }

  get broken() {
    return this.#broken;
  }

  /** Shows a file; the same one again changes nothing. */
  load(path, picture) {
    if (this.#source?.path === path) return;
    this.unload();
    this.#source = { path, picture };
    this.#video.src = path;
    byId("player").hidden = false;
    byId("player").classList.toggle("sound-only", !picture);
    byId("caption-size-row").hidden = false;
  }

  unload() {
    this.#source = null;
    this.#stopAt = null;
    this.#broken = false;
    this.showCues([]);
    byId("player").hidden = true;
    byId("cannot-play").hidden = true;
    byId("caption-size-row").hidden = true;
    this.#video.hidden = false;
    if (!this.#video.hasAttribute("src")) return;
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load(); // lets go of the file and of its connection
  }

  showCues(cues) {
    if (!this.#track) {
      this.#track = this.#video.addTextTrack("captions", say("captionsTrack"), "ko");
      this.#track.mode = "showing";
      this.#track.addEventListener("cuechange", () => this.moved(this.#video.currentTime));
    }
    for (const shown of this.#shown.values()) this.#track.removeCue(shown);
    this.#shown.clear();
    for (const cue of cues) this.putCue(cue);
  }

  putCue(cue) {
    const old = this.#shown.get(cue.n);
    if (old) this.#track.removeCue(old);
    this.#shown.delete(cue.n);
    if (!cue.text || !(cue.end > cue.start)) return;
    // Who speaks stands in the text, where readers need it: it is laid out with the rest, and can be corrected.
    const shown = new VTTCue(cue.start, cue.end, escape(cue.text));
    this.#track.addCue(shown);
    this.#shown.set(cue.n, shown);
  }

  /** Goes to a cue, and goes on playing or stays paused as before. */
  jump(cue) {
    this.#stopAt = null;
    if (this.#broken) this.moved(cue.start + INTO_CUE);
    else this.#video.currentTime = cue.start + INTO_CUE;
  }

  /** Plays one cue and stops at its end. */
  playCue(cue) {
    this.jump(cue);
    if (this.#broken) return;
    this.#stopAt = { time: cue.end, armed: false };
    this.#video.addEventListener("seeked", () => this.#stopAt && (this.#stopAt.armed = true), { once: true });
    this.#video.play().catch(() => {}); // a browser may refuse to play; then it stands at the cue
  }

  pause() {
    if (!this.#video.paused) this.#video.pause();
  }

  redraw() {
    if (this.#broken) this.#cannotPlay();
  }

  #stopIfDue() {
    if (this.#stopAt === null || this.#video.currentTime < this.#stopAt.time) return;
    this.#video.pause();
    this.#stopAt = null;
  }

  #cannotPlay() {
    this.#broken = true;
    this.#video.hidden = true;
    setText(byId("cannot-play-text"), say(this.#source.picture ? "cannotPlay" : "cannotPlaySound"));
    byId("cannot-play").hidden = false;
    byId("caption-size-row").hidden = true;
  }

  #prepareSize() {
    const choice = byId("caption-size");
    const kept = recall(KEPT_SIZE);
    if ([...choice.options].some((option) => option.value === kept)) choice.value = kept;
    const show = () => (this.#video.dataset.size = choice.value);
    show();
    choice.addEventListener("change", () => {
      remember(KEPT_SIZE, choice.value);
      show();
    });
  }
}
