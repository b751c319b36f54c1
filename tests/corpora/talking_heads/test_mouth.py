"""Mouth motion: lips shut, round and part as the sounds ask, the silence is still, and the same seed moves the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.talking_heads.articulation import CHANNELS, articulate
from avsr.corpora.talking_heads.face_units import FACE_UNITS, GAP, INCISORS
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.mouth import Motion, frame_count, mouth_motion
from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.visemes import gestures
from avsr.errors import AvsrError
from avsr.lips import mouth_shape
from avsr.text.pronunciation import Phoneme

ONSETS, CODAS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ", "ㄱㄴㄷㄹㅁㅂㅇ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
BILABIALS = "ㅁㅂㅃㅍ"
MOUTH = [index for index, unit in enumerate(FACE_UNITS) if unit.startswith(("jaw", "mouth", "tongue"))]


def weight(motion: Motion, unit: str) -> np.ndarray:
    return motion.units[:, FACE_UNITS.index(unit)]


def lip_gap(motion: Motion) -> np.ndarray:
    """(T,) mm between the lips' inner edges; of a pair the mean of both sides counts."""
    total = np.zeros(len(motion.units))
    for unit, effect in GAP.items():
        sides = [unit] if unit in FACE_UNITS else [unit + "Left", unit + "Right"]
        total += effect * np.mean([weight(motion, side) for side in sides], axis=0)
    return total


def say(*sounds: str | float, length: float = 0.08, lead: float = 0.5) -> tuple[list[PhoneTime], float]:
    """Sounds as letters ("ㅏ", "coda ㅂ") of `length` s each, or pauses in seconds; a pause of `lead` at both ends."""
    time, phones = 0.0, []
    for sound in (lead, *sounds, lead):
        if isinstance(sound, float):
            phones.append(PhoneTime(time, time + sound, None))
            time += sound
            continue
        kind, symbol = ("coda", sound[-1]) if sound.startswith("coda") else ("onset", sound)
        vowel = symbol in VOWELS
        phones.append(PhoneTime(time, time + length, Phoneme("vowel" if vowel else kind, symbol, 0)))
        time += length
    return phones, time


def move(*sounds: str | float, style: MouthStyle = MouthStyle(), seed: int = 0, **timing: float) -> Motion:
    phones, duration = say(*sounds, **timing)
    return mouth_motion(phones, duration, style, np.random.default_rng(seed))


syllable = st.tuples(st.sampled_from(["", *ONSETS]), st.sampled_from(VOWELS), st.sampled_from(["", "", *CODAS]))
styles = st.integers(0, 2**32 - 1).map(lambda seed: MouthStyle.random(np.random.default_rng(seed)))


@st.composite
def speech(draw: st.DrawFn) -> tuple[list[PhoneTime], float]:
    """Syllables of any kind, sounds of 25 to 250 ms, pauses here and there and at both ends."""
    time, phones = 0.0, []

    def add(seconds: float, phoneme: Phoneme | None) -> None:
        nonlocal time
        phones.append(PhoneTime(time, time + seconds, phoneme))
        time += seconds

    seconds = st.floats(0.025, 0.25)
    add(draw(st.floats(0.2, 1.0)), None)
    for word, (onset, vowel, coda) in enumerate(draw(st.lists(syllable, min_size=1, max_size=8))):
        for kind, symbol in (("onset", onset), ("vowel", vowel), ("coda", coda)):
            if symbol:
                add(draw(seconds), Phoneme(kind, symbol, word))
        if draw(st.integers(0, 4)) == 0:
            add(draw(st.floats(0.03, 1.2)), None)
    add(draw(st.floats(0.2, 1.0)), None)
    return phones, time


@settings(max_examples=60, deadline=None)
@given(speech(), styles, st.integers(0, 2**32 - 1))
def test_every_bilabial_shuts_the_lips_in_a_picture(spoken, style, seed):
    phones, duration = spoken
    gap = lip_gap(mouth_motion(phones, duration, style, np.random.default_rng(seed)))
    times = np.arange(len(gap)) / 25
    for phone in phones:
        if phone.phoneme and phone.phoneme.kind != "vowel" and phone.phoneme.symbol in BILABIALS:
            near = (times >= phone.start - style.lead - 0.0425) & (times <= phone.end - style.lead + 1e-6)
            assert gap[near].min() < 0.05  # mm


@settings(max_examples=60, deadline=None)
@given(speech(), styles, st.integers(0, 2**32 - 1))
def test_weights_are_weights_and_move_smoothly(spoken, style, seed):
    phones, duration = spoken
    motion = mouth_motion(phones, duration, style, np.random.default_rng(seed))
    assert motion.units.shape == (frame_count(duration), len(FACE_UNITS)) and motion.units.dtype == np.float32
    assert motion.pose.shape == (len(motion.units), 3) and motion.pose.dtype == np.float32
    assert np.isfinite(motion.pose).all() and motion.units.min() >= 0 and motion.units.max() <= 1
    # The jaw is the slowest part of the mouth: from shut to wide takes it more than two pictures.
    assert np.abs(np.diff(weight(motion, "jawOpen"))).max(initial=0.0) < 0.3
    assert np.abs(np.diff(motion.pose, axis=0)).max(initial=0.0) < 3.0


@settings(max_examples=40, deadline=None)
@given(speech(), styles, st.integers(0, 2**32 - 1))
def test_long_pauses_are_still(spoken, style, seed):
    phones, duration = spoken
    motion = mouth_motion(phones, duration, style, np.random.default_rng(seed))
    rest = mouth_motion([], 1.0, style, np.random.default_rng(0)).units[0, MOUTH]
    times = np.arange(len(motion.units)) / 25
    voiced = np.array([(p.start, p.end) for p in phones if p.phoneme]) - style.lead
    since = times[:, None] - voiced[:, 1]
    until = voiced[:, 0] - times[:, None]
    still = np.all((since > 0.31) | (until > 0.26), axis=1)
    np.testing.assert_array_equal(motion.units[still][:, MOUTH], np.tile(rest, (still.sum(), 1)))


@settings(max_examples=20, deadline=None)
@given(speech(), styles, st.integers(0, 2**32 - 1))
def test_the_same_seed_moves_the_same(spoken, style, seed):
    one, two = (mouth_motion(*spoken, style, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one.units, two.units)
    np.testing.assert_array_equal(one.pose, two.pose)


@pytest.mark.parametrize("vowel", "ㅗㅜㅛㅠ")
@pytest.mark.parametrize("consonant", "ㄱㄷㅅㅎㄴ")
def test_rounding_comes_before_the_rounded_vowel(consonant, vowel):
    motion = move("ㅏ", consonant, vowel)
    begins = round((0.5 + 2 * 0.08) * 25)
    pucker = weight(motion, "mouthPucker")
    assert pucker[begins] > 0.4 * pucker.max()
    assert pucker[begins - 1] > weight(move("ㅏ", consonant, "ㅏ"), "mouthPucker")[begins - 1] + 0.1


@pytest.mark.parametrize("vowel", "ㅘㅝㅞㅙㅚㅟ")
def test_w_rounds_before_its_vowel(vowel):
    pucker = weight(move("ㅏ", "ㄱ", vowel, length=0.12), "mouthPucker")
    begins, ends = round((0.5 + 0.24) * 25), round((0.5 + 0.36) * 25)
    assert pucker[begins : begins + 2].max() > 0.5
    assert pucker[ends - 1] < 0.6 * pucker.max()


@pytest.mark.parametrize(("wider", "narrower"), ["ㅏㅓ", "ㅓㅔ", "ㅔㅗ", "ㅔㅣ", "ㅏㅡ", "ㅗㅜ"])
def test_the_jaw_follows_vowel_height(wider, narrower):
    one, two = (weight(move(vowel, length=0.2), "jawOpen").max() for vowel in (wider, narrower))
    assert one > two


def test_unrounded_vowels_are_not_rounded_and_i_is_spread():
    for vowel in "ㅏㅓㅡㅣㅔ":
        assert weight(move(vowel, length=0.2), "mouthPucker").max() < 0.2
    spread_i, spread_a = (weight(move(vowel, length=0.2), "mouthStretchLeft").max() for vowel in "ㅣㅏ")
    assert spread_i > spread_a


@pytest.mark.parametrize("consonant", "ㄴㄷㄸㅌㄹ")
def test_the_tongue_tip_rises_for_a_coronal_however_short(consonant):
    tip = weight(move("ㅏ", consonant, "ㅏ", length=0.03), "tongueUp")
    assert tip.max() > 0.3
    assert weight(move("ㅏ", "ㄱ", "ㅏ", length=0.03), "tongueUp").max() == 0


def test_teeth_near_for_s_between_open_vowels():
    jaw = weight(move("ㅏ", "ㅅ", "ㅏ", length=0.1), "jawOpen")
    middle = round(0.65 * 25)
    assert jaw[middle - 1 : middle + 2].min() < 0.4 * jaw.max()


def test_lips_part_between_two_closures():
    motion = move("ㅂ", "ㅏ", "ㅂ", "ㅏ", "coda ㅂ", length=0.07)
    gap = lip_gap(motion)
    first = gap[round(0.56 * 25) : round(0.65 * 25)]
    assert first.max() > 4.0


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.02, 0.03])
def test_a_short_vowel_between_closures_is_seen(shift):
    gap = lip_gap(move("ㅂ", "ㅣ", "ㅂ", "ㅣ", "coda ㅁ", length=0.065, lead=0.5 + shift))
    for vowel in (1, 3):
        frames = np.arange(len(gap)) / 25
        middle = 0.5 + shift + (vowel + 0.5) * 0.065
        assert gap[np.abs(frames - middle) < 0.045].max() > 1.5


def test_tense_is_pressed_more_than_lax():
    lax, tense = (weight(move("ㅏ", sound, "ㅏ", length=0.12), "mouthRollLower").max() for sound in "ㅂㅃ")
    assert tense > 1.5 * lax > 0


def test_a_phrase_that_begins_with_closed_lips_does_not_open_first():
    gap = lip_gap(move("ㅁ", "ㅏ"))
    assert gap[: round(0.5 * 25)].max() < 0.05


def test_strength_opens_and_mumbling_closes():
    loud, quiet = (lip_gap(move("ㅏ", style=MouthStyle(strength=s), length=0.2)).max() for s in (1.3, 0.6))
    assert loud > 1.5 * quiet


def test_an_early_mouth_is_earlier():
    phones, duration = say("ㅏ")
    sounds, style = gestures(phones), MouthStyle(lead=0.0)
    now = articulate(sounds, frame_count(duration), style, np.random.default_rng(0)).shape[:, CHANNELS.index("gap")]
    early = articulate(sounds, frame_count(duration), MouthStyle(lead=0.04), np.random.default_rng(0)).shape[:, 1]
    np.testing.assert_allclose(early[:-1], now[1:], atol=1e-6)


def test_silence_alone_is_a_face_at_rest_that_blinks():
    motion = mouth_motion([PhoneTime(0.0, 30.0, None)], 30.0, MouthStyle(), np.random.default_rng(3))
    assert not motion.units[:, MOUTH].any()
    assert weight(motion, "eyeBlinkLeft").max() > 0.9 and (weight(motion, "eyeBlinkLeft") == 0).mean() > 0.7


def test_speakers_differ():
    one, two = (move("ㅏ", "ㅅ", "ㅗ", style=MouthStyle.random(np.random.default_rng(seed))) for seed in (1, 2))
    assert np.abs(one.units - two.units)[:, MOUTH].max() > 0.03


@pytest.mark.parametrize(
    ("phones", "duration", "say_what"),
    [
        ([], 0.0, "duration above 0"),
        ([], float("nan"), "duration above 0"),
        ([PhoneTime(0.5, 0.4, None)], 1.0, "each end after its start"),
        ([PhoneTime(0.5, 1.4, None)], 1.0, "within the 1.000 s"),
        ([PhoneTime(0.0, 0.5, None), PhoneTime(0.4, 0.6, None)], 1.0, "in order, without overlap"),
        ([PhoneTime(0.0, 0.5, Phoneme("onset", "ㅇ", 0))], 1.0, "cannot be a Korean"),
    ],
)
def test_bad_times_are_a_sentence(phones, duration, say_what):
    with pytest.raises(AvsrError, match=say_what):
        mouth_motion(phones, duration, MouthStyle(), np.random.default_rng(0))


def test_a_short_final_bilabial_is_shut_within_itself():
    """Its closure, which goes on into the rest after it, was once cut for the vowel's sake until it began after the sound."""
    spans = ((0.0, 0.5, None), (0.5, 0.75, "onset"), (0.75, 0.78125, "vowel"), (0.78125, 0.8125, "coda"), (0.8125, 2.0, None))
    phones = [
        PhoneTime(start, end, kind and Phoneme(kind, "ㅏ" if kind == "vowel" else "ㅁ", 0)) for start, end, kind in spans
    ]
    for seed in range(30):
        style = MouthStyle.random(np.random.default_rng(seed))
        gap = lip_gap(mouth_motion(phones, 2.0, style, np.random.default_rng(seed)))
        times = np.arange(len(gap)) / 25
        near = (times >= 0.78125 - style.lead - 0.0425) & (times <= 0.8125 - style.lead + 1e-6)
        assert gap[near].min() < 0.05  # mm


@settings(max_examples=20, deadline=None)
@given(speech(), styles, st.integers(0, 2**32 - 1))
def test_the_shape_is_what_the_units_were_made_from(spoken, style, seed):
    phones, duration = spoken
    motion = mouth_motion(phones, duration, style, np.random.default_rng(seed))
    shape = dict(zip(mouth_shape.CHANNELS, motion.shape.T, strict=True))
    assert motion.shape.dtype == np.float32 and len(motion.shape) == len(motion.units)
    assert mouth_shape.CHANNELS[:4] == CHANNELS
    jaw = np.clip(style.jaw_share * shape["jaw"] / INCISORS, 0, 1)
    assert np.allclose(jaw, motion.units[:, FACE_UNITS.index("jawOpen")], atol=1e-4)
    assert all((0 <= shape[name]).all() and (shape[name] <= 1).all() for name in ("press", "tip", "speaking"))
