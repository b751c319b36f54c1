// Uploads one file by the tus protocol (1.0.0): in pieces, so that a broken line or a closed page loses one piece at most.

import { OURS, errorOf, request, ApiError } from "./api.js";
import { recall, remember } from "./strings.js";

const PIECE = 8 * 1024 * 1024;
const LONGEST_WAIT = 30;
const STALLED_MS = 60_000;
/** After the last byte the server checks the file, which may take a while. */
const CHECK_MS = 180_000;

const KEPT_AS = "avsr.uploads";
const MOST_KEPT = 50;

const TUS = { "Tus-Resumable": "1.0.0" };

/** Which file it is, as far as a browser tells: the same file chosen again after a reload has the same mark. */
export const markOf = (file) => `${file.name}|${file.size}|${file.lastModified}`;

function keptUploads() {
  try {
    return Object.entries(JSON.parse(recall(KEPT_AS) ?? "{}"));
  } catch {
    return [];
  }
}

function keep(mark, id) {
  const others = keptUploads().filter(([name]) => name !== mark);
  if (id !== null) others.push([mark, id]);
  remember(KEPT_AS, JSON.stringify(Object.fromEntries(others.slice(-MOST_KEPT))));
}

/** Metadata of tus: base64 of UTF-8. */
function encode(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** A file that was moved, changed or deleted since it was chosen fails just as a broken line does. */
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/**
 * One file on its way. Sends "change" events; look at `phase`:
 * starting → sending → checking → done, with waiting (offline or busy: `waiting`) in between, or failed, or cancelled.
 */
export class Upload extends EventTarget {
  id = null;
  phase = "starting";
  sent = 0;
  /** Bytes a second, smoothed; null until it is known. */
  speed = null;
  /** {code: "offline" | "busy", until: ms} while waiting. */
  waiting = null;
  error = null;

  #request = null;
  #wake = null;
  #resumed = false;
  #sample = null;

  constructor(file, mode) {
    super();
    this.file = file;
    this.mode = mode;
    this.mark = markOf(file);
  }

  get active() {
    return !["done", "failed", "cancelled"].includes(this.phase);
  }

  get secondsLeft() {
    return this.speed ? (this.file.size - this.sent) / this.speed : null;
  }

  async run() {
    let failures = 0;
    let stale = true; // whether the server has to be asked how far we are
    const kept = keptUploads().find(([mark]) => mark === this.mark);
    if (kept) {
      this.id = kept[1];
      this.#resumed = true;
    }
    while (this.active) {
      try {
        if (this.id === null) await this.#begin();
        else if (stale) await this.#ask();
        stale = false;
        if (this.sent >= this.file.size) break;
        await this.#sendPiece();
        failures = 0;
      } catch (error) {
        if (!this.active) return;
        stale = true;
        failures += 1;
        if (this.#resumed && (error.status === 404 || error.status === 410)) {
          // The server has forgotten that upload: start anew.
          this.#resumed = false;
          this.id = null;
          this.sent = 0;
          keep(this.mark, null);
        } else if (error.status === 423 || error.status === 429 || error.status === 503) {
          await this.#wait("busy", error.retryAfter ?? Math.min(2 ** failures, LONGEST_WAIT));
        } else if (error.status === 409 && failures < 5) {
          continue; // we were wrong about how far we are
        } else if (error.status === 0 && !(await readable(this.file))) {
          this.#fail(new ApiError(0, "file_gone", ""));
        } else if (error.status === 0 || error.status === 409 || (error.status >= 500 && failures < 8)) {
          await this.#wait("offline", Math.min(2 ** (failures - 1), LONGEST_WAIT));
        } else {
          this.#fail(error);
        }
      }
    }
    if (!this.active) return;
    keep(this.mark, null);
    this.#become("done");
  }

  /** Stops and takes back what the server has of it. */
  async cancel() {
    const id = this.id;
    this.stop();
    if (id !== null) await request("DELETE", `/api/uploads/${encodeURIComponent(id)}`, { headers: TUS });
  }

  /** Stops, and leaves what the server has. */
  stop() {
    this.#become("cancelled");
    keep(this.mark, null);
    this.#request?.abort();
    this.#wake?.();
  }

  /** Ends a wait. */
  retryNow() {
    this.#wake?.();
  }

  async #begin() {
    this.#become("starting");
    const response = await request("POST", "/api/uploads", {
      headers: {
        ...TUS,
        "Upload-Length": String(this.file.size),
        "Upload-Metadata": `filename ${encode(this.file.name)},mode ${encode(this.mode)}`,
      },
    });
    const id = decodeURIComponent((response.headers.get("Location") ?? "").split("/").pop());
    this.sent = 0;
    if (!this.active) {
      // Cancelled while the server was making it.
      await request("DELETE", `/api/uploads/${encodeURIComponent(id)}`, { headers: TUS });
      return;
    }
    this.id = id;
    keep(this.mark, this.id);
    this.#become("sending");
  }

  async #ask() {
    const response = await request("HEAD", `/api/uploads/${encodeURIComponent(this.id)}`, { headers: TUS });
    const length = Number(response.headers.get("Upload-Length"));
    if (this.#resumed && length !== this.file.size) throw new ApiError(404, "not_found", "");
    this.sent = Number(response.headers.get("Upload-Offset"));
    this.#become("sending");
  }

  /** XMLHttpRequest, because fetch does not tell how much of a body has gone out. */
  #sendPiece() {
    const start = this.sent;
    const piece = this.file.slice(start, start + PIECE);
    const last = start + piece.size >= this.file.size;
    this.#sample = { time: performance.now(), sent: start };
    this.#become("sending");
    return new Promise((resolve, reject) => {
      const line = new XMLHttpRequest();
      this.#request = line;
      let alarm = null;
      const watch = (milliseconds) => {
        clearTimeout(alarm);
        alarm = setTimeout(() => line.abort(), milliseconds);
      };
      const lose = () => reject(new ApiError(0, "network", ""));
      line.open("PATCH", `/api/uploads/${encodeURIComponent(this.id)}`);
      const kind = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(start) };
      const headers = { ...TUS, ...OURS, ...kind };
      for (const [name, value] of Object.entries(headers)) line.setRequestHeader(name, value);
      line.upload.onprogress = (event) => {
        watch(STALLED_MS);
        this.#measure(start + event.loaded);
      };
      line.upload.onload = () => {
        watch(CHECK_MS);
        if (last) this.#become("checking");
      };
      line.onload = () => {
        if (line.status === 204 || line.status === 200) {
          const offset = line.getResponseHeader("Upload-Offset");
          this.sent = offset === null ? start + piece.size : Number(offset);
          resolve();
        } else {
          reject(errorOf(line.status, line.responseText, line.getResponseHeader("Retry-After")));
        }
      };
      line.onerror = lose;
      line.onabort = lose;
      line.onloadend = () => {
        clearTimeout(alarm);
        this.#request = null;
      };
      watch(STALLED_MS);
      line.send(piece);
    });
  }

  #measure(sent) {
    const now = performance.now();
    const seconds = (now - this.#sample.time) / 1000;
    if (seconds > 0.5) {
      const speed = (sent - this.#sample.sent) / seconds;
      this.speed = this.speed === null ? speed : 0.7 * this.speed + 0.3 * speed;
      this.#sample = { time: now, sent };
    }
    this.sent = sent;
    this.#changed();
  }

  #wait(code, seconds) {
    this.waiting = { code, until: Date.now() + 1000 * seconds };
    this.#become("waiting");
    return new Promise((resolve) => {
      const tick = setInterval(() => this.#changed(), 1000); // the page counts down
      const end = () => {
        clearInterval(tick);
        clearTimeout(timer);
        removeEventListener("online", end);
        this.waiting = null;
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(end, 1000 * seconds);
      addEventListener("online", end);
      this.#wake = end;
    });
  }

  #fail(error) {
    this.error = { code: error.code ?? "failed", message: error.message };
    if (error.status !== 401) keep(this.mark, null); // with the token it can go on
    this.#become("failed");
  }

  #become(phase) {
    if (this.phase === "cancelled") return;
    this.phase = phase;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
