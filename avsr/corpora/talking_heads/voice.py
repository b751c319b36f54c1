"""Speaks Korean sentences and tells when every phoneme of them is said."""

from __future__ import annotations

from dataclasses import dataclass

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

_FRAME = MODEL_RATE // 200  # samples: energy is looked at every 5 ms
_QUIET_DB = -32.0  # below the loudest part of the utterance: nobody speaks
_EDGE_SECONDS = 0.03  # kept before the first and after the last sound, and faded
_SILENCE_SECONDS = (0.2, 0.5)
_SPEECH_DB = (-26.0, -20.0)  # dBFS, root mean square while somebody speaks
_ROOM_DB = (-78.0, -62.0)  # dBFS
_TEMPO_SPREAD, _PITCH_SPREAD = 0.05, 0.03  # of one speaker from sentence to sentence, as a fraction
_VOICELESS_STOPS = frozenset("ㄱㄲㅋㄷㄸㅌㅂㅃㅍㅈㅉㅊ")
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


class Voice:
    """The voice of all speakers: ``Voice.load().say(...)``."""

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
        eojeol = text.split()
        if not eojeol:
            raise AvsrError("there is nothing to say: the sentence is empty.")
        sounds = phonemes(text)
        breaks = frozenset(index for index, word in enumerate(eojeol[:-1]) if word[-1] in MARKS)
        symbols = spell(sounds, breaks=breaks, end="?" if eojeol[-1].endswith("?") else ".")
        samples, bounds = self._speak(symbols, speaker, rng)
        phones = _phone_times(symbols, bounds, samples, sounds)
        samples = _tighten_tense_stops(_close_final_stops(samples, phones), phones)
        spoken, phones = _resample(samples, phones, speaker.pitch)
        spoken, phones = _set_in_room(spoken, phones, rng)
        return Speech(spoken, phones, _words(phones, [word.rstrip(MARKS) for word in eojeol]))

    def _speak(self, symbols: list[Symbol], speaker: Speaker, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(N,) samples at 24 kHz and (symbols + 1,) bounds of the symbols in seconds."""
        tempo = speaker.speed * float(np.exp(rng.normal(0.0, _TEMPO_SPREAD)))
        tone = speaker.tone * float(np.exp(rng.normal(0.0, _PITCH_SPREAD)))
        pieces = [(number, symbol) for symbol in symbols for number in self._model.symbols(symbol.text)]
        spoken = self._model.say(
            [number for number, _ in pieces],
            self._model.style(speaker.style, len(pieces)),
            # Resampling by `pitch` will make everything so many times shorter.
            np.array([symbol.speed for _, symbol in pieces]) * tempo / speaker.pitch,
            np.array([symbol.pitch for _, symbol in pieces]) * tone,
        )
        firsts = np.cumsum([0, *(len(symbol.text) for symbol in symbols)])
        return spoken.samples, spoken.bounds[firsts] / MODEL_RATE


def _phone_times(
    symbols: list[Symbol], bounds: np.ndarray, samples: np.ndarray, sounds: list[Phoneme]
) -> list[PhoneTime]:
    """The phonemes' times in the model's samples, gaps between words given to their neighbours or made pauses."""
    levels = _levels_db(samples)
    phones: list[PhoneTime] = []
    start = float(bounds[0])
    for place, symbol in enumerate(symbols):
        end = float(bounds[place + 1])
        following = symbols[place + 1].phoneme if place + 1 < len(symbols) else None
        if symbol.phoneme is not None:
            if following == symbol.phoneme:
                continue  # more of the same phoneme comes
            phones.append(PhoneTime(start, end, sounds[symbol.phoneme]))
        else:
            last = phones.pop()
            quiet_from = max(_quiet_from(levels, last.start, end), last.start + _MIN_PHONE)
            stop_follows = following is not None and sounds[following].symbol in _VOICELESS_STOPS
            if end - quiet_from < 0.04 or (stop_follows and end - quiet_from < 0.1):
                # A space is no silence: the sound before it goes on, or the mouth is already shut for the stop after it.
                end = min(quiet_from, end) if stop_follows else end
                phones.append(PhoneTime(last.start, end, last.phoneme))
            else:
                phones += [PhoneTime(last.start, quiet_from, last.phoneme), PhoneTime(quiet_from, end, None)]
        start = end
    return phones


def _levels_db(samples: np.ndarray) -> np.ndarray:
    """Level of each 5 ms of (N,) samples in dB below the loudest."""
    count = len(samples) // _FRAME
    power = np.square(samples[: count * _FRAME].reshape(count, _FRAME), dtype=np.float64).mean(1)
    return 10.0 * np.log10(power / max(float(power.max()), 1e-12) + 1e-12)


def _quiet_from(levels: np.ndarray, start: float, end: float) -> float:
    """The time, between ``start`` and ``end`` seconds, from which on nothing is heard until ``end``."""
    first, last = int(start * MODEL_RATE / _FRAME), int(end * MODEL_RATE / _FRAME)
    (heard,) = np.nonzero(levels[first:last] > _QUIET_DB)
    return start if len(heard) == 0 else min((first + int(heard[-1]) + 1) * _FRAME / MODEL_RATE, end)


def _close_final_stops(samples: np.ndarray, phones: list[PhoneTime]) -> np.ndarray:
    """The samples without what follows the closure of a final ㄱ ㄷ ㅂ before a pause.

    Korean does not release them (표준 발음법, article 8); the model, which learnt languages that do, adds a burst and often a
    vowel.
    """
    samples = samples.copy()
    for phone, after in zip(phones, [*phones[1:], None], strict=True):
        sound = phone.phoneme
        if sound is None or sound.kind != "coda" or sound.symbol not in STOP_CODAS:
            continue
        if after is None or after.phoneme is None:
            begin = int(phone.start * MODEL_RATE)
            end = int((phone.end if after is None else after.end) * MODEL_RATE) if after else len(samples)
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


def _resample(samples: np.ndarray, phones: list[PhoneTime], pitch: float) -> tuple[np.ndarray, list[PhoneTime]]:
    """At 16 kHz and ``pitch`` times higher and faster, from just before the first phone to just after the last sound."""
    import soxr

    first = max(0, int((phones[0].start - _EDGE_SECONDS) * MODEL_RATE))
    voiced = [phone for phone in phones if phone.phoneme is not None]
    last = min(len(samples), int((voiced[-1].end + _EDGE_SECONDS) * MODEL_RATE))
    cut = samples[first:last].copy()
    edge = min(int(_EDGE_SECONDS * MODEL_RATE), len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)
    cut[:edge] *= ramp
    cut[-edge:] *= ramp[::-1]
    spoken = np.asarray(soxr.resample(cut, MODEL_RATE * pitch, RATE, quality="HQ"), np.float32)
    offset = first / MODEL_RATE
    kept = phones if phones[-1].phoneme is not None else phones[:-1]
    return spoken, [PhoneTime((p.start - offset) / pitch, (p.end - offset) / pitch, p.phoneme) for p in kept]


def _set_in_room(
    spoken: np.ndarray, phones: list[PhoneTime], rng: np.random.Generator
) -> tuple[np.ndarray, list[PhoneTime]]:
    """The speech at a drawn level between drawn silences, with the room's noise under all of it; times to 1 ms."""
    before, after = rng.uniform(*_SILENCE_SECONDS, size=2)
    level, room = rng.uniform(*_SPEECH_DB), rng.uniform(*_ROOM_DB)
    # The silences are counted from the first and the last phoneme, not from the edges around them. Whole milliseconds.
    start = max(0, round(1000 * (before - phones[0].start))) * 16
    milliseconds = max(start // 16 + -(-len(spoken) // 16), round(1000 * (start / RATE + phones[-1].end + after)))
    samples = np.zeros(milliseconds * 16, np.float32)
    loud = np.sqrt(np.mean(np.square(spoken, dtype=np.float64))) or 1.0
    gain = min(10.0 ** (level / 20.0) / loud, 0.9 / max(float(np.abs(spoken).max()), 1e-6))
    samples[start : start + len(spoken)] = spoken * np.float32(gain)
    samples += pink(len(samples), rng) * np.float32(10.0 ** (room / 20.0))
    times = [round(start / RATE + phone.start, 3) for phone in phones] + [round(start / RATE + phones[-1].end, 3)]
    placed = [PhoneTime(a, b, p.phoneme) for a, b, p in zip(times[:-1], times[1:], phones, strict=True)]
    end = milliseconds / 1000
    return samples, [PhoneTime(0.0, times[0], None), *placed, PhoneTime(times[-1], end, None)]


def _words(phones: list[PhoneTime], eojeol: list[str]) -> list[tuple[float, float, str]]:
    """(start, end, eojeol) of each, from its first phoneme to its last."""
    words = []
    for index, word in enumerate(eojeol):
        own = [phone for phone in phones if phone.phoneme is not None and phone.phoneme.word == index]
        words.append((own[0].start, own[-1].end, word))
    return words
