// Puts the state of a video or an upload into words and a fraction, draws it, and tells screen readers now and then.

import { announce, byId, make, icon, setText } from "./dom.js";
import { bytes, clock, spanLeft, span } from "./formats.js";
import { say, sayError } from "./strings.js";

const STEPS = ["stepUpload", "stepQueue", "stepRead", "stepWrite"];

/** Says the percentage each time it has passed one of these many parts: more would chatter. */
const ANNOUNCE_PARTS = 4;

function join(...parts) {
  return parts.filter(Boolean).join(" · ");
}

function left(seconds) {
  return seconds === null || seconds === undefined ? "" : say("timeLeft", { time: spanLeft(seconds) });
}

function describeUpload(upload) {
  const size = upload.file.size;
  const state = { tone: "busy", step: 0, label: say("uploading"), detail: "", fraction: size ? upload.sent / size : null };
  const amount = say("bytesDone", { done: bytes(upload.sent), all: bytes(size) });
  switch (upload.phase) {
    case "starting":
      return { ...state, label: say("starting"), fraction: null };
    case "sending":
      return { ...state, detail: join(amount, left(upload.secondsLeft)) };
    case "waiting": {
      const time = span(Math.max(1, (upload.waiting.until - Date.now()) / 1000));
      return { ...state, tone: "paused", label: say("paused"), detail: say(upload.waiting.code, { time }) };
    }
    case "failed":
      return { ...state, tone: "failed", label: say("failed"), detail: sayError(upload.error), fraction: null };
    default:
      return { ...state, label: say("checking"), detail: bytes(size), fraction: null };
  }
}

function describeRun(video) {
  const { step, done, total, left: seconds } = video.progress ?? {};
  const state = { tone: "busy", step: 2, label: say("loading"), detail: "", fraction: null };
  if (step === "writing") return { ...state, step: 3, label: say("writing") };
  if (step !== "reading") return state;
  const label = say(video.used === "audio" || !video.has_picture ? "readingSound" : "reading");
  if (!total) return { ...state, label };
  const amount = say("secondsDone", { done: clock(done), all: clock(total) });
  return { ...state, label, detail: join(amount, left(seconds)), fraction: Math.min(1, done / total) };
}

/**
 * {tone: busy | paused | done | failed, step: 0..3 or null, label, detail, fraction: 0..1 or null where none is known}.
 * `upload` is this tab's upload of the video, or null; `video` may be null while the upload has none.
 */
export function describe(video, upload) {
  if (upload && upload.phase !== "done") return describeUpload(upload);
  switch (video?.state) {
    case "uploading": {
      const amount = say("bytesDone", { done: bytes(video.offset), all: bytes(video.size) });
      const fraction = video.size ? video.offset / video.size : null;
      return { tone: "paused", step: 0, label: say("paused"), detail: join(amount, say("pausedHelp")), fraction };
    }
    case "queued": {
      const place = video.progress?.position;
      const detail = join(place ? say("queuePlace", { n: place }) : "", left(video.progress?.left));
      return { tone: "busy", step: 1, label: say("queued"), detail, fraction: null };
    }
    case "running":
      return describeRun(video);
    case "failed":
      return { tone: "failed", step: null, label: say("failed"), detail: sayError(video.error), fraction: null };
    default:
      return { tone: "done", step: null, label: say("done"), detail: "", fraction: 1 };
  }
}

export const percent = (fraction) => Math.floor(100 * fraction + 1e-9);

/** Shows a fraction in a <progress>; null is a bar without an end, drawn by CSS for want of a value. */
export function fillBar(bar, fraction, name) {
  bar.setAttribute("aria-label", name);
  if (fraction === null) bar.removeAttribute("value");
  else bar.value = percent(fraction) / 100;
}

/** The steps of one video with the present one marked, by a word as well as by its look. */
export function drawSteps(list, state) {
  const finished = state.tone === "done";
  if (list.children.length === 0) {
    for (const _ of STEPS) {
      list.append(make("li", {}, ...["step-mark", "step-name", "unseen"].map((name) => make("span", { class: name }))));
    }
  }
  STEPS.forEach((key, index) => {
    const item = list.children[index];
    const is = finished || index < state.step ? "past" : index === state.step ? "now" : "to-come";
    if (item.dataset.is !== is) {
      item.dataset.is = is;
      item.firstChild.replaceChildren(is === "past" ? icon("check") : String(index + 1));
    }
    if (is === "now") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    setText(item.children[1], say(key));
    setText(item.children[2], is === "past" ? say("stepDone") : "");
  });
}

let lastSaid = "";

/** Reads a state out when it is a new one, and its percentage at every quarter. */
export function announceState(id, name, state) {
  const part = state.fraction === null || state.tone !== "busy" ? 0 : Math.floor(state.fraction * ANNOUNCE_PARTS + 1e-9);
  const key = `${id}|${state.tone}|${state.label}|${part}`;
  if (key === lastSaid) return;
  lastSaid = key;
  if (state.tone === "failed") announce(`${state.label}. ${state.detail}`);
  else if (part > 0 && part < ANNOUNCE_PARTS) {
    announce(say("announcePercent", { label: state.label, percent: (100 * part) / ANNOUNCE_PARTS }));
  } else announce(state.label);
}

/** The title of the window, so that a tab in the background tells how far it is. */
export function titleWindow(name, state) {
  if (!name) document.title = say("title");
  else if (state?.tone === "busy" && state.fraction !== null) document.title = `${percent(state.fraction)}% · ${name}`;
  else document.title = `${name} · ${byId("brand").textContent}`;
}
