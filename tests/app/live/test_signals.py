"""What pages say to each other for their pictures' sake: it reaches the one that it is for, is not kept, and has its limits."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from avsr.app.live.client import told
from avsr.app.live.protocol import BAD_MESSAGE, TOO_FAST, TOO_LARGE, Limits, Refused, read_control
from avsr.app.live.room import Room
from tests.app.live.test_live_hostile import closed_with, enter, make_room, until
from tests.app.live.test_room import Guest


def signal(to: int, data: str) -> str:
    return json.dumps({"type": "signal", "to": to, "data": data})


def flood(socket, text: str, count: int) -> None:
    with suppress(ConnectionClosed):
        for _ in range(count):
            socket.send(text)


def test_a_signal_is_for_one_has_no_number_and_is_not_told_again():
    room = Room("r", 0.0, Limits())
    sender, other, third = (Guest(room, name) for name in ("민지", "서준", "하은"))
    number, kept = room.seq, len(third.ear.heard)
    room.signal(sender.person, other.person.number, "안녕")
    message = {"type": "signal", "from": sender.person.number, "data": "안녕"}
    assert other.ear.heard[-1] == message and told(message) == ""
    assert len(third.ear.heard) == kept and message not in sender.ear.heard and room.seq == number
    other.come_back(1.0)
    assert "signal" not in [one["type"] for one in other.ear.heard]


def test_a_signal_to_nobody_is_dropped_without_a_word():
    room = Room("r", 0.0, Limits())
    sender, away, leaving = (Guest(room, name) for name in ("민지", "서준", "하은"))
    room.lost(away.person, away.ear.line, 1.0)
    room.leaves(leaving.person, 1.0)
    heard = [len(guest.ear.heard) for guest in (sender, away, leaving)]
    for to in (sender.person.number, away.person.number, leaving.person.number, 0, -1, 99):
        room.signal(sender.person, to, "x")
    assert [len(guest.ear.heard) for guest in (sender, away, leaving)] == heard


def test_a_signal_may_be_as_long_as_an_offer_and_other_messages_may_not():
    limits = Limits()
    assert read_control(signal(1, "v" * 30_000), limits)["data"] == "v" * 30_000
    for text in (signal(1, "v" * limits.signal_bytes), json.dumps({"type": "rename", "name": "v" * 5000}), "v" * 5000):
        with pytest.raises(Refused) as refused:
            read_control(text, limits)
        assert refused.value.close == TOO_LARGE


@pytest.mark.parametrize("fields", ['"to": "1"', '"to": true', '"to": 1.0', '"data": {}', '"data": null', r'"data": "\ud800"'])
def test_a_signal_of_another_form_is_refused(fields):
    with pytest.raises(Refused) as refused:
        read_control('{"type": "signal", ' + fields + "}", Limits())
    assert refused.value.close == BAD_MESSAGE


@given(st.text(max_size=300))
def test_what_is_taken_can_be_sent_on(data):
    assert json.dumps(read_control(signal(2, data), Limits()), ensure_ascii=False).encode()


def test_signals_go_over_the_line_and_a_flood_ends_it(live_server):
    room = make_room(live_server)
    with enter(live_server, room, "민지") as one, enter(live_server, room, "서준") as other:
        one.send(signal(99, "to nobody"))
        one.send(signal(2, "v" * 20_000))
        assert until(other, "signal") == {"type": "signal", "from": 1, "data": "v" * 20_000}
        other.send(signal(1, "back"))
        assert until(one, "signal") == {"type": "signal", "from": 2, "data": "back"}
        flood(one, signal(99, ""), 2 * Limits().signals_a_minute)
        assert closed_with(one) == (TOO_FAST, "too_fast")
        other.send('{"type": "rename", "name": "하은"}')
        assert until(other, "renamed")["name"] == "하은"


def test_signals_that_are_too_many_bytes_end_the_line(live_server):
    with enter(live_server, make_room(live_server)) as socket:
        flood(socket, signal(99, "v" * 30_000), 2 * Limits().burst // 30_000)
        assert closed_with(socket) == (TOO_FAST, "too_fast")
