"""Speaks Korean sentences and tells when every phoneme of them is said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from avsr.corpora.talking_heads.kokoro import RATE as MODEL_RATE
from avsr.corpora.talking_heads.kokoro import Kokoro
from avsr.corpora.talking_heads.korean_symbols import STOP_CODAS, Symbol, spell
from avsr.corpora.talking_heads.speakers import Speaker
from avsr.corpora.talking_heads.tense_stops import find_release, tighten
from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.errors import AvsrError
from avsr.noise.mix import pink
from avsr.text.pronunciation import Phoneme, phonemes

RATE = 16000  # Hz of what is handed on
MARKS = ".,?!;:…"  # at the end of an eojeol: a break in the sentence

# Measured on 24 utterances against the energy of the sound (32 dB below the loudest: quiet). Spaces are 0.05 s and no
# silence: what is before them sounds on for 0.05 s (median). The last symbol is given 0.3 to 0.7 s, which are mostly
# silence: of a vowel a quarter is heard (0.03 s more or less), of a coda 0.06 s however long it is.
_HEARD_IN_GAP, _LEAST_PAUSE = 0.05, 0.09  # seconds
_LAST_VOWEL, _LAST_CODA = 0.25, 0.06  # as a fraction; in seconds
_EDGE_SECONDS = 0.03  # faded at either end
_TAIL_SECONDS = 0.12  # kept after the last sound, which may be that much longer than its time says
_SILENCE_SECONDS = (0.2, 0.5)
_SPEECH_DB = (-26.0, -20.0)  # dBFS, root mean square while somebody speaks
_ROOM_DB = (-78.0, -62.0)  # dBFS
_TEMPO_SPREAD, _PITCH_SPREAD = 0.05, 0.03  # of one speaker from sentence to sentence, as a fraction
_TENSE_STOPS = frozenset("ㄲㄸㅃ")
_MIN_PHONE = 0.015  # seconds


@dataclass(frozen=True)
class Speech:
    """An utterance as it was made.

    ``samples`` (N,) float32 at 16 kHz; ``phones`` follow each other without a gap from 0 to N / 16000 seconds; ``words``
    are (start, end, eojeol) in seconds.
    """

    samples: np.ndarray
    phones: list[PhoneTime]
    words: list[tuple[float, float, str]]

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Times:
    """When everything of an utterance is said: ``phones`` and ``words`` as those of Speech, ``duration`` in seconds."""

    phones: list[PhoneTime]
    words: list[tuple[float, float, str]]
    duration: float


@dataclass(frozen=True)
class _Script:
    """How an utterance is to be said: ``symbols`` and, for each of the ``numbers`` that the model knows them by, a speed and a
    pitch; ``sounds`` are the phonemes and ``eojeol`` the words."""

    eojeol: list[str]
    sounds: list[Phoneme]
    symbols: list[Symbol]
    numbers: list[int]
    style: np.ndarray
    speed: np.ndarray
    pitch: np.ndarray


class Voice:
    """The voice of all speakers: ``Voice.load().say(...)``, or ``times(...)`` where the sound is not wanted."""

    def __init__(self, model: Kokoro) -> None:
        self._model = model

    @classmethod
    def load(cls, threads: int = 1) -> Voice:
        """Open the speech model, with one thread where several processes speak; ModelError where it is not installed."""
        return cls(Kokoro.load(threads))

    def say(self, text: str, speaker: Speaker, rng: np.random.Generator) -> Speech:
        """``text`` (Hangul eojeol, perhaps with a mark at the end of one) as ``speaker`` says it this time.

        ``rng`` draws tempo, pitch, level, the silence before and after (0.2 to 0.5 s each) and the room's faint noise; the
        same state gives the same samples on one machine. AvsrError where the text is empty, cannot be pronounced, or is
        too long for one breath (about 200 syllables).
        """
        script = self._script(text, speaker, rng)
        spoken = self._model.say(script.numbers, script.style, script.speed, script.pitch)
        phones = _phone_times(script, spoken.bounds)
        samples = _tighten_tense_stops(_close_final_stops(spoken.samples, phones), phones)
        samples, phones = _cut(samples, phones, speaker.pitch)
        phones, start = _lay_out(phones, rng)
        return Speech(_set_in_room(samples, start, phones[-1].end, rng), phones, _words(phones, script.eojeol))

    def times(self, text: str, speaker: Speaker, rng: np.random.Generator) -> Times:
        """When ``say`` would say what, given the same state of ``rng``, at a small part of the cost."""
        script = self._script(text, speaker, rng)
        phones = _phone_times(script, self._model.times(script.numbers, script.style, script.speed))
        phones, _ = _lay_out(_cut_times(phones, speaker.pitch), rng)
        return Times(phones, _words(phones, script.eojeol), phones[-1].end)

    def _script(self, text: str, speaker: Speaker, rng: np.random.Generator) -> _Script:
        """Spell it, and draw the tempo and the tone of this time."""
        eojeol = text.split()
        if not eojeol:
            raise AvsrError("there is nothing to say: the sentence is empty.")
        sounds = phonemes(text)
        breaks = frozenset(index for index, word in enumerate(eojeol[:-1]) if word[-1] in MARKS)
        symbols = spell(sounds, breaks=breaks, end="?" if eojeol[-1].endswith("?") else ".")
        tempo = speaker.speed * float(np.exp(rng.normal(0.0, _TEMPO_SPREAD)))
        tone = speaker.tone * float(np.exp(rng.normal(0.0, _PITCH_SPREAD)))
        pieces = [(number, symbol) for symbol in symbols for number in self._model.symbols(symbol.text)]
        return _Script(
            [word.rstrip(MARKS) for word in eojeol],
            sounds,
            symbols,
            [number for number, _ in pieces],
            self._model.style(speaker.style, len(pieces)),
            # Resampling by `pitch` will make everything so many times shorter.
            np.array([symbol.speed for _, symbol in pieces]) * tempo / speaker.pitch,
            np.array([symbol.pitch for _, symbol in pieces]) * tone,
        )


def _phone_times(script: _Script, symbol_bounds: np.ndarray) -> list[PhoneTime]:
    """The phonemes' times in the model's samples, the gaps between words given to the sounds before them or made pauses."""
    firsts = np.cumsum([0, *(len(symbol.text) for symbol in script.symbols)])
    bounds = symbol_bounds[firsts] / MODEL_RATE
    phones: list[PhoneTime] = []
    start, gap = float(bounds[0]), 0.0
    for place, symbol in enumerate(script.symbols):
        end = float(bounds[place + 1])
        following = script.symbols[place + 1].phoneme if place + 1 < len(script.symbols) else None
        if symbol.phoneme is None:
            gap += end - start
        elif following == symbol.phoneme:
            continue  # more of the same phoneme comes
        else:
            phones.append(PhoneTime(start, end, script.sounds[symbol.phoneme]))
        start = end
        if symbol.phoneme is None and following is not None:
            phones[-1:] = _into_gap(phones[-1], gap)
            gap = 0.0
    last = phones[-1]
    long = last.end - last.start
    heard = max(_MIN_PHONE, min(long, _LAST_CODA if last.phoneme.kind == "coda" else _LAST_VOWEL * long))
    return [*phones[:-1], PhoneTime(last.start, last.start + heard, last.phoneme), PhoneTime(last.start + heard, start, None)]


def _into_gap(last: PhoneTime, gap: float) -> list[PhoneTime]:
    """The sound before a gap of so many seconds between words, with the pause where one is heard."""
    if gap < _LEAST_PAUSE:
        return [PhoneTime(last.start, last.end + gap, last.phoneme)]
    quiet_from = last.end + _HEARD_IN_GAP
    return [PhoneTime(last.start, quiet_from, last.phoneme), PhoneTime(quiet_from, last.end + gap, None)]


def _close_final_stops(samples: np.ndarray, phones: list[PhoneTime]) -> np.ndarray:
    """The samples without what follows the closure of a final ㄱ ㄷ ㅂ before a pause.

    Korean does not release them (표준 발음법, article 8); the model, which learnt languages that do, adds a burst and often a
    vowel.
    """
    samples = samples.copy()
    for phone, after in pairwise(phones):
        sound = phone.phoneme
        if sound is not None and sound.kind == "coda" and sound.symbol in STOP_CODAS and after.phoneme is None:
            begin, end = int(phone.start * MODEL_RATE), int(after.end * MODEL_RATE)
            if after is phones[-1]:
                end = len(samples)
            fade = min(int(0.03 * MODEL_RATE), end - begin)
            samples[begin : begin + fade] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
            samples[begin + fade : end] = 0.0
    return samples


def _tighten_tense_stops(samples: np.ndarray, phones: list[PhoneTime]) -> np.ndarray:
    """The samples with the voice soon after the burst of every ㄲ ㄸ ㅃ whose release can be told."""
    for phone in phones:
        if phone.phoneme is not None and phone.phoneme.kind == "onset" and phone.phoneme.symbol in _TENSE_STOPS:
            release = find_release(samples, MODEL_RATE, phone.start, phone.end)
            if release is not None:
                samples = tighten(samples, MODEL_RATE, release)
    return samples


def _cut(samples: np.ndarray, phones: list[PhoneTime], pitch: float) -> tuple[np.ndarray, list[PhoneTime]]:
    """At 16 kHz and ``pitch`` times higher and faster, from just before the first phone to just after the last sound."""
    import soxr

    first = _first_sample(phones)
    last = min(len(samples), int((phones[-2].end + _TAIL_SECONDS) * MODEL_RATE))
    cut = samples[first:last].copy()
    edge = min(int(_EDGE_SECONDS * MODEL_RATE), len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)
    cut[:edge] *= ramp
    cut[-edge:] *= ramp[::-1]
    spoken = np.asarray(soxr.resample(cut, MODEL_RATE * pitch, RATE, quality="HQ"), np.float32)
    return spoken, _cut_times(phones, pitch)


def _cut_times(phones: list[PhoneTime], pitch: float) -> list[PhoneTime]:
    """The times in what ``_cut`` leaves, without the pause at the end."""
    offset = _first_sample(phones) / MODEL_RATE
    return [PhoneTime((p.start - offset) / pitch, (p.end - offset) / pitch, p.phoneme) for p in phones[:-1]]


def _first_sample(phones: list[PhoneTime]) -> int:
    return max(0, int((phones[0].start - _EDGE_SECONDS) * MODEL_RATE))


def _lay_out(phones: list[PhoneTime], rng: np.random.Generator) -> tuple[list[PhoneTime], int]:
    """The times between drawn silences, to 1 ms, and the sample at which what was cut begins."""
    before, after = rng.uniform(*_SILENCE_SECONDS, size=2)
    # The silences are counted from the first and the last phoneme, not from the edges around them. Whole milliseconds.
    begin = max(0, round(1000 * (before - phones[0].start))) / 1000
    times = [round(begin + phone.start, 3) for phone in phones] + [round(begin + phones[-1].end, 3)]
    placed = [PhoneTime(a, b, p.phoneme) for a, b, p in zip(times[:-1], times[1:], phones, strict=True)]
    end = round(begin + phones[-1].end + after, 3)
    return [PhoneTime(0.0, times[0], None), *placed, PhoneTime(times[-1], end, None)], round(begin * RATE)


def _set_in_room(spoken: np.ndarray, start: int, duration: float, rng: np.random.Generator) -> np.ndarray:
    """The speech at a drawn level, from sample ``start`` on, with the room's noise under all of it."""
    level, room = rng.uniform(*_SPEECH_DB), rng.uniform(*_ROOM_DB)
    samples = np.zeros(round(duration * RATE), np.float32)
    loud = np.sqrt(np.mean(np.square(spoken, dtype=np.float64))) or 1.0
    gain = min(10.0 ** (level / 20.0) / loud, 0.9 / max(float(np.abs(spoken).max()), 1e-6))
    samples[start : start + len(spoken)] = spoken * np.float32(gain)
    samples += pink(len(samples), rng) * np.float32(10.0 ** (room / 20.0))
    return samples


def _words(phones: list[PhoneTime], eojeol: list[str]) -> list[tuple[float, float, str]]:
    """(start, end, eojeol) of each, from its first phoneme to its last."""
    words = []
    for index, word in enumerate(eojeol):
        own = [phone for phone in phones if phone.phoneme is not None and phone.phoneme.word == index]
        words.append((own[0].start, own[-1].end, word))
    return words
