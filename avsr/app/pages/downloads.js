// What can be taken away: the menu of files, and the video with its captions burned in, which has to be made first.

import { announce, byId, make, setText, showProblem } from "./dom.js";
import { clock } from "./formats.js";
import { fillBar } from "./progress.js";
import { putVideo } from "./store.js";
import { say, sayError } from "./strings.js";
import { sendJson, videoPath } from "./api.js";

const FILES = [
  ["formatSoft", "soft.mp4"],
  ["formatSrt", "captions.srt"],
  ["formatVtt", "captions.vtt"],
  ["formatAss", "captions.ass"],
  ["formatTxt", "captions.txt"],
  ["formatJson", "captions.json"],
];

const stem = (name) => name.replace(/\.[^.]{1,5}$/, "");

export class Downloads {
  #video = null;
  #wanted = null; // the id of the video whose burned file shall be saved as soon as it is there
  #saved = null; // the id of the video whose burned file was saved last
  #said = "";

  /** `ready()` resolves to whether all edits are with the server; `burning(video)` is told that the server has begun. */
  constructor({ ready, burning }) {
    this.ready = ready;
    this.burning = burning;
    byId("burn").addEventListener("click", () => this.#burn());
    const button = byId("formats-button");
    button.addEventListener("click", () => this.#open(byId("formats").hidden));
    byId("formats").addEventListener("click", () => this.#open(false));
    const menu = button.parentElement;
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || byId("formats").hidden) return;
      this.#open(false);
      button.focus();
    });
    menu.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !menu.contains(relatedTarget)) this.#open(false);
    });
    document.addEventListener("pointerdown", (event) => menu.contains(event.target) || this.#open(false));
  }

  /** Whether news of a burning are awaited. */
  get awaited() {
    return this.#wanted !== null && this.#wanted === this.#video?.id;
  }

  show(video) {
    const other = this.#video?.id !== video?.id;
    this.#video = video;
    const done = video?.state === "done";
    byId("take").hidden = !done;
    if (!done) return;
    byId("burn").hidden = !video.has_picture;
    if (other) {
      this.#open(false);
      this.#said = "";
    }
    this.#fillMenu();
    this.#showBurn();
  }

  #fillMenu() {
    const { id, name, has_picture: picture } = this.#video;
    const key = `${id} ${picture} ${say("downloadMore")}`;
    const list = byId("formats");
    if (list.dataset.shows === key) return;
    list.dataset.shows = key;
    list.replaceChildren();
    for (const [words, file] of FILES) {
      if (file.endsWith(".mp4") && !picture) continue;
      const href = videoPath(id, `/${file}?download=1`);
      const download = `${stem(name)}.${file.replace("captions.", "")}`;
      list.append(make("li", {}, make("a", { href, download, text: say(words) })));
    }
  }

  #open(on) {
    byId("formats").hidden = !on;
    byId("formats-button").setAttribute("aria-expanded", String(on));
  }

  async #burn() {
    const { id } = this.#video;
    if (byId("burn").getAttribute("aria-disabled") === "true") return;
    if (!(await this.ready())) return;
    if (this.#video.burn.state === "done") {
      this.#saveBurned();
      return;
    }
    this.#wanted = id;
    // What an earlier burning came to is no news of this one.
    putVideo({ ...this.#video, burn: { state: "none", done: 0, total: null } });
    try {
      const answer = await sendJson("POST", videoPath(id, "/burn"));
      await this.burning(id, answer);
    } catch (error) {
      if (this.#wanted === id) this.#wanted = null;
      if (this.#video?.id === id) this.#showBurn();
      showProblem(sayError(error));
    }
  }

  #showBurn() {
    const { id, burn } = this.#video;
    const going = burn.state === "queued" || burn.state === "running" || (this.awaited && burn.state === "none");
    const done = burn.state === "done";
    const failed = burn.state === "failed" && !going;
    byId("burn").setAttribute("aria-disabled", String(going));
    byId("burn-status").hidden = !(going || failed || (done && (this.awaited || this.#saved === id)));
    const bar = byId("burn-bar");
    bar.hidden = !going;
    const words = going ? (burn.state === "running" ? "burning" : "burnQueued") : done ? "burned" : "burnFailed";
    setText(byId("burn-label"), say(words));
    const amount = burn.state === "running" && burn.total;
    setText(byId("burn-detail"), amount ? say("secondsDone", { done: clock(burn.done), all: clock(burn.total) }) : "");
    if (going) fillBar(bar, amount ? Math.min(1, burn.done / burn.total) : null, say("burning"));

    if ((going || failed || this.awaited) && this.#said !== words) announce(say(words));
    this.#said = words;
    if (this.awaited && done) {
      this.#wanted = null;
      this.#saveBurned();
    } else if (failed) {
      this.#wanted = null;
    }
  }

  #saveBurned() {
    const { id, name } = this.#video;
    this.#saved = id;
    const href = videoPath(id, "/burned.mp4?download=1");
    make("a", { href, download: `${stem(name)}.captioned.mp4` }).click();
  }
}
