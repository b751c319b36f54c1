// What the page knows: the server's videos, and the uploads that run in this tab. Whoever shows it listens for changes.

const listeners = new Set();

/** id → Video, as the server last told it. */
export const videos = new Map();

/** Uploads of this tab, oldest first. One that is done is taken out: its video says the rest. */
export const uploads = new Set();

export function onChange(listener) {
  listeners.add(listener);
}

export function changed() {
  for (const listener of listeners) listener();
}

export function putVideo(video) {
  const { cues, ...rest } = video; // the open video keeps its own cues
  videos.set(video.id, rest);
  changed();
}

export function putVideos(list) {
  videos.clear();
  for (const { cues, ...video } of list) videos.set(video.id, video);
  changed();
}

export function dropVideo(id) {
  videos.delete(id);
  changed();
}

/** Newest first. */
export function sortedVideos() {
  return [...videos.values()].sort((one, other) => other.created - one.created);
}

/** The upload of this tab that makes this video, if there is one. */
export function uploadOf(id) {
  for (const upload of uploads) if (upload.id === id) return upload;
  return null;
}
