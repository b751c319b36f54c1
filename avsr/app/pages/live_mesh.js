// The others' pictures and sound, straight from browser to browser (WebRTC). The room's WebSocket passes on, unread, what they must
// know of each other; no other server is asked for anything. docs/live.md has the words that are exchanged.

const PATIENCE_MS = 15_000; // after which a connection that has not come about is said to be none
const AGAIN_MS = [2000, 5000, 15_000, 30_000, 60_000]; // before each new try
const TOGETHER_MS = 50; // candidates that are found within it go in one message
const BITS = 500_000; // of pictures, a second, to each of the others: they add up
const MOST = 400; // texts at once that this page says, whoever makes it answer: the room hangs up on who says 600
const A_SECOND = 8; // and from then on

/** Whether this browser can do it at all. */
export const CAN_MESH = "RTCPeerConnection" in window;

/**
 * All connections of a page, one to each of the others who wants one. Events: "change" with {id} where what is to be shown of somebody is
 * another. `send(id, text)` passes a text on to somebody, and may lose it.
 */
export class Mesh extends EventTarget {
  constructor(send) {
    super();
    this.send = send;
    this.me = 0;
    this.end = ""; // this page's end of all connections has a name while it is on: whoever knows an older one begins anew
    this.stream = null; // of one's own
    this.links = new Map(); // id → Link
    this.gone = new Set(); // who has said that they leave, before the room does
    this.free = MOST;
    this.said = performance.now();
  }

  /** After each hello: who is here. A connection that goes on stays; what was lost on the way is said again. */
  enter(me, ids) {
    if (me !== this.me) this.drop();
    this.me = me;
    this.gone.clear();
    for (const id of [...this.links.keys()]) if (!ids.includes(id)) this.forget(id);
    for (const link of this.links.values()) link.renew();
    this.greetAll(ids);
  }

  turnOn(ids) {
    this.end = [...crypto.getRandomValues(new Uint32Array(2))].map((n) => n.toString(36)).join("");
    this.greetAll(ids);
  }

  /** No connections from now on. `leaving`: the others need not wait for the room to say so. */
  turnOff(leaving = false) {
    for (const id of this.links.keys()) this.say(id, { bye: leaving ? "leave" : "off" });
    this.drop();
    this.end = "";
  }

  /** Somebody is no more in the room. */
  forget(id) {
    this.links.get(id)?.close();
    this.links.delete(id);
    this.tell(id);
  }

  /** One's own camera and microphone from now on, or null. */
  share(stream) {
    this.stream = stream;
    for (const link of this.links.values()) link.give(stream);
  }

  drop() {
    for (const id of [...this.links.keys()]) this.forget(id);
  }

  greetAll(ids) {
    if (this.end) for (const id of ids) if (id !== this.me) this.greet(id);
  }

  /** Who hears it and is on has a connection with this end from now on, and greets back where it does not seem to be known here. */
  greet(id) {
    this.say(id, { hello: true });
  }

  /** A text to somebody's page; what is too much is lost, as it may be on the way. */
  say(id, words) {
    const now = performance.now();
    this.free = Math.min(MOST, this.free + ((now - this.said) / 1000) * A_SECOND);
    this.said = now;
    if (this.free < 1) return;
    this.free -= 1;
    this.send(id, JSON.stringify({ ...words, mine: this.end, yours: this.links.get(id)?.theirs ?? null }));
  }

  /** What somebody else's page says: nothing of it is trusted to be of any form. */
  meet(from, text) {
    const said = read(text);
    if (!said || !this.end) return;
    if (said.hello) this.greeted(from, said);
    else if (said.bye) this.left(from, said);
    else if (said.mine === this.links.get(from)?.theirs && said.yours === this.end) this.links.get(from).hear(said);
  }

  greeted(from, { mine, yours }) {
    const known = this.links.get(from);
    this.gone.delete(from);
    if (known?.theirs === mine) known.renew();
    else {
      known?.close();
      const link = new Link(this, from, mine);
      this.links.set(from, link);
      this.tell(from);
    }
    if (yours !== this.end) this.greet(from);
  }

  left(from, { bye, mine }) {
    if (mine !== this.links.get(from)?.theirs) return;
    if (bye === "leave") this.gone.add(from);
    this.forget(from);
  }

  tell(id) {
    this.dispatchEvent(new CustomEvent("change", { detail: { id } }));
  }
}

function read(text) {
  try {
    const said = JSON.parse(text);
    return typeof said?.mine === "string" ? said : null;
  } catch {
    return null;
  }
}

/** One connection, by "perfect negotiation" (W3C WebRTC, 10.7): of two who offer at once the later participant gives way. */
class Link {
  constructor(mesh, id, theirs) {
    this.mesh = mesh;
    this.id = id;
    this.theirs = theirs; // the name of their end
    this.polite = mesh.me > id;
    this.stream = new MediaStream(); // what comes from them
    this.state = "quiet"; // then connecting, connected, unreachable
    this.ignoring = false;
    this.closed = false;
    this.tries = 0;
    this.timers = {};
    this.before = Promise.resolve();
    this.begin();
  }

  begin() {
    this.peer?.close();
    this.senders = {};
    this.found = []; // candidates that are still to be said
    this.offering = false;
    this.peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.peer.addEventListener("negotiationneeded", () => this.offer());
    this.peer.addEventListener("icecandidate", ({ candidate }) => candidate && this.find(candidate));
    this.peer.addEventListener("track", ({ track }) => this.take(track));
    this.peer.addEventListener("connectionstatechange", () => this.look());
    this.give(this.mesh.stream);
  }

  /** Whether they send a picture ("video"), or sound ("audio"), by what was agreed: after a rollback Chromium leaves tracks muted for ever. */
  has(kind) {
    const comes = ({ receiver, currentDirection }) => receiver.track.kind === kind && ["sendrecv", "recvonly"].includes(currentDirection);
    return this.state === "connected" && this.peer.getTransceivers().some(comes);
  }

  /** What goes to them. A track takes the place of the one before without a word between the two; one that is new or gone needs an offer. */
  give(stream) {
    for (const kind of ["audio", "video"]) {
      const track = stream?.getTracks().find((one) => one.kind === kind) ?? null;
      const sender = this.senders[kind];
      if (sender) {
        sender.replaceTrack(track).catch(() => {}); // the connection is closed meanwhile
        this.peer.getTransceivers().find((one) => one.sender === sender).direction = track ? "sendrecv" : "recvonly";
      } else if (track) this.senders[kind] = this.peer.addTrack(track, stream);
    }
  }

  async offer() {
    const { peer } = this;
    this.offering = true;
    try {
      await peer.setLocalDescription();
      if (peer === this.peer) this.describe();
    } catch {
      // It is closed, or an offer of theirs has come first and is answered instead.
    } finally {
      if (peer === this.peer) this.offering = false;
    }
  }

  describe() {
    if (!this.peer.localDescription || this.closed) return;
    this.mesh.say(this.id, { description: this.peer.localDescription });
    if (this.state === "quiet") this.become("connecting");
    if (this.state === "connecting") this.timers.patience ??= setTimeout(() => this.state === "connecting" && this.become("unreachable"), PATIENCE_MS);
  }

  find(candidate) {
    if (this.found.push(candidate) > 1) return;
    setTimeout(() => {
      if (!this.closed && this.found.length) this.mesh.say(this.id, { candidates: this.found.splice(0) });
    }, TOGETHER_MS);
  }

  /** One after the other: a candidate must not overtake the description that it belongs to. */
  hear(said) {
    this.before = this.before.then(() => this.obey(said)).catch(() => this.closed || this.become("unreachable"));
  }

  async obey({ description, candidates }) {
    if (this.closed) return;
    if (description) {
      const collision = description.type === "offer" && (this.offering || this.peer.signalingState !== "stable");
      this.ignoring = collision && !this.polite;
      const late = description.type === "answer" && this.peer.signalingState !== "have-local-offer"; // to an offer that was said twice
      if (this.ignoring || late) return;
      // A first offer that Chromium takes back while it looks for candidates may leave it without any: a fresh end answers instead.
      if (collision && !this.peer.remoteDescription) this.begin();
      await this.peer.setRemoteDescription(description);
      if (description.type === "offer") {
        await this.peer.setLocalDescription();
        this.describe();
      }
      this.limit();
      this.mesh.tell(this.id);
    }
    for (const candidate of Array.isArray(candidates) ? candidates : []) {
      try {
        await this.peer.addIceCandidate(candidate);
      } catch {
        // Of an offer that was not taken; or an address that is none, beside others that may be.
      }
    }
  }

  take(track) {
    for (const other of this.stream.getTracks()) if (other.kind === track.kind && other !== track) this.stream.removeTrack(other);
    this.stream.addTrack(track);
    this.mesh.tell(this.id);
  }

  look() {
    const { connectionState } = this.peer;
    if (connectionState === "connected") {
      this.stopWaiting();
      this.tries = 0;
      this.become("connected");
    } else if (connectionState === "failed") {
      this.become("unreachable");
      if (!this.polite) this.again();
    }
  }

  /** After each agreement: a camera may come long after the connection. */
  limit() {
    const parameters = this.senders.video?.getParameters();
    if (!parameters?.encodings?.length) return;
    parameters.encodings[0].maxBitrate = BITS;
    this.senders.video.setParameters(parameters).catch(() => {}); // it is closed, or changes at this moment
  }

  /** Try once more in a while: a network may come back. */
  again() {
    clearTimeout(this.timers.again);
    this.timers.again = setTimeout(() => this.renew(), AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)]);
    this.tries += 1;
  }

  /** Something may have been lost on the way: the offer that has no answer is said again, and a connection that is broken made anew. */
  renew() {
    if (this.closed) return;
    if (["disconnected", "failed"].includes(this.peer.connectionState)) this.peer.restartIce();
    if (this.peer.signalingState === "have-local-offer") this.describe();
  }

  become(state) {
    this.state = state;
    this.mesh.tell(this.id);
  }

  stopWaiting() {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.timers = {};
  }

  close() {
    this.closed = true;
    this.stopWaiting();
    this.peer.close();
    for (const track of this.stream.getTracks()) track.stop();
  }
}
