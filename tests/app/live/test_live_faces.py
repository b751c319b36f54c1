"""People of a room see and hear each other: two pages of Chromium, straight from one to the other, on the real server."""

from __future__ import annotations

import pytest

from avsr.app.live.protocol import Limits
from tests.app.conftest import PATIENCE
from tests.app.live.page_visit import enter, no_violation
from tests.app.live.test_live_hostile import enter as join
from tests.app.page.page_driver import wait_until

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it").expect

# What a test wants to hold in its hands: connections and sockets, as the page makes them.
WATCHED = """
window.peers = [];
window.sockets = [];
window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...given) { super(...given); window.peers.push(this); } };
window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); window.sockets.push(this); } };
"""
SLOW = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), 500); };
"""
SILENT_UNTIL_ALLOWED = """
window.allowed = false;
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  return this.muted || window.allowed ? play.call(this) : Promise.reject(new DOMException("not yet", "NotAllowedError"));
};
"""
UNREACHABLE = """
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  return take.call(this, { type, sdp: sdp.replace(/a=candidate.*\\r\\n/g, "") });
};
RTCPeerConnection.prototype.addIceCandidate = async () => {};
"""
TWO_ENDS = """async () => {
  const { Mesh } = await import("/static/live_mesh.js");
  window.ends = { 1: null, 2: null };
  for (const me of [1, 2]) ends[me] = new Mesh((to, text) => setTimeout(() => ends[to].meet(me, text)));
  for (const me of [1, 2]) ends[me].turnOn([]);
  for (const me of [1, 2]) ends[me].enter(me, [1, 2]);
}"""
SHARE = "async (me) => ends[me].share(await navigator.mediaDevices.getUserMedia({ video: true }))"
FLOODED = """async (count) => {
  const { Mesh } = await import("/static/live_mesh.js");
  let said = 0;
  const mesh = new Mesh(() => (said += 1));
  mesh.enter(1, [1]);
  mesh.turnOn([]);
  for (let n = 0; n < count; n += 1) mesh.meet(2, JSON.stringify({ hello: true, mine: "an end", yours: null }));
  mesh.turnOff();
  return said;
}"""
VIDEO = "document.querySelector('.face video')"


def fragment(page) -> str:
    return page.url[page.url.index("#") :]


def sees(page, name: str) -> None:
    """The one other's picture moves, and their sound comes."""
    expect(page.locator(".face")).to_have_count(1)
    expect(page.locator(".face-name")).to_have_text(name)
    expect(page.locator(".face")).to_have_attribute("data-picture", "shown")
    wait_until(page, f"{VIDEO}.videoWidth > 0")
    before = page.evaluate(f"{VIDEO}.currentTime")
    wait_until(page, f"{VIDEO}.currentTime > {before} + 0.3")
    assert hears(page)


def hears(page) -> bool:
    there = page.locator(".face-sound").is_visible()
    return there and page.evaluate(f"{VIDEO}.srcObject.getAudioTracks().some((track) => track.readyState === 'live')")


@pytest.fixture(params=[""])
def pair(request, visit):
    """Two people, of whom neither sends anything yet."""
    one = visit(faces=True, script=request.param + WATCHED)
    enter(one, "민지")
    other = visit(fragment(one), faces=True, script=request.param + WATCHED)
    enter(other, "서준")
    expect(one.locator(".face-name")).to_have_text("서준")
    return one, other


def test_who_only_listens_sees_who_sends_and_who_leaves_is_gone(pair):
    one, other = pair
    one.click("#start")
    sees(other, "민지")
    heard = "window.peers[0].getStats().then((all) => [...all.values()].some((one) => one.type === 'inbound-rtp' && one.totalAudioEnergy > 0))"
    wait_until(other, heard)
    assert one.evaluate("document.querySelector('#preview').muted")
    expect(other.locator(".face-line")).not_to_be_empty(timeout=1000 * PATIENCE)
    assert other.locator(".face-line").get_attribute("aria-hidden") == "true"
    no_violation(other)
    other.locator(".face button:visible").first.focus()
    one.click("#leave")
    expect(other.locator(".face")).to_have_count(0)
    expect(other.locator("#show-others")).to_be_focused()
    expect(other.locator("#faces-note")).to_contain_text("다른 사람이 들어오면")
    wait_until(other, "window.peers.every((peer) => peer.connectionState === 'closed')")


@pytest.mark.parametrize("pair", [SLOW], indirect=True, ids=["slow"])  # so that both offer before they hear of the other's
def test_both_send_at_once_and_it_can_be_switched_off(pair):
    one, other = pair
    for page in pair:
        page.click("#start", no_wait_after=True)
    sees(one, "서준")
    sees(other, "민지")
    other.uncheck("#show-others")
    expect(other.locator(".face")).to_have_count(0)
    expect(one.locator(".face")).to_have_attribute("data-picture", "none")
    assert other.evaluate("localStorage.getItem('avsr.live.faces')") == "off"
    # That to the server, for captions, stays.
    wait_until(other, "window.peers.filter((peer) => peer.connectionState !== 'closed').length <= 1")
    wait_until(one, "window.peers.filter((peer) => peer.connectionState !== 'closed').length <= 1")
    other.check("#show-others")
    sees(one, "서준")
    sees(other, "민지")


def test_a_broken_line_breaks_no_picture_and_what_was_lost_meanwhile_is_said_again(pair):
    one, other = pair
    one.click("#start")
    sees(other, "민지")
    other.evaluate("window.sockets.at(-1).close(); document.querySelector('#start').click()")
    expect(other.locator("#connection")).to_have_text("다시 연결되었습니다.")
    sees(one, "서준")
    sees(other, "민지")
    one.evaluate("window.sockets.at(-1).close()")
    expect(one.locator("#connection")).to_have_text("다시 연결되었습니다.")
    sees(one, "서준")
    sees(other, "민지")
    assert other.evaluate("window.peers[0].connectionState") == "connected"  # the first that was made, to the other page

    for _ in range(2):  # the camera goes and comes; the microphone stays
        one.select_option("#camera", "none")
        expect(other.locator(".face")).to_have_attribute("data-picture", "none")
        assert hears(other)
        one.select_option("#camera", index=0)
        sees(other, "민지")
    one.click("#start")
    expect(other.locator(".face")).to_have_attribute("data-picture", "none")
    assert not hears(other)


def test_sound_that_the_browser_holds_back_is_let_out_and_turned_down_by_keyboard(visit, live_server):
    one = visit(faces=True)
    enter(one, "민지")
    one.click("#start")
    other = visit(fragment(one), faces=True, script=SILENT_UNTIL_ALLOWED, viewport={"width": 360, "height": 740}, color_scheme="dark")
    enter(other, "서준")
    sees(other, "민지")
    expect(other.locator("#sound-on")).to_be_visible()
    assert other.evaluate(f"{VIDEO}.muted")
    no_violation(other)
    other.evaluate("window.allowed = true")
    other.focus("#sound-on")
    other.keyboard.press("Enter")
    expect(other.locator("#sound-on")).to_be_hidden()
    assert not other.evaluate(f"{VIDEO}.muted")
    other.keyboard.press("Tab")
    expect(other.get_by_role("button", name="민지 님 소리 끄기")).to_be_focused()
    other.keyboard.press("Enter")
    expect(other.get_by_role("button", name="민지 님 소리 켜기")).to_be_focused()
    assert other.evaluate(f"{VIDEO}.muted")
    other.keyboard.press("Tab")
    other.keyboard.press("ArrowLeft")
    assert other.evaluate(f"{VIDEO}.volume") == pytest.approx(0.95)
    with join(live_server, fragment(one)[1:], "하은"):  # a program
        expect(other.locator(".face")).to_have_count(2)
        expect(other.locator(".face").nth(1).locator(".face-initial")).to_have_text("하")
        assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
        other.select_option("#size", "200")
        assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = "[...document.querySelectorAll('#others :is(button, label, input[type=range])')].filter((one) => one.offsetHeight && one.offsetHeight < 43.5).length"
        assert other.evaluate(small) == 0
        no_violation(other)


def test_who_cannot_be_reached_is_said_and_captions_go_on(visit):
    one = visit("?transport=websocket", faces=True, script=UNREACHABLE)
    enter(one, "민지")
    other = visit(fragment(one), faces=True, script=UNREACHABLE)
    other.clock.install()
    enter(other, "서준")
    one.click("#start")
    expect(other.locator(".face-note")).to_contain_text("화면을 연결하는 중")
    other.clock.fast_forward(15_000)
    expect(other.locator(".face-note")).to_contain_text("연결할 수 없습니다")
    expect(other.locator("#announcer")).to_contain_text("민지 님의 화면은 여기서 볼 수 없습니다")
    expect(other.locator(".face-line")).not_to_be_empty(timeout=1000 * PATIENCE)


def test_a_camera_that_comes_after_the_connection_is_limited_too(visit):
    page = visit()
    page.evaluate(TWO_ENDS)
    for one, other in ((1, 2), (2, 1)):
        wait_until(page, f"Boolean(ends[{one}].links.get({other}) && ends[{other}].links.get({one}))")
        page.evaluate(SHARE, one)
        wait_until(page, f"ends[{other}].links.get({one}).has('video')")
        limit = f"ends[{one}].links.get({other}).senders.video.getParameters().encodings[0].maxBitrate"
        wait_until(page, f"{limit} === 500_000")
    page.evaluate("[1, 2].forEach((me) => ends[me].turnOff())")


def test_nobody_can_make_a_page_say_so_much_that_the_room_hangs_up_on_it(visit):
    most = Limits().signals_a_minute
    assert 300 < visit().evaluate(FLOODED, 2 * most) < most
