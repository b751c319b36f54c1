// The page's beginning: language, which view is open, uploads, and the list's news.

import { getJson, listen, request, videoPath } from "./api.js";
import { announce, askToRemove, byId, hideProblem, showProblem } from "./dom.js";
import { bytes } from "./formats.js";
import { chooseFile, drawConfig, drawVideos, listLoaded, showConfig, startHome } from "./home.js";
import { titleWindow } from "./progress.js";
import { changed, dropVideo, putVideo, putVideos, uploadOf, uploads, videos } from "./store.js";
import { chooseLanguage, currentLanguage, say, sayError, setLanguage, translate } from "./strings.js";
import { Upload, markOf } from "./upload.js";
import { Viewer } from "./viewer.js";

let config = null;
let viewer = null;
let stream = null;

/** One upload at a time: several would only slow each other down. */
const waitingFiles = [];

const openId = () => decodeURIComponent(location.hash.slice(1));

function goTo(id) {
  if (openId() === id) route();
  else location.hash = id;
}

/** Goes to the list in the place of a video that is not there; what was said about it stays on the page. */
function leave() {
  history.replaceState(null, "", location.pathname);
  route();
}

/** Shows the view that the address names: a video, or the list. */
function route(event) {
  if (!byId("token").hidden) return;
  const id = openId();
  if (event) hideProblem();
  byId("home").hidden = id !== "";
  byId("viewer").hidden = id === "";
  if (id) {
    viewer.open(id);
  } else {
    viewer.close();
    titleWindow("");
    drawVideos(remove, cancel);
    loadVideos();
    if (event) {
      byId("home-heading").focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }
  followList();
}

async function loadVideos() {
  try {
    const { videos: list } = await getJson("/api/videos");
    listLoaded();
    putVideos(list);
  } catch (error) {
    if (error.status !== 401) showProblem(sayError(error));
  }
}

/** News of the list come only while it is to be seen: an open stream takes one of the browser's few lines. */
function followList() {
  const wanted = openId() === "" && !document.hidden && byId("token").hidden;
  if (!wanted) {
    stream?.close();
    stream = null;
  } else if (!stream) {
    stream = listen("/api/events", {
      opened: loadVideos,
      lost: loadVideos,
      state: (video) => {
        if (video.state === "deleted") dropVideo(video.id);
        else putVideo(video);
      },
    });
  }
}

/** Starts what was chosen, one after another; a single video is opened at once. */
function take(files, mode) {
  hideProblem();
  const tooLarge = files.find((file) => config && file.size > config.max_bytes);
  const empty = files.find((file) => file.size === 0);
  if (tooLarge) showProblem(sayError({ code: "too_large_at" }, { size: bytes(config.max_bytes) }));
  else if (empty) showProblem(sayError({ code: "empty" }));
  const good = files.filter((file) => file !== empty && file.size > 0 && !(config && file.size > config.max_bytes));
  const fresh = [];
  for (const file of good) {
    const running = [...uploads].find((upload) => upload.mark === markOf(file) && upload.active);
    if (running && good.length === 1 && running.id) goTo(running.id);
    if (!running) fresh.push(new Upload(file, mode));
  }
  for (const upload of fresh) {
    for (const old of uploads) if (old.mark === upload.mark) uploads.delete(old);
    uploads.add(upload);
    waitingFiles.push(upload);
  }
  if (fresh.length > 1) announce(say("uploadedMany", { n: fresh.length }));
  changed();
  startNext(fresh.length === 1);
}

let running = null;

async function startNext(open) {
  if (running || waitingFiles.length === 0) return;
  const upload = waitingFiles.shift();
  running = upload;
  let opened = !open;
  const elsewhere = openId();
  upload.addEventListener("change", () => {
    if (upload.id && !opened && upload.phase === "sending") {
      opened = true;
      // Whoever has opened another video meanwhile stays there.
      if (openId() === elsewhere) goTo(upload.id);
    }
    changed();
  });
  await upload.run();
  running = null;
  if (upload.phase === "failed") {
    if (!upload.id || openId() !== upload.id) showProblem(`${upload.file.name}: ${sayError(upload.error)}`);
    if (upload.id) await settle(upload.id);
    // Where the server has the failed video it tells of the failure; else the upload stays and does.
    if (!upload.id || videos.get(upload.id)?.state === "failed") uploads.delete(upload);
  } else if (upload.phase === "cancelled") {
    uploads.delete(upload);
  } else {
    await settle(upload.id);
    uploads.delete(upload);
  }
  changed();
  startNext(false);
}

/** Asks for the video of a finished upload, so that it does not look interrupted until the next news. */
async function settle(id) {
  try {
    const { cues, ...video } = await getJson(videoPath(id));
    videos.set(id, video);
  } catch {
    // The view that shows it will ask again.
  }
}

async function cancel(upload) {
  if (!upload) return;
  const { id } = upload;
  const place = waitingFiles.indexOf(upload);
  if (place >= 0) waitingFiles.splice(place, 1);
  uploads.delete(upload);
  const asked = upload.active ? upload.cancel() : Promise.resolve();
  if (id) dropVideo(id);
  changed();
  if (id && openId() === id) goTo("");
  try {
    await asked;
  } catch (error) {
    if (error.status !== 404) showProblem(sayError(error));
  }
}

async function remove(id) {
  const upload = uploadOf(id);
  const name = videos.get(id)?.name ?? upload?.file.name ?? "";
  if (!(await askToRemove(name))) return;
  try {
    await request("DELETE", videoPath(id));
  } catch (error) {
    if (error.status !== 404) {
      showProblem(sayError(error));
      return;
    }
  }
  uploads.delete(upload);
  dropVideo(id);
  if (openId() === id) goTo("");
  announce(say("removed", { name }));
}

function showToken() {
  byId("token").hidden = false;
  byId("home").hidden = true;
  byId("viewer").hidden = true;
  // The video that was asked for is still in the address after the form has been sent.
  byId("token-form").action = `/${location.hash}`;
  followList();
  byId("token-field").focus();
}

function drawLanguage() {
  const button = byId("language");
  button.lang = currentLanguage() === "ko" ? "en" : "ko";
  button.textContent = say("otherLanguage");
  button.setAttribute("aria-label", say("otherLanguageLabel"));
  translate();
  drawConfig();
  if (openId() === "") titleWindow("");
}

function start() {
  chooseLanguage();
  viewer = new Viewer({ remove, cancel, choose: chooseFile, gone: leave });
  startHome({ take, remove, cancel });
  drawLanguage();
  byId("language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "ko" ? "en" : "ko", true);
    drawLanguage();
    viewer.redraw();
    changed();
  });
  byId("problem-close").addEventListener("click", () => {
    hideProblem();
    byId("main").focus({ preventScroll: true });
  });
  // A link to "#" would leave an empty fragment in the address and jump to the top; the list has an address of its own.
  for (const home of [byId("brand"), byId("back")]) {
    home.addEventListener("click", (event) => {
      event.preventDefault();
      if (openId()) goTo("");
    });
  }
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  addEventListener("hashchange", route);
  addEventListener("visibilitychange", followList);
  addEventListener("beforeunload", (event) => {
    if (running || waitingFiles.length || viewer.unsaved) event.preventDefault();
  });
  document.addEventListener("avsr:token", showToken);
  // The cookie has the token now; it shall not stay in the address, which is shown, shared and kept.
  if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname + location.hash);
  route();
  getJson("/api/config").then(
    (value) => {
      config = value;
      showConfig(value);
    },
    () => {}, // the list says what is wrong
  );
}

start();
