// The connection to a room: joins, comes back after a break, and tells of each message that must not be lost just once.

import { sendJson } from "./api.js";

const PAUSES = [0, 500, 1000, 2000, 4000, 8000];

/** Codes after which there is no coming back (docs/live.md), and what to say of them; null where a message has said it. */
const LAST = {
  4400: null, 4401: "ticket", 4404: "no_room", 4409: "taken_over", 4410: "room_over", 4413: null, 4429: null, 4503: null,
};

export class RoomLine extends EventTarget {
  constructor(room, name) {
    super();
    this.room = room;
    this.name = name;
    this.seq = 0;
    this.resume = "";
    this.whip = ""; // lets this connection's media come by WebRTC
    this.socket = null;
    this.ended = false;
    this.tries = 0;
    this.expired = false;
  }

  /** Makes a connection; the first one rejects where it cannot be had. */
  async open() {
    const known = this.resume ? { resume: this.resume } : { ticket: await this.ticket() };
    if (this.ended) return;
    const address = new URL(`/api/live/rooms/${this.room}/socket`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "join", name: this.name, seq: this.seq, ...known })));
    socket.addEventListener("message", ({ data }) => this.meet(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => socket === this.socket && this.closed(code));
  }

  async ticket() {
    return (await sendJson("POST", `/api/live/rooms/${this.room}/tickets`)).ticket;
  }

  meet(message) {
    if (message.type === "hello") {
      this.resume = message.resume;
      this.whip = message.whip;
      this.tries = 0;
    } else if (message.seq !== undefined) {
      if (message.seq <= this.seq) return;
      this.seq = message.seq;
    } else if (message.type === "error" && message.code === "resume_over") {
      this.expired = true; // a new place then, with all that was missed
      this.resume = "";
      return;
    }
    this.tell("message", message);
  }

  closed(code) {
    this.whip = "";
    if (this.ended) return;
    const expired = this.expired;
    this.expired = false;
    if (code in LAST && !expired) {
      this.ended = true;
      this.tell("over", { code: LAST[code] });
      return;
    }
    this.tell("lost", {});
    this.again();
  }

  again() {
    const pause = PAUSES[Math.min(this.tries, PAUSES.length - 1)];
    this.tries += 1;
    setTimeout(async () => {
      if (this.ended) return;
      try {
        await this.open();
      } catch (error) {
        if (error.status === 404 || error.status === 401) {
          this.ended = true;
          this.tell("over", { code: error.code });
        } else this.again();
      }
    }, pause);
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** Whether the server has greeted this connection. */
  get isIn() {
    return this.isOpen && this.whip !== "";
  }

  send(control) {
    if (this.isOpen) this.socket.send(JSON.stringify(control));
  }

  /** Media; false where so much waits already that the network cannot follow. */
  feed(data) {
    if (!this.isOpen || this.socket.bufferedAmount > 4_000_000) return false;
    this.socket.send(data);
    return true;
  }

  leave() {
    this.ended = true;
    this.send({ type: "leave" });
    this.socket?.close();
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
