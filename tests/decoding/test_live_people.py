"""Several people before one camera and one microphone: whose the lines are, and what never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsr.decoding.live.messages import Final, Partial
from avsr.decoding.live.recognizer import LiveRecognizer
from avsr.decoding.people import UNSEEN
from avsr.lips import speaking
from avsr.lips.crop import TEMPLATE
from avsr.lips.landmarks import Face
from tests.decoding.test_live import AtOnce, check, of, play, quick, room  # noqa: F401  (a fixture)
from tests.decoding.conftest import speech

RATE, SIDE = 16000, 160


class Halves:
    """Stands in for the face model: a face in the middle of each square of the picture that is brighter than nothing."""

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        found = []
        for left in range(0, image.shape[1], SIDE):
            if image[:, left : left + SIDE].any():
                middle = np.array([left + SIDE / 2, SIDE / 2])
                points = (TEMPLATE - (48, 46)) * 0.6 + middle
                found.append(Face(points, np.array([*(middle - (50, 70)), *(middle + (50, 70))])))
        return found[::-1]  # MediaPipe has an order of its own


class Scene:
    """People side by side, from second to second bright where they speak and dark where they are silent; black where nobody is. The
    microphone hears everybody, and a voice from out of the picture."""

    def __init__(self, *spans: list[tuple[float, float]], there: list[tuple[float, float]] | None = None, outside: list | None = None) -> None:
        self.spans, self.there = spans, there or [(0.0, 1e9)] * len(spans)
        self.every = [*[span for own in spans for span in own], *(outside or [])]

    def picture(self, time: float) -> np.ndarray:
        """(160, 160 n) uint8."""
        rng, squares = np.random.default_rng(round(time * 1000)), []
        for own, (come, gone) in zip(self.spans, self.there):
            speaks = any(first <= time < stop for first, stop in own)
            low = 180 if speaks else 20
            square = rng.integers(low, low + 40, (SIDE, SIDE), np.uint8)
            squares.append(square if come <= time < gone else np.zeros_like(square))
        return np.hstack(squares)

    def sound(self, seconds: float) -> np.ndarray:
        """(N,) float32."""
        times = np.arange(round(seconds * RATE)) / RATE
        heard = np.zeros(len(times), bool)
        for first, stop in self.every:
            heard |= (times >= first) & (times < stop)
        return room(seconds) + np.where(heard, speech(times), 0).astype(np.float32)


@pytest.fixture(autouse=True)
def bright_mouths_speak(monkeypatch):
    """Who is bright."""

    def tell(stream, first: int, end: int, begin: int, mouths) -> np.ndarray:
        return np.where(mouths(first, end).mean((1, 2)) > 120, 0.99, 0.01).astype(np.float32)

    monkeypatch.setattr(speaking.SpeakingStream, "tell", tell)


def watch(recognizer, scene: Scene, seconds: float, step: float = 0.1, **options) -> list:
    with LiveRecognizer(recognizer, detector=Halves(), executor=AtOnce(), **options) as live:
        samples = None if options.get("mode") == "lip" else scene.sound(seconds)
        messages = play(live, samples, scene.picture, seconds=seconds, step=step)
    check(messages)
    return messages


def lines(messages: list) -> dict[int | None, list[tuple[float, float]]]:
    found: dict = {}
    for final in of(Final, messages):
        found.setdefault(final.speaker, []).append((final.start, final.end))
    return found


def near(found: list[tuple[float, float]], wanted: list[tuple[float, float]], most: float = 0.6) -> bool:
    return len(found) == len(wanted) and all(abs(a - b) < most for one, other in zip(sorted(found), wanted) for a, b in zip(one, other))


def test_each_has_lines_of_their_own_and_a_voice_from_outside_too(quick):  # noqa: F811
    scene = Scene([(1.0, 3.0), (8.0, 10.0)], [(4.5, 6.5)], outside=[(13.0, 15.0)])
    messages = watch(quick, scene, 18.0)
    found = lines(messages)
    assert set(found) == {1, 2, UNSEEN}
    assert near(found[1], scene.spans[0]) and near(found[2], scene.spans[1]) and near(found[UNSEEN], [(13.0, 15.0)], 1.3)
    partials = of(Partial, messages)
    assert {partial.speaker for partial in partials} == {1, 2, UNSEEN}
    modes = {final.speaker: final.mode for final in of(Final, messages)}
    assert modes == {1: "av", 2: "av", UNSEEN: "audio"}


def test_two_who_speak_at_once_have_two_lines_at_once(quick):  # noqa: F811
    scene = Scene([(1.0, 4.0)], [(1.8, 5.0)])
    messages = watch(quick, scene, 8.0)
    found = lines(messages)
    assert set(found) == {1, 2} and near(found[1], scene.spans[0]) and near(found[2], scene.spans[1])
    open_at_once = [{partial.segment for partial in of(Partial, messages[:place])} - {final.segment for final in of(Final, messages[:place])}
                    for place in range(len(messages))]  # fmt: skip
    assert max(map(len, open_at_once)) == 2


def test_who_is_alone_has_no_number(quick):  # noqa: F811
    assert set(lines(watch(quick, Scene([(1.0, 3.0)], there=[(0.0, 99.0)]), 5.0))) == {None}
    # Another who comes when the first is gone is not told apart from them.
    assert set(lines(watch(quick, Scene([(1.0, 3.0)], [(6.0, 8.0)], there=[(0.0, 4.0), (5.0, 99.0)]), 10.0))) == {None}


def test_who_was_alone_is_the_first_when_another_comes_in_the_middle_of_a_sentence(quick):  # noqa: F811
    messages = watch(quick, Scene([(10.0, 12.0)], [(1.0, 4.0), (4.7, 8.0)], there=[(6.0, 99.0), (0.0, 99.0)]), 14.0)
    first, second = sorted(of(Final, messages), key=lambda final: final.start)
    assert (first.speaker, second.speaker) == (1, 2) and near([(first.start, first.end)], [(1.0, 8.0)])
    told = [partial.speaker for partial in of(Partial, messages) if partial.segment == first.segment]
    assert told and told[0] is None, "nobody else was there yet"


def test_numbers_stay_with_the_place(quick):  # noqa: F811
    spans = [(1.0, 3.0), (9.0, 11.0)]
    found = lines(watch(quick, Scene(spans, [(5.0, 7.0)], there=[(0.0, 99.0), (0.0, 8.0)]), 13.0))
    assert near(found[1], spans) and near(found[2], [(5.0, 7.0)])
    found = lines(watch(quick, Scene([(1.0, 3.0), (10.0, 12.0)], [(5.0, 7.0)], there=[(0.0, 4.0), (0.0, 99.0)]), 14.0))
    assert near(found[1], [(1.0, 3.0)]) and UNSEEN in found, "who has gone out of the picture and speaks there"


def test_a_machine_that_looks_seldom_misses_nothing(quick):  # noqa: F811
    """Found with a server that was still loading its model: what was said before two people were first seen was lost."""
    scene = Scene([(4.0, 5.0)], [(6.8, 7.8)], outside=[(1.0, 2.5)])
    found = lines(watch(quick, scene, 9.0, step=3.0))
    assert near(found[1], scene.spans[0]) and near(found[2], scene.spans[1]) and near(found[UNSEEN], [(1.0, 2.5)], 1.3)
    with LiveRecognizer(quick, detector=Halves(), executor=AtOnce()) as live:
        live.add_sound(0.0, scene.sound(9.0))
        for number in range(160, 225):
            live.add_picture(number / 25, scene.picture(number / 25))
        found = lines(live.poll(9.0) + live.finish())
    assert near(found[1], [(1.0, 2.5), (4.0, 5.0)]) and near(found[2], scene.spans[1]), "before two were seen it was the one"


def test_lips_alone(quick):  # noqa: F811
    found = lines(watch(quick, Scene([(1.0, 4.0)], [(2.5, 5.5)]), 8.0, mode="lip"))
    assert near(found[1], [(1.0, 4.0)]) and near(found[2], [(2.5, 5.5)])


def test_a_covered_camera_loses_nobody_who_speaks_on(quick):  # noqa: F811
    scene = Scene([(1.0, 7.0)], [], there=[(0.0, 3.0), (0.0, 3.0)])
    found = lines(watch(quick, scene, 10.0))
    assert set(found) == {1, None}, "who speaks cannot be told any more"
    covered = sorted(span for spans in found.values() for span in spans)
    assert covered[0][0] < 1.1 and covered[-1][1] > 6.8
    assert all(other[0] - one[1] < 0.5 for one, other in zip(covered, covered[1:]))


def test_many_who_come_and_go_are_forgotten(quick):  # noqa: F811
    there = [(0.0, 999.0), *[(4.0 * place, 4.0 * place + 3.0) for place in range(3)]]
    scene = Scene(*[[]] * 4, there=there)
    with LiveRecognizer(quick, detector=Halves(), executor=AtOnce()) as live:
        play(live, room(45.0), scene.picture, step=0.5)
        assert set(live._timeline.people) == {1} and set(live._speakers._segmenters) == {1, UNSEEN}


@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whoever_speaks_when_nothing_is_lost_and_nothing_promised_changes(quick, data):  # noqa: F811
    """Two to three people who speak, come and go as they like."""
    moments = st.floats(0.2, 8.0)
    people = data.draw(st.lists(st.lists(moments, max_size=2), min_size=2, max_size=3))
    spans = [[(begin, begin + 1.5) for begin in own] for own in people]
    there = [(0.0, data.draw(st.sampled_from([4.0, 99.0]))) for _ in people]
    scene = Scene(*spans, there=there)
    messages = watch(quick, scene, 12.0)
    found = [span for own in lines(messages).values() for span in own]
    for first, stop in scene.every:
        inside = np.arange(first + 0.4, stop - 0.4, 0.1)
        assert all(any(a <= second <= b for a, b in found) for second in inside), (first, stop, found)
