// The page /live: the door of a room, and the room.

import { sendJson } from "./api.js";
import { announce, byId, hideProblem, make, setText, showProblem } from "./dom.js";
import { Faces } from "./live_faces.js";
import { RoomLine } from "./live_line.js";
import { Devices, listDevices } from "./live_media.js";
import { CAN_MESH, Mesh } from "./live_mesh.js";
import { Panel } from "./live_panel.js";
import { PeerSender } from "./live_rtc.js";
import { LIVE_WORDS } from "./live_strings.js";
import { addWords, chooseLanguage, currentLanguage, recall, remember, say, sayError, setLanguage, translate } from "./strings.js";

const KEPT_NAME = "avsr.live.name";
const KEPT_FACES = "avsr.live.faces"; // "off": neither the others' pictures and sound here nor one's own there
const NONE = "none"; // of a choice of devices

let panel = null;
let devices = null;
let mesh = null;
let faces = null;
let line = null;
let me = 0;
let sending = false;
let connection = "";
let sender = null; // by WebRTC
let byWebRtc = "RTCPeerConnection" in window && new URLSearchParams(location.search).get("transport") !== "websocket";
const people = new Map(); // id → {name, mode, reason}

const roomId = () => location.hash.slice(1);

function drawDoor() {
  setText(byId("join-note"), say(roomId() ? "joinNote" : "newRoomNote"));
  setText(byId("enter"), say(roomId() ? "joinRoom" : "makeRoom"));
}

function showDoor() {
  byId("room").hidden = true;
  byId("door").hidden = false;
  drawDoor();
}

async function enter(event) {
  event.preventDefault();
  hideProblem();
  const name = byId("name").value.trim();
  if (!name) {
    showProblem(sayError({ code: "no_name" }));
    return;
  }
  remember(KEPT_NAME, name);
  byId("enter").disabled = true;
  try {
    if (!roomId()) history.replaceState(null, "", `/live#${(await sendJson("POST", "/api/live/rooms")).room}`);
    panel.clear();
    faces.clear();
    people.clear();
    line = new RoomLine(roomId(), name);
    line.addEventListener("message", ({ detail }) => meet(detail));
    line.addEventListener("lost", lost);
    line.addEventListener("over", ({ detail }) => over(detail.code));
    await line.open();
    if (showsOthers()) mesh.turnOn([]); // whoever is here already, the first hello says
    connect("connecting");
    byId("door").hidden = true;
    byId("room").hidden = false;
    byId("room-heading").focus({ preventScroll: true });
    await drawDevices();
    draw();
  } catch (error) {
    showProblem(sayError(error));
    drawDoor();
  } finally {
    byId("enter").disabled = false;
  }
}

function connect(state) {
  connection = state;
  setText(byId("connection"), state && say(state));
  byId("connection").dataset.state = state;
}

function lost() {
  connect("reconnecting");
  panel.dropPartials();
  faces.dropPartials();
  stopRecording();
}

function over(code) {
  mesh.turnOff();
  turnOff();
  if (code === "taken_over") showProblem(say("takenOver"));
  else if (code) showProblem(sayError({ code }));
  line = null;
  showDoor();
}

const MESSAGES = {
  hello(message) {
    connect(connection === "reconnecting" ? "cameBack" : "connected");
    me = panel.me = message.participant;
    people.clear();
    for (const { id, name, mode } of message.participants) people.set(id, { name, mode, reason: "started" });
    panel.dropPartials();
    faces.dropPartials();
    mesh.enter(me, [...people.keys()]);
    if (sending) record();
  },
  final(message) {
    panel.add(message);
    faces.caption(message);
  },
  partial(message) {
    panel.partial(message);
    faces.caption(message);
  },
  signal: ({ from, data }) => mesh.meet(from, data),
  joined(message) {
    people.set(message.participant, { name: message.name, mode: people.get(message.participant)?.mode ?? null, reason: "started" });
    panel.note(say("joined", message));
  },
  left(message) {
    people.delete(message.participant);
    mesh.forget(message.participant);
    panel.note(say("left", message));
  },
  renamed(message) {
    const person = people.get(message.participant);
    if (person) person.name = message.name;
    panel.note(say("renamed", message));
  },
  mode(message) {
    people.set(message.participant, { name: message.name, mode: message.mode, reason: message.reason });
  },
  dropped(message) {
    panel.skipped(message);
  },
  error(message) {
    if (message.code === "begin_again") {
      if (sending) record();
      return;
    }
    if (sender && ["no_connection", "bad_media", "too_fast"].includes(message.code)) {
      fallBack(sender);
      return;
    }
    if (message.code === "bad_media" || message.code === "failed") turnOff();
    showProblem(sayError(message));
  },
};

function meet(message) {
  MESSAGES[message.type]?.(message);
  draw();
}

function modeText({ mode, reason }) {
  if (!mode) return "";
  const why = reason && reason !== "started" ? ` · ${say(`why_${reason}`)}` : "";
  return say(`live_${mode}`) + why;
}

function draw() {
  const mine = people.get(me);
  setText(byId("self-mode"), sending && mine ? modeText(mine) : "");
  setText(byId("recording-note"), say(!sending ? "notSending" : mine?.mode ? "sending" : "preparing"));
  setText(byId("start-text"), say(sending ? "stopSending" : "startSending"));
  const items = [...people].map(([id, person]) => {
    const name = id === me ? `${person.name} (${say("me")})` : person.name;
    return make("li", {}, make("strong", { text: name }), " ", make("span", { class: "person-mode", text: id === me ? "" : modeText(person) }));
  });
  byId("people").replaceChildren(...items);
  faces.draw(people, me);
}

async function drawDevices() {
  for (const [id, kind] of [["camera", "videoinput"], ["microphone", "audioinput"]]) {
    const select = byId(id);
    const before = select.value;
    const found = await listDevices(kind);
    const options = found.map((one, n) => make("option", { value: one.id, text: one.label || say("numbered", { what: say(id), n: n + 1 }) }));
    if (!options.length) options.push(make("option", { value: "", text: say(id) }));
    select.replaceChildren(...options, make("option", { value: NONE, text: say("noCamera") }));
    if ([...select.options].some((option) => option.value === before)) select.value = before;
  }
}

function chosen(id) {
  const { value } = byId(id);
  return value === NONE ? null : value;
}

async function turnOn() {
  hideProblem();
  try {
    await devices.open(chosen("camera"), chosen("microphone"));
  } catch (error) {
    showProblem(sayError(error));
    return;
  } finally {
    mesh.share(devices.stream);
  }
  sending = true;
  await drawDevices();
  record();
  draw();
}

function turnOff() {
  stopRecording();
  devices.close();
  mesh.share(null);
  if (sending) line?.send({ type: "pause" });
  sending = false;
  const mine = people.get(me);
  if (mine) mine.mode = null;
  draw();
}

function stopRecording() {
  sender?.close();
  sender = null;
  devices.stopRecording();
}

/** A recording from its beginning: at first, after a break, and where the server could not follow. */
async function record() {
  if (!line?.isIn) return; // the next hello begins it
  stopRecording();
  if (!byWebRtc) {
    recordPieces();
    return;
  }
  const mine = new PeerSender(line.room, line.whip, () => fallBack(mine));
  sender = mine;
  try {
    await mine.open(devices.stream);
    byId("recording-note").dataset.transport = "webrtc";
  } catch {
    fallBack(mine);
  }
}

/** The connection by WebRTC does not come about, or is lost: the same by the WebSocket, from now on. */
function fallBack(from) {
  if (from !== sender || !line?.isIn) {
    from.close();
    return; // the next hello begins anew
  }
  byWebRtc = false;
  connect("fellBack");
  stopRecording();
  recordPieces();
}

function recordPieces() {
  byId("recording-note").dataset.transport = "websocket";
  devices.record(
    (media) => line?.send({ type: "start", media }),
    (data) => {
      if (line && !line.feed(data)) record();
    },
  );
}

const showsOthers = () => CAN_MESH && recall(KEPT_FACES) !== "off";

function showOthers(on) {
  remember(KEPT_FACES, on ? null : "off");
  if (on) mesh.turnOn([...people.keys()]);
  else mesh.turnOff();
  draw();
}

function leave() {
  const left = line;
  mesh.turnOff(true);
  turnOff();
  left?.leave();
  line = null;
  history.replaceState(null, "", "/live");
  showDoor();
  byId("door-heading").focus({ preventScroll: true });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    announce(say("copied"));
    setText(byId("connection"), say("copied"));
  } catch {
    showProblem(say("notCopied"));
  }
}

function showToken() {
  byId("token").hidden = false;
  byId("door").hidden = true;
  byId("room").hidden = true;
  byId("token-form").action = `/live${location.hash}`;
  byId("token-field").focus();
}

function drawLanguage() {
  const button = byId("language");
  button.lang = currentLanguage() === "ko" ? "en" : "ko";
  button.textContent = say("otherLanguage");
  button.setAttribute("aria-label", say("otherLanguageLabel"));
  translate();
  document.title = say("liveTitle");
  drawDoor();
  if (line) {
    connect(connection);
    draw();
    drawDevices();
  }
  panel.drawHeld();
}

function start() {
  addWords(LIVE_WORDS);
  chooseLanguage();
  panel = new Panel();
  devices = new Devices(byId("preview"));
  mesh = new Mesh((to, data) => line?.send({ type: "signal", to, data }));
  faces = new Faces(mesh);
  byId("others").hidden = !CAN_MESH;
  byId("show-others").checked = showsOthers();
  byId("show-others").addEventListener("change", ({ target }) => showOthers(target.checked));
  byId("name").value = recall(KEPT_NAME) ?? "";
  drawLanguage();
  byId("language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "ko" ? "en" : "ko", true);
    drawLanguage();
  });
  byId("problem-close").addEventListener("click", () => {
    hideProblem();
    byId("main").focus({ preventScroll: true });
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  byId("join").addEventListener("submit", enter);
  byId("start").addEventListener("click", () => (sending ? turnOff() : turnOn()));
  byId("leave").addEventListener("click", leave);
  byId("copy").addEventListener("click", copy);
  for (const id of ["camera", "microphone"]) byId(id).addEventListener("change", () => sending && turnOn());
  addEventListener("hashchange", () => !line && drawDoor());
  addEventListener("pagehide", () => {
    mesh.turnOff(true);
    line?.leave();
  });
  document.addEventListener("avsr:token", showToken);
  if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname + location.hash);
  showDoor();
}

start();
