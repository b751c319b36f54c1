// Camera and microphone by WebRTC, to this server alone (WHIP, RFC 9725); no other server is asked for anything.

import { OURS } from "./api.js";

const ANSWERED_MS = 10_000; // a busy server takes long
const CONNECTED_MS = 5000;
const BITS = 1_000_000; // of pictures, a second

export class PeerSender {
  /** `token` is the last hello's; `lost` is called where the connection ends by itself. */
  constructor(room, token, lost) {
    this.place = `/api/live/rooms/${room}/whip`;
    this.headers = { ...OURS, Authorization: `Bearer ${token}` };
    this.lost = lost;
    this.peer = null;
    this.session = null; // where it can be ended
    this.ended = false;
  }

  /** Sends the stream's tracks; resolves when they are on their way, rejects where no connection comes about. */
  async open(stream) {
    this.peer = new RTCPeerConnection({ iceServers: [] });
    for (const track of stream.getTracks()) {
      const sendEncodings = track.kind === "video" ? [{ maxBitrate: BITS }] : [{}];
      this.peer.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings });
    }
    await this.peer.setLocalDescription();
    const headers = { ...this.headers, "Content-Type": "application/sdp" };
    const signal = AbortSignal.timeout(ANSWERED_MS);
    const answer = await fetch(this.place, { method: "POST", headers, body: this.peer.localDescription.sdp, cache: "no-store", signal });
    if (!answer.ok) throw new Error(`${answer.status}`);
    this.session = answer.headers.get("Location");
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await this.connected(AbortSignal.timeout(CONNECTED_MS));
    this.peer.addEventListener("connectionstatechange", () => {
      if (this.peer.connectionState === "failed" && !this.ended) this.lost();
    });
  }

  connected(over) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.peer.connectionState === "connected") resolve();
        else if (this.ended || over.aborted || this.peer.connectionState === "failed") reject(new Error("not connected"));
      };
      this.peer.addEventListener("connectionstatechange", look);
      over.addEventListener("abort", look);
      look();
    });
  }

  close() {
    if (this.ended) return;
    this.ended = true;
    this.peer?.close();
    // It may be over already, or be ended by what comes after it.
    if (this.session) fetch(this.session, { method: "DELETE", headers: this.headers, keepalive: true }).catch(() => {});
  }
}
