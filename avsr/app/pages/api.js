// Talks to the server: JSON requests, and server-sent events that find their way back after a break.

/** What the server refused, or {code: "network"} where it did not answer. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Headers that every changing request carries: a form on a foreign page cannot set them. */
export const OURS = { "X-Requested-With": "avsr" };

const NAMES = { 401: "token", 403: "forbidden", 404: "not_found", 413: "too_large", 429: "too_busy", 503: "too_busy" };

/** The error of an answer that is not 2xx; a body that is not ours (a proxy's page) is no obstacle. */
export function errorOf(status, text, retryAfter) {
  let told = null;
  try {
    told = JSON.parse(text).error;
  } catch {
    // Not JSON: the status has to do.
  }
  const seconds = Number.parseFloat(retryAfter);
  if (status === 401) document.dispatchEvent(new CustomEvent("avsr:token"));
  return new ApiError(
    status,
    told?.code ?? NAMES[status] ?? "failed",
    told?.message ?? "",
    Number.isFinite(seconds) ? Math.max(0, seconds) : null,
  );
}

/** Sends a request and gives the Response of a success; throws ApiError otherwise. */
export async function request(method, path, { headers = {}, body, signal } = {}) {
  let response;
  try {
    const all = method === "GET" || method === "HEAD" ? headers : { ...OURS, ...headers };
    response = await fetch(path, { method, headers: all, body, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "network", "");
  }
  if (!response.ok) throw errorOf(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

export async function getJson(path) {
  return (await request("GET", path)).json();
}

/** Sends JSON; gives the answer's JSON, or null where it has no body. */
export async function sendJson(method, path, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const headers = value === undefined ? {} : { "Content-Type": "application/json" };
  const text = await (await request(method, path, { headers, body })).text();
  return text ? JSON.parse(text) : null;
}

export const videoPath = (id, rest = "") => `/api/videos/${encodeURIComponent(id)}${rest}`;

/**
 * Listens to a stream of events until `close()`.
 *
 * `opened` is called at each connection, the first one too: what happened before it was missed, so ask for it. A browser
 * reconnects by itself after a broken line, but gives up after a refusal (401, 502 ...): then we try again, ever more
 * slowly, and call `lost`, which may find out why by an ordinary request.
 */
export function listen(path, { opened, lost, ...handlers }) {
  let source = null;
  let timer = null;
  let wait = 1000;

  function connect() {
    source = new EventSource(path);
    source.onopen = () => {
      wait = 1000;
      opened?.();
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, 30_000);
      lost?.();
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }

  connect();
  return {
    close() {
      clearTimeout(timer);
      source.close();
    },
  };
}
