"""What a Korean phoneme looks like: lip, jaw and tongue targets, and how firmly each sound holds them.

Targets are millimetres of a medium adult in careful conversation, so that they can be held against measured lips:

jaw       lowering of the lower incisors from closed teeth
gap       opening between the lips' inner edges at the midline
width     mouth corners apart (+) or together (-), against the mouth at rest
protrude  lips forward of their place at rest

What is ordered how follows the phonetics of present-day Seoul Korean (Shin, Kiaer and Cha 2013, The Sounds of Korean,
chapters on consonants and vowels): seven monophthongs once the old ㅔ and ㅐ have merged, ㅓ unrounded, ㅗ and ㅜ the
only rounded ones, ㅡ unrounded and close, coronals laminal denti-alveolar, ㅈ alveolo-palatal without the lip rounding of
the English sound; openness by the first formant, ㅏ > ㅓ > ㅔ > ㅗ > ㅜ ㅡ ㅣ (Yang 1996, Journal of Phonetics 24).
The millimetres themselves are set by looking, not taken from a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.errors import AvsrError

CHANNELS = ("jaw", "gap", "width", "protrude")


@dataclass(frozen=True)
class Viseme:
    """One shape of the mouth.

    target  millimetres for each of CHANNELS
    hold    the peak of the dominance function for each of CHANNELS (Cohen and Massaro 1993): 0 leaves the channel to
            the neighbours, 1 is a vowel's, more overrules a vowel
    closed  from which to which share of the sound the lips are shut; (0, 0) for not at all
    press   how tightly they are shut, 0 to 1
    tip     tongue tip: 0 low, 1 at the back of the upper teeth
    """

    target: tuple[float, float, float, float]
    hold: tuple[float, float, float, float]
    closed: tuple[float, float] = (0.0, 0.0)
    press: float = 0.0
    tip: float = 0.0


@dataclass(frozen=True)
class Gesture:
    """A viseme in time (seconds). `name` is its key in VISEMES, `word` the eojeol it belongs to."""

    start: float
    end: float
    name: str
    word: int

    @property
    def viseme(self) -> Viseme:
        return VISEMES[self.name]


_VOWEL = (1.0, 1.0, 1.0, 1.0)
# A glide is passed through, not held, except for the lips of w, which nothing may skip.
_J, _W = (0.8, 0.8, 0.5, 0.15), (0.8, 1.2, 1.3, 1.5)
# The coronal stops need the jaw up a little, and leave the lips to the vowel: rounding runs through them.
_STOP = (0.9, 0.5, 0.15, 0.15)

VISEMES: dict[str, Viseme] = {
    # monophthongs               jaw   gap  width protrude
    "ㅏ": Viseme((8.0, 13.0, -0.5, 0.0), _VOWEL),
    "ㅓ": Viseme((5.8, 9.5, -2.0, 0.8), _VOWEL),
    "ㅗ": Viseme((4.4, 7.0, -8.5, 6.0), (1.0, 1.0, 1.3, 1.5)),
    "ㅜ": Viseme((2.8, 3.8, -11.5, 9.0), (1.0, 1.0, 1.3, 1.5)),
    "ㅡ": Viseme((1.7, 5.2, 2.0, 0.0), (0.9, 0.9, 0.8, 0.8)),
    "ㅣ": Viseme((1.4, 6.2, 4.5, 0.0), (1.0, 1.0, 1.0, 1.0), tip=0.15),
    "ㅔ": Viseme((4.6, 8.2, 2.5, 0.0), _VOWEL, tip=0.1),
    "ㅐ": Viseme((5.0, 8.7, 2.5, 0.0), _VOWEL, tip=0.1),  # merged with ㅔ for most; a trace of the older openness
    # glides: the start of a diphthong
    "j": Viseme((1.5, 5.5, 3.0, 0.0), _J, tip=0.2),
    "rounded j": Viseme((1.8, 3.8, -6.0, 5.0), (0.8, 0.8, 1.0, 1.2), tip=0.2),  # 요, 유: lips do not wait for ㅗ, ㅜ
    "w": Viseme((2.8, 3.2, -11.0, 8.5), _W),
    # Bilabials, shut where the voice's level says so: the sound of ㅃ, ㅍ and the coda begins while the lips still close,
    # and that of ㅍ ends with half its length of breath through open lips.
    "ㅁ": Viseme((2.4, 0.0, 0.0, 0.0), (1.3, 0.0, 0.2, 0.1), closed=(0.0, 1.0), press=0.25),
    "ㅂ": Viseme((2.2, 0.0, 0.0, 0.0), (1.3, 0.0, 0.2, 0.1), closed=(0.05, 0.95), press=0.4),
    "ㅃ": Viseme((1.8, 0.0, 0.5, 0.0), (1.5, 0.0, 0.3, 0.1), closed=(0.3, 0.95), press=1.0),
    "ㅍ": Viseme((2.0, 0.0, 0.5, 0.0), (1.4, 0.0, 0.3, 0.1), closed=(0.15, 0.65), press=0.8),
    "coda ㅂ": Viseme((2.2, 0.0, 0.0, 0.0), (1.3, 0.0, 0.2, 0.1), closed=(0.3, 1.0), press=0.5),  # unreleased
    # denti-alveolars: the blade of the tongue behind the upper teeth
    "ㄴ": Viseme((2.8, 5.8, 0.5, 0.0), _STOP, tip=1.0),
    "ㄷ": Viseme((2.3, 5.4, 0.5, 0.0), _STOP, tip=1.0),
    "ㄸ": Viseme((2.0, 5.2, 0.8, 0.0), (1.1, 0.6, 0.2, 0.15), tip=1.0),
    "ㅌ": Viseme((2.2, 5.4, 0.5, 0.0), (1.0, 0.55, 0.15, 0.15), tip=1.0),
    "ㄹ": Viseme((3.8, 6.5, 0.3, 0.0), (0.5, 0.3, 0.1, 0.1), tip=0.9),  # a tap between vowels
    "coda ㄹ": Viseme((3.6, 6.5, 0.5, 0.0), (0.8, 0.5, 0.2, 0.15), tip=1.0),  # a lateral: held
    # sibilants: the teeth nearly meet, whatever the vowel, and the lips part before them
    "ㅅ": Viseme((0.7, 5.6, 1.5, 0.0), (3.0, 0.9, 0.35, 0.2), tip=0.3),
    "ㅆ": Viseme((0.5, 5.8, 2.0, 0.0), (3.5, 1.1, 0.45, 0.2), tip=0.3),
    "ㅈ": Viseme((0.8, 5.8, 0.3, 0.8), (2.6, 0.9, 0.25, 0.2), tip=0.6),
    "ㅉ": Viseme((0.6, 5.8, 0.8, 0.8), (3.0, 1.1, 0.3, 0.2), tip=0.6),
    "ㅊ": Viseme((0.7, 6.0, 0.3, 0.9), (2.8, 1.0, 0.25, 0.2), tip=0.6),
    # velars and the glottal: seen only in how far the jaw may open; the lips are the vowel's
    "ㄱ": Viseme((3.8, 6.5, 0.0, 0.0), (0.45, 0.2, 0.05, 0.05)),
    "ㄲ": Viseme((3.3, 6.0, 0.0, 0.0), (0.55, 0.25, 0.05, 0.05)),
    "ㅋ": Viseme((3.6, 6.5, 0.0, 0.0), (0.5, 0.2, 0.05, 0.05)),
    "coda ㅇ": Viseme((3.8, 6.5, 0.0, 0.0), (0.45, 0.25, 0.1, 0.05)),
    "ㅎ": Viseme((4.3, 7.5, 0.0, 0.0), (0.05, 0.05, 0.02, 0.02)),
}

# A diphthong: its glide, and the vowel it goes to. ㅚ and ㅟ are [we] and [wi] to nearly all speakers today.
_DIPHTHONGS = {
    **{whole: ("j", vowel) for whole, vowel in zip("ㅑㅕㅖㅒ", "ㅏㅓㅔㅐ", strict=True)},
    **{whole: ("rounded j", vowel) for whole, vowel in zip("ㅛㅠ", "ㅗㅜ", strict=True)},
    **{whole: ("w", vowel) for whole, vowel in zip("ㅘㅝㅞㅙㅚㅟ", "ㅏㅓㅔㅐㅔㅣ", strict=True)},
    "ㅢ": ("ㅡ", "ㅣ"),
}
_GLIDE_SHARE, _GLIDE_LONGEST = 0.4, 0.09  # of the vowel; seconds, however long the vowel is held
_CODAS = {"ㄱ": "ㄱ", "ㄴ": "ㄴ", "ㄷ": "ㄷ", "ㄹ": "coda ㄹ", "ㅁ": "ㅁ", "ㅂ": "coda ㅂ", "ㅇ": "coda ㅇ"}
_MONOPHTHONGS = frozenset("ㅏㅓㅗㅜㅡㅣㅔㅐ")
_ONSETS = frozenset("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ")


def viseme_names(kind: str, symbol: str) -> tuple[str, ...]:
    """The visemes of a phoneme ("onset", "vowel" or "coda", and its letter), in order: two for a diphthong, else one.

    AvsrError for a letter that is not heard in that place.
    """
    if kind == "onset" and symbol in _ONSETS:
        return (symbol,)
    if kind == "coda" and symbol in _CODAS:
        return (_CODAS[symbol],)
    if kind == "vowel" and symbol in _DIPHTHONGS:
        return _DIPHTHONGS[symbol]
    if kind == "vowel" and symbol in _MONOPHTHONGS:
        return (symbol,)
    raise AvsrError(f"the phoneme {symbol!r} cannot be a Korean {kind}: give sounds as avsr.text.pronunciation does")


def gestures(phones: Sequence[PhoneTime]) -> list[Gesture]:
    """Phonemes in time -> visemes in time, pauses left out, diphthongs as glide and vowel."""
    found = []
    for phone in phones:
        if phone.phoneme is None:
            continue
        *glide, main = viseme_names(phone.phoneme.kind, phone.phoneme.symbol)
        start = phone.start
        for name in glide:
            start += min(_GLIDE_SHARE * (phone.end - phone.start), _GLIDE_LONGEST)
            found.append(Gesture(phone.start, start, name, phone.phoneme.word))
        found.append(Gesture(start, phone.end, main, phone.phoneme.word))
    return found
