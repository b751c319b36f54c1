// The first view: where a video is dropped or chosen, and the list of one's videos.

import { byId, icon, make, setText } from "./dom.js";
import { bytes, clock, moment, span } from "./formats.js";
import { describe, fillBar } from "./progress.js";
import { recall, remember, say } from "./strings.js";
import { onChange, sortedVideos, uploadOf, uploads, videos } from "./store.js";
import { videoPath } from "./api.js";

const KEPT_MODE = "avsr.mode";

const rows = new Map(); // key → row; a row stays the same element, so that the focus in it is not lost
let config = null;
let loaded = false;

/**
 * `take(files, mode)` gets what was dropped or chosen; `remove(id)` and `cancel(upload)` what was asked for in the list.
 */
export function startHome({ take, remove, cancel }) {
  const input = byId("file");
  const mode = byId("mode");
  const kept = recall(KEPT_MODE);
  if ([...mode.options].some((option) => option.value === kept)) mode.value = kept;
  mode.addEventListener("change", () => remember(KEPT_MODE, mode.value));

  byId("choose").addEventListener("click", chooseFile);
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same file chosen once more shall be a change too
    if (files.length) take(files, mode.value);
  });
  acceptDrops((files) => take(files, mode.value));
  onChange(() => byId("home").hidden || drawVideos(remove, cancel));
}

export function chooseFile() {
  byId("file").click();
}

/** A file may be dropped anywhere on the page: one that misses the zone would make the browser leave the page for it. */
function acceptDrops(take) {
  let inside = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
  const mark = (on) => {
    inside = on ? inside : 0;
    document.body.classList.toggle("dropping", on);
  };
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    inside += 1;
    mark(true);
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    inside -= 1;
    if (inside <= 0) mark(false);
  });
  addEventListener("drop", (event) => {
    mark(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

export function showConfig(value) {
  config = value;
  drawConfig();
}

export function drawConfig() {
  if (!config) return;
  const keep = span(config.keep_hours * 3600);
  setText(byId("limits"), say("limits", { size: bytes(config.max_bytes), time: span(config.max_seconds), keep }));
  setText(byId("footer"), say("footer", { model: config.model, version: config.version }));
}

export function listLoaded() {
  loaded = true;
}

/** Rows for uploads that have no video yet, then for the videos, newest first. */
export function drawVideos(remove, cancel) {
  const ours = [...uploads].reverse().filter((upload) => !videos.has(upload.id));
  const items = ours.map((upload) => ({ key: upload.id ?? upload.mark, upload, video: null }));
  for (const video of sortedVideos()) items.push({ key: video.id, upload: uploadOf(video.id), video });

  const list = byId("videos");
  const wanted = new Set(items.map((item) => item.key));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    const next = row.item.nextElementSibling ?? row.item.previousElementSibling;
    const hadFocus = row.item.contains(document.activeElement);
    row.item.remove();
    rows.delete(key);
    if (hadFocus) (next?.querySelector("a, button") ?? byId("choose")).focus();
  }
  items.forEach(({ key, video, upload }, place) => {
    if (!rows.has(key)) rows.set(key, makeRow());
    const row = rows.get(key);
    if (list.children[place] !== row.item) list.insertBefore(row.item, list.children[place] ?? null);
    drawRow(row, video, upload, { remove, cancel });
  });
  const note = byId("videos-note");
  list.hidden = items.length === 0; // an empty list is nothing to a screen reader
  note.hidden = items.length > 0;
  setText(note, say(loaded ? "noVideos" : "loadingVideos"));
}

function makeRow() {
  const row = {
    picture: make("span", { class: "thumbnail" }),
    link: make("a", { class: "video-name" }),
    mark: make("span", { class: "state-mark" }),
    label: make("span", { class: "state-label" }),
    detail: make("span", { class: "state-detail" }),
    bar: make("progress", { max: 1 }),
    facts: make("p", { class: "facts" }),
    button: make("button", { type: "button", class: "quiet row-button" }),
    act: null,
  };
  row.button.addEventListener("click", () => row.act());
  const state = make("p", { class: "state" }, row.mark, row.label, " ", row.detail);
  const text = make("div", { class: "video-text" }, row.link, state, row.bar, row.facts);
  row.item = make("li", { class: "video" }, row.picture, text, row.button);
  return row;
}

function drawRow(row, video, upload, { remove, cancel }) {
  const name = video?.name ?? upload.file.name;
  const state = describe(video, upload);
  const id = video?.id ?? upload?.id;
  if (id) row.link.href = `#${id}`;
  else row.link.removeAttribute("href");
  setText(row.link, name);
  drawThumbnail(row, video);

  if (row.item.dataset.tone !== state.tone) {
    row.item.dataset.tone = state.tone;
    row.mark.replaceChildren(...({ done: [icon("check")], failed: [icon("warn")] }[state.tone] ?? []));
  }
  setText(row.label, state.label);
  setText(row.detail, state.detail);
  row.bar.hidden = state.tone === "done" || state.tone === "failed" || state.step === 1; // waiting makes no headway
  if (!row.bar.hidden) fillBar(row.bar, state.fraction, `${name}: ${state.label}`);

  const length = video?.duration ? clock(video.duration) : "";
  const size = bytes(video?.size ?? upload.file.size);
  const end = video?.expires ? say("expires", { when: moment(video.expires) }) : "";
  setText(row.facts, [length, size, end].filter(Boolean).join(" · "));

  const going = upload?.active;
  row.act = going ? () => cancel(upload) : video ? () => remove(video.id) : () => cancel(upload);
  const words = going ? "cancel" : "remove";
  if (row.words !== words + say("cancel")) {
    row.words = words + say("cancel");
    row.button.replaceChildren(icon(going ? "close" : "remove"), make("span", { text: say(words) }));
  }
  row.button.setAttribute("aria-label", say(going ? "cancelNamed" : "removeNamed", { name }));
}

/** The thumbnail is there once the file has been looked into; where there is none, a sign for picture or sound. */
function drawThumbnail(row, video) {
  const sign = video && video.has_sound && !video.has_picture ? "sound" : "film";
  const ready = video?.has_picture && !["uploading", "queued"].includes(video.state);
  const key = ready ? `picture of ${video.id}` : sign;
  if (row.shown === key) return;
  row.shown = key;
  row.picture.replaceChildren(icon(sign));
  if (!ready) return;
  const image = make("img", { src: videoPath(video.id, "/thumbnail.jpg"), alt: "", decoding: "async" });
  image.addEventListener("load", () => row.shown === key && row.picture.replaceChildren(image));
  // It may only come while the video is being read: ask again at the next news.
  if (video.state === "running") image.addEventListener("error", () => (row.shown = null), { once: true });
}
