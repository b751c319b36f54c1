"""The live recogniser on made sound and a drawn face: what it says, when, and what it never does."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsr.decoding import recognizer as module
from avsr.decoding.live.drafts import Drafts
from avsr.decoding.live.lips import Lips
from avsr.decoding.live.messages import Dropped, Final, ModeSwitch, Partial, message_from_dict, message_to_dict
from avsr.decoding.live.recognizer import LiveRecognizer
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.search import DecodeOptions
from avsr.errors import AvsrError
from avsr.lips.live import Mouth, no_mouth
from avsr.media.captions import Word
from tests.decoding.conftest import DrawnFace, speech

RATE = 16000


class AtOnce(Executor):
    """Does everything where it is asked for, so that a test is the same each time."""

    def submit(self, work, /, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future


class Held(Executor):
    """Does nothing until it is told to, as where others have all of the machine."""

    def __init__(self) -> None:
        self.held = True
        self._asked: list[tuple] = []

    def submit(self, work, /, *arguments):
        future: Future = Future()
        self._asked.append((future, work, arguments))
        if not self.held:
            self.release()
        return future

    def release(self) -> None:
        """All that was asked for, and from now on at once."""
        self.held = False
        while self._asked:
            future, work, arguments = self._asked.pop(0)
            future.set_result(work(*arguments))


@pytest.fixture(scope="session")
def quick(packed):
    """The tiny model with a search of no time."""
    return Recognizer.load(packed, options=DecodeOptions(beam_size=1, ctc_weight=1.0))


def test_a_wide_beam_is_narrowed_where_somebody_waits(packed, monkeypatch):
    beams, search = [], module.search
    monkeypatch.setattr(module, "search", lambda *asked: beams.append(asked[3].beam_size) or search(*asked))
    wide, narrow = (Recognizer.load(packed, options=DecodeOptions(beam_size=beam, ctc_weight=0.5, nbest=1)) for beam in (30, 2))
    for recognizer in (wide, narrow):
        Drafts(recognizer, "audio", AtOnce(), lambda: 1, lambda: 0.0).warm_up(room(1.0), None)
    assert set(beams) == {10, 2} and wide.options.beam_size == 30 and narrow.narrower(10) is narrow


def room(seconds: float, seed: int = 1) -> np.ndarray:
    """A quiet room."""
    return 1e-3 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def said(before: float, seconds: float, after: float) -> np.ndarray:
    """A voice between two stretches of a quiet room."""
    voice = speech(np.arange(round(seconds * RATE)) / RATE)
    return np.concatenate([np.zeros(round(before * RATE)), voice, np.zeros(round(after * RATE))]).astype(np.float32) + room(
        before + seconds + after + 1
    )[: round(before * RATE) + len(voice) + round(after * RATE)]


def picture(time: float) -> np.ndarray:
    """A grey picture in which something moves all the time."""
    rng = np.random.default_rng(round(time * 1000))
    return rng.integers(60, 200, (96, 128), np.uint8)


def play(live: LiveRecognizer, samples: np.ndarray | None, pictures=None, *, step: float = 0.1, seconds: float | None = None) -> list:
    """Give a session everything as it would come, polling at every step; all messages."""
    seconds = len(samples) / RATE if seconds is None else seconds
    messages, shown = [], 0
    for number in range(1, round(seconds / step) + 1):
        now = number * step
        if samples is not None:
            first, stop = round((now - step) * RATE), round(now * RATE)
            live.add_sound(first / RATE, samples[first:stop])
        while pictures is not None and shown / 25 < now - 1e-6:
            image = pictures(shown / 25)
            if image is not None:
                live.add_picture(shown / 25, image)
            shown += 1
        messages += live.poll(now)
    return messages + live.finish()


def of(kind: type, messages: list) -> list:
    return [message for message in messages if isinstance(message, kind)]


def check(messages: list) -> None:
    """What holds of every session."""
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    committed: dict[int, str] = {}
    for message in messages:
        if isinstance(message, Partial):
            assert message.segment not in {final.segment for final in of(Final, messages[: message.seq - 1])}
            assert message.committed.startswith(committed.get(message.segment, ""))
            committed[message.segment] = message.committed
        elif isinstance(message, Final):
            assert message.text.startswith(committed.get(message.segment, ""))
            assert message.text == " ".join(word.text for word in message.words) and message.start < message.end
        assert message_from_dict(json.loads(json.dumps(message_to_dict(message)))) == message
    assert len(committed.keys() - {final.segment for final in of(Final, messages)}) == 0


def test_a_voice_gives_partials_and_a_final_and_silence_nothing(quick):
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        messages = play(live, said(2.0, 3.0, 3.0))
    check(messages)
    finals, partials = of(Final, messages), of(Partial, messages)
    assert len(finals) == 1 and len(partials) >= 3
    assert finals[0].mode == "audio" and finals[0].source == "voice" and finals[0].speaker is None
    assert 1.3 < finals[0].start < 2.2 and 4.5 < finals[0].end < 5.8
    assert all(finals[0].start <= word.start <= word.end <= finals[0].end for word in finals[0].words)


@pytest.mark.parametrize("what", ["silence", "room", "knocks"])
def test_without_speech_there_is_no_text(quick, what):
    samples = {"silence": np.zeros(6 * RATE, np.float32), "room": room(6), "knocks": room(6)}[what]
    if what == "knocks":
        samples[:: 2 * RATE] = 0.8
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        messages = play(live, samples)
    assert not of(Final, messages) and not of(Partial, messages)


def test_lips_alone_are_read_where_there_is_no_sound(quick, face):
    with LiveRecognizer(quick, detector=DrawnFace(), executor=AtOnce()) as live:
        messages = play(live, None, lambda time: picture(time) if time < 4 else np.zeros((96, 128), np.uint8), seconds=7)
    check(messages)
    assert [final.mode for final in of(Final, messages)] == ["lip"] and of(Final, messages)[0].source == "lips"
    assert [switch.mode for switch in of(ModeSwitch, messages)] == ["lip", "none"]


def test_a_long_speech_is_cut_and_nothing_of_it_is_lost(quick):
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        messages = play(live, said(0.5, 27.0, 2.0))
    check(messages)
    finals = of(Final, messages)
    assert len(finals) >= 3 and all(final.end - final.start <= 12.01 for final in finals)
    assert finals[0].start < 0.6 and finals[-1].end > 27.3
    assert all(abs(one.end - other.start) < 1.5 for one, other in zip(finals, finals[1:]))


@pytest.mark.parametrize("stream", ["microphone", "camera", "no pictures", "no sound", "frozen"])
def test_a_stream_that_fails_is_said_within_half_a_second_and_when_it_is_back(quick, face, stream):
    samples, cut, back = said(0.2, 7.8, 1.0), 3.0, 6.0

    def seen(time: float) -> np.ndarray | None:
        if cut <= time < back and stream in ("camera", "no pictures", "frozen"):
            return {"camera": np.zeros((96, 128), np.uint8), "no pictures": None, "frozen": picture(cut)}[stream]
        return picture(time)

    if stream == "microphone":
        samples[round(cut * RATE) : round(back * RATE)] = 0.0
    live = LiveRecognizer(quick, detector=DrawnFace(), executor=AtOnce())
    if stream == "no sound":
        give = live.add_sound
        live.add_sound = lambda time, chunk: None if cut <= time < back - 0.01 else give(time, chunk)
    with live:
        messages = play(live, samples, seen)
    check(messages)
    switches = of(ModeSwitch, messages)
    assert [switch.mode for switch in switches] == ["av", "lip" if stream in ("microphone", "no sound") else "audio", "av"]
    reason = {"microphone": "microphone_silent", "no sound": "microphone_missing", "camera": "camera_covered", "no pictures": "camera_missing"}
    assert switches[1].reason == reason.get(stream, "camera_frozen")
    soon = 0.35 if stream in ("microphone", "camera") else 0.51  # a network's way comes on top
    assert cut <= switches[1].time <= cut + soon and abs(switches[1].since - cut) < 0.2
    assert back <= switches[2].time <= back + 0.5
    assert of(Final, messages)


def test_messages_come_at_most_five_times_a_second(quick):
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        messages, when = [], []
        samples = said(0.5, 6.0, 2.0)
        for number in range(round(len(samples) / 320)):
            live.add_sound(number / 50, samples[number * 320 : (number + 1) * 320])
            came = of(Partial, live.poll(number / 50))
            when += [number / 50] * len(came)
            messages += came
    assert len(when) > 4
    assert all(b - a >= 0.199 for a, b in zip(when, when[1:]))


def test_a_machine_that_cannot_follow_drops_the_oldest_pictures_and_says_so(quick, face):
    with LiveRecognizer(quick, detector=DrawnFace(), executor=AtOnce()) as live:
        live.add_sound(0.0, said(0.2, 9.8, 0.0))
        for number in range(250):
            live.add_picture(number / 25, picture(number / 25))
        messages = live.poll(10.0)
        messages += live.finish()
    check(messages)
    dropped = of(Dropped, messages)
    assert len(dropped) == 1 and dropped[0].sound == 0 and 6.0 < dropped[0].pictures < 9.0
    assert of(Final, messages)


def test_where_recognition_cannot_follow_pictures_are_given_up_and_nothing_that_was_said_is(quick, face):
    samples, executor, messages = np.concatenate([said(0.3, 1.5, 1.7)] * 9), Held(), []
    with LiveRecognizer(quick, detector=DrawnFace(), executor=executor) as live:
        for number in range(1, round(len(samples) / RATE / 0.1)):
            live.add_sound((number - 1) / 10, samples[(number - 1) * 1600 : number * 1600])
            for place in range((number - 1) * 5 // 2, number * 5 // 2):
                live.add_picture(place / 25, picture(place / 25))
            if number == 170:
                executor.release()
            messages += live.poll(number / 10)
        messages += live.finish()
    check(messages)
    (behind,) = (one for one in of(ModeSwitch, messages) if one.reason == "machine_behind")
    back = [one for one in of(ModeSwitch, messages) if one.reason == "face_back"][-1]
    assert behind.mode == "audio" and 6.0 < behind.time < 9.0 and back.mode == "av" and 17.0 <= back.time < 18.0
    assert sum(one.pictures for one in of(Dropped, messages)) == pytest.approx(back.time - behind.time, abs=1.0)
    assert len(of(Final, messages)) == 9


def test_where_nobody_was_looked_for_no_black_pictures_wait():
    lips = Lips(0)
    lips.add([no_mouth()] * 50)
    assert lips.window(0, 50) is None and lips.window(50, 60) is None
    lips.add([Mouth(np.full((96, 96), 7, np.uint8), 1.0, False)])
    frames, confidence = lips.window(40, 60)
    assert frames.shape == (11, 96, 96) and confidence.tolist() == [0.0] * 10 + [1.0] and (frames[-1] == 7).all()
    assert lips.window(0, 50) is None


def test_recognition_in_a_thread_gives_the_finals_too(quick):
    with LiveRecognizer(quick, mode="audio") as live:
        threaded = play(live, said(0.5, 3.0, 2.0))
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        at_once = play(live, said(0.5, 3.0, 2.0))
    check(threaded)
    assert [final.start for final in of(Final, threaded)] == [final.start for final in of(Final, at_once)]


def test_an_ear_has_the_last_word_and_nothing_is_promised_before(packed):
    from tests.decoding.test_pool import StandInEar

    heard = Recognizer.load(packed, options=DecodeOptions(beam_size=1, ctc_weight=1.0))
    heard.ear = StandInEar(**{"들은 말": -1.0})
    with LiveRecognizer(heard, mode="audio", executor=AtOnce()) as live:
        messages = play(live, said(0.5, 3.0, 2.0))
    check(messages)
    partials = of(Partial, messages)
    assert len(partials) >= 2 and not any(partial.committed for partial in partials)
    assert [final.text for final in of(Final, messages)] == ["들은 말"]


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_however_the_pieces_come_the_finals_are_there(quick, data):
    """Pieces of any size, gaps, overlaps, polls at any time: no error, and all that holds of every session."""
    samples, place, messages = said(0.3, 2.5, 1.5), 0, []
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        while place < len(samples):
            size = int(rng.integers(1, 9000))
            begin = max(0, place - int(rng.integers(0, 400)))
            live.add_sound(10.0 + begin / RATE, samples[begin : place + size])
            place += size + (int(rng.integers(0, 3000)) if rng.random() < 0.1 else 0)
            if rng.random() < 0.7:
                messages += live.poll(10.0 + place / RATE if rng.random() < 0.5 else None)
        messages += live.finish()
    check(messages)
    finals = of(Final, messages)
    assert finals and 10.0 <= finals[0].start < 10.6 and finals[-1].end > 12.0


def test_memory_does_not_grow(quick, face):
    with LiveRecognizer(quick, detector=DrawnFace(), executor=AtOnce()) as live:
        quiet, black = room(1.0), np.zeros((48, 64), np.uint8)
        for second in range(120):
            live.add_sound(float(second), quiet)
            for number in range(25):
                live.add_picture(second + number / 25, black)
            live.poll(second + 1.0)
        assert live._timeline.edge - live._timeline.base < 25 * 40


def test_odd_orders_are_refused(quick):
    with pytest.raises(AvsrError, match="eyes"):
        LiveRecognizer(quick, mode="eyes")
    with LiveRecognizer(quick, mode="audio", executor=AtOnce()) as live:
        live.add_sound(0.0, room(0.1))
        live.add_sound(5000.0, room(0.1))
        with pytest.raises(AvsrError, match="jump"):
            live.poll()
    assert LiveRecognizer(quick, executor=AtOnce()).finish() == []


def test_other_messages_are_refused():
    final = Final(3, 1, "네", (Word(0.1, 0.4, "네", 0.9),), 0.0, 1.0, None, "av", "both")
    fields = message_to_dict(final)
    assert fields["type"] == "final" and message_from_dict(fields) == final
    with pytest.raises(AvsrError, match="unknown"):
        message_from_dict(fields | {"type": "song"})
    with pytest.raises(AvsrError, match="fields"):
        message_from_dict({"type": "final", "seq": 1, "words": []})
