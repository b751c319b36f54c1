// Camera and microphone, and the recorder that makes pieces of WebM or MP4 of them.

const KINDS = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
const SOUND_KINDS = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4"];
const PIECE_MS = 100;

export class Devices {
  constructor(preview) {
    this.preview = preview;
    this.stream = null;
    this.recorder = null;
  }

  /** Turns them on: ids of devices, "" for whichever, null for none. Throws {code} where there is nothing. */
  async open(camera, microphone) {
    this.close();
    if (!navigator.mediaDevices) throw { code: "insecure" };
    if (!("MediaRecorder" in window)) throw { code: "no_recorder" };
    const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25, max: 30 } };
    const audio = { echoCancellation: true, noiseSuppression: false, autoGainControl: true };
    const wanted = [
      { video: camera === null ? false : named(video, camera), audio: microphone === null ? false : named(audio, microphone) },
      { video: false, audio: microphone === null ? false : named(audio, microphone) },
      { video: camera === null ? false : named(video, camera), audio: false },
    ];
    for (const one of wanted) {
      if (!one.video && !one.audio) continue;
      try {
        this.stream = await navigator.mediaDevices.getUserMedia(one);
        break;
      } catch {
        // Perhaps one of the two can be had.
      }
    }
    if (!this.stream) throw { code: "no_devices" };
    this.preview.srcObject = this.stream;
    this.preview.play().catch(() => {}); // a browser that will not play it shows a still picture
  }

  /** A new recording: `started(media)` is told what it is recorded in when it has begun, `told(data)` gets its pieces. */
  record(started, told) {
    this.stopRecording();
    const kinds = this.stream.getVideoTracks().length ? KINDS : SOUND_KINDS;
    const mimeType = kinds.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(this.stream, { mimeType, videoBitsPerSecond: 1_000_000, audioBitsPerSecond: 48_000 });
    this.recorder = recorder;
    recorder.addEventListener("start", () => {
      if (recorder === this.recorder) started(recorder.mimeType.includes("mp4") ? "mp4" : "webm");
    });
    let before = Promise.resolve(); // pieces must not overtake each other
    recorder.addEventListener("dataavailable", ({ data }) => {
      before = before.then(async () => {
        const piece = await data.arrayBuffer();
        if (recorder === this.recorder && piece.byteLength) told(piece);
      });
    });
    recorder.start(PIECE_MS);
  }

  stopRecording() {
    const recorder = this.recorder;
    this.recorder = null;
    if (recorder && recorder.state !== "inactive") recorder.stop();
  }

  close() {
    this.stopRecording();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.preview.srcObject = null;
  }
}

function named(wanted, id) {
  return id ? { ...wanted, deviceId: { exact: id } } : wanted;
}

/** [{id, label}] of "videoinput" or "audioinput"; labels are empty until they may be used. */
export async function listDevices(kind) {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter((device) => device.kind === kind && device.deviceId).map(({ deviceId, label }) => ({ id: deviceId, label }));
}
