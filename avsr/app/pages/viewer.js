// One open video: how far it is, the player, its cues, and what can be taken away.

import { getJson, listen, sendJson, videoPath } from "./api.js";
import { CueList } from "./captions.js";
import { byId, setText, showProblem } from "./dom.js";
import { Downloads } from "./downloads.js";
import { clock, moment } from "./formats.js";
import { Player } from "./player.js";
import { announceState, describe, drawSteps, fillBar, titleWindow } from "./progress.js";
import { dropVideo, onChange, putVideo, uploadOf, videos } from "./store.js";
import { say, sayError } from "./strings.js";

const USED = { av: "usedAv", audio: "usedAudio", lip: "usedLip" };
const REASONS = { no_face: "reasonNoFace", silent: "reasonSilent" };

export class Viewer {
  #id = null;
  #stream = null;
  #final = false; // whether the cues on show are the finished ones

  /** `remove(id)`, `cancel(upload)` and `choose()` are what the buttons ask for; `gone()` leaves for the list. */
  constructor({ remove, cancel, choose, gone }) {
    this.gone = gone;
    this.player = new Player((time) => this.list.setTime(time, byId("follow").checked));
    this.list = new CueList({
      jump: (cue) => this.player.jump(cue),
      play: (cue) => this.player.playCue(cue),
      save: (n, text) => this.#save(n, text),
    });
    this.downloads = new Downloads({
      ready: () => this.list.finishEditing(),
      burning: (id, answer) => this.#burning(id, answer),
    });
    byId("remove").addEventListener("click", () => remove(this.#id));
    byId("cancel").addEventListener("click", () => cancel(uploadOf(this.#id)));
    byId("retry").addEventListener("click", () => uploadOf(this.#id)?.retryNow());
    byId("resume").addEventListener("click", choose);
    onChange(() => this.#draw());
  }

  get id() {
    return this.#id;
  }

  get unsaved() {
    return this.list.unsaved;
  }

  open(id) {
    if (this.#id === id) return;
    this.close();
    this.#id = id;
    setText(byId("viewer-heading"), videos.get(id)?.name ?? uploadOf(id)?.file.name ?? "");
    this.#draw();
    byId("viewer-heading").focus({ preventScroll: true });
    scrollTo(0, 0);
    this.#load();
  }

  /** Leaves the video; a changed cue that was not saved is saved. */
  close() {
    if (this.#id === null) return;
    if (this.list.unsaved) this.list.finishEditing().then((saved) => saved || showProblem(say("notSaved")));
    this.#stream?.close();
    this.#stream = null;
    this.#id = null;
    this.#final = false;
    this.list.clear();
    this.player.unload();
    this.downloads.show(null);
    for (const part of ["cues-section", "status", "remove"]) byId(part).hidden = true;
    setText(byId("facts"), "");
  }

  redraw() {
    if (this.#id === null) return;
    this.list.redraw();
    this.player.redraw();
    this.#draw();
  }

  async #load() {
    const id = this.#id;
    try {
      const video = await getJson(videoPath(id));
      if (this.#id !== id) return;
      this.#final = video.state === "done";
      putVideo(video);
      this.#showCues(video);
    } catch (error) {
      if (this.#id !== id || error.status === 401) return;
      if (error.status === 404) {
        if (uploadOf(id)) return; // the upload says what became of it
        dropVideo(id);
        this.gone();
      }
      showProblem(sayError(error));
    }
    this.#listen();
  }

  #showCues(video) {
    const cues = video.cues ?? [];
    // Drafts that came by the stream while the answer was on its way are kept.
    const drafts = this.#final ? [] : this.list.cues.filter((old) => !cues.some((cue) => cue.n === old.n));
    const all = [...cues, ...drafts];
    this.list.show(all, this.#final);
    this.player.showCues(all);
    this.#draw();
  }

  /** Listens while there is something to hear: browsers allow six lines to a server, and each stream takes one. */
  #listen() {
    const video = videos.get(this.#id);
    const burning = ["queued", "running"].includes(video?.burn.state) || this.downloads.awaited;
    const going = video && (["uploading", "queued", "running"].includes(video.state) || burning);
    if (!going) {
      this.#stream?.close();
      this.#stream = null;
    } else if (!this.#stream) {
      const id = this.#id;
      this.#stream = listen(videoPath(id, "/events"), {
        opened: () => this.#load(),
        lost: () => this.#load(),
        state: (news) => this.#id === id && this.#hear(news),
        cue: (cue) => this.#id === id && this.#hearCue(cue),
      });
    }
  }

  #hear(video) {
    if (video.state === "deleted") {
      dropVideo(video.id);
      this.gone();
      return;
    }
    putVideo(video);
    if (video.state === "done" && !this.#final) this.#load();
    else this.#listen();
  }

  #hearCue(cue) {
    if (this.#final) return;
    this.list.add(cue);
    this.player.putCue(cue);
    this.#draw();
  }

  async #save(n, text) {
    const cue = await sendJson("PATCH", videoPath(this.#id, `/cues/${n}`), { text });
    this.player.putCue(cue);
    const video = videos.get(this.#id);
    // The burned file has the old words in it.
    if (video) putVideo({ ...video, burn: { state: "none", done: 0, total: null } });
    return cue;
  }

  async #burning(id, answer) {
    const video = answer?.burn ? answer : await getJson(videoPath(id));
    putVideo(video);
    if (this.#id === id) this.#listen();
  }

  #draw() {
    if (this.#id === null) return;
    const video = videos.get(this.#id);
    const upload = uploadOf(this.#id);
    byId("status").hidden = !(video || upload);
    if (!video && !upload) return;
    const name = video?.name ?? upload.file.name;
    const state = describe(video, upload);
    setText(byId("viewer-heading"), name);
    titleWindow(name, state);
    announceState(this.#id, name, state);
    this.#drawStatus(video, upload, state);
    this.#drawCues(video, state);
    if (!video) return;
    this.#drawFacts(video);
    if (video.state === "failed") this.player.unload();
    else if (["queued", "running", "done"].includes(video.state) && !upload) {
      this.player.load(videoPath(video.id, "/media"), video.has_picture);
    }
    this.downloads.show(video);
  }

  #drawStatus(video, upload, state) {
    const card = byId("status");
    card.hidden = state.tone === "done";
    card.dataset.tone = state.tone;
    const steps = byId("steps");
    steps.hidden = state.step === null;
    if (state.step !== null) drawSteps(steps, state);
    setText(byId("status-label"), state.label);
    setText(byId("status-detail"), state.detail);
    const bar = byId("status-bar");
    bar.hidden = state.tone === "failed" || state.step === 1;
    if (!bar.hidden) fillBar(bar, state.fraction, state.label);
    const ours = Boolean(upload?.active);
    byId("resume").hidden = ours || !(video?.state === "uploading" || state.tone === "failed");
    setText(byId("resume"), say(state.tone === "failed" ? "chooseOther" : "chooseSame"));
    byId("retry").hidden = upload?.phase !== "waiting";
    byId("cancel").hidden = !ours;
    byId("remove").hidden = ours || !video;
  }

  #drawFacts(video) {
    const facts = [
      video.duration ? clock(video.duration) : "",
      video.used in USED && video.state === "done" ? say(USED[video.used]) : "",
      video.state === "done" && video.reason in REASONS ? say(REASONS[video.reason]) : "",
      video.expires ? say("expires", { when: moment(video.expires) }) : "",
    ];
    setText(byId("facts"), facts.filter(Boolean).join(" · "));
  }

  #drawCues(video, state) {
    const reading = video?.state === "running";
    const done = video?.state === "done" && this.#final;
    const any = this.list.cues.length > 0;
    byId("cues-section").hidden = state.tone === "failed";
    byId("cue-list").hidden = !any;
    byId("follow-row").hidden = !any;
    const note = byId("cues-note");
    let words = "";
    if (reading) words = any ? "drafts" : "cuesComing";
    else if (done) words = any ? "" : "cuesNone";
    else if (video?.state !== "done") words = "cuesLater";
    note.hidden = !words;
    setText(note, words ? say(words) : "");
    byId("keys-help").hidden = !(done && any);
  }
}
