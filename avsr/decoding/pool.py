"""Late fusion with an ear: what it may have heard and what the lips may have said, in one list, ranked by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.align import word_times
from avsr.decoding.likelihood import LipFeatures, lip_features, text_log_likelihood
from avsr.decoding.result import Alternative, Hypotheses
from avsr.decoding.segment import lip_activity
from avsr.ears.ear import Ear, Listening
from avsr.lips.mouth_clip import MouthClip
from avsr.text.numbers import readings

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer

_NEVER = -1e4  # nats, for a text that is too long for the clip
_VOICE = 0.5
_LEAST = 0.1  # share of the weight below which the lips have no say


def recognise_with_ear(
    recognizer: Recognizer, ear: Ear, samples: np.ndarray, mouth: MouthClip | None, start: float
) -> Hypotheses:
    """Recognise one utterance from sound by `ear`, and from lips by the packed model, which speaks alone where no voice is heard.

    The ear's best texts and the lips' are pooled, and each gets s a + (1 - s) c^2 l, of its log likelihood a by the ear and
    l by the lips' CTC, summed over all spacings and the best of its readings (2주 is 이 주); s is how sure the ear is, and c the mean
    confidence of the lips' own words, which is calibrated: of faces unlike those that were trained on it is low, where CTC itself is
    as sure as ever. (In the manner of N-best rescoring; Ostendorf et al., 1991. The form was chosen on made speech and on the real
    clips of benchmarks/README.md: on these it is never worse than the ear.) Lips whose share of the weight is under a tenth have no say:
    they would only put what the ear holds for about as likely into another order, and on those clips that was wrong as often as right.
    So has a model without a calibration.

    Args:
        samples: (N,) float at 16 kHz. mouth: from the same moment, or None. start: media second of both.
    """
    from avsr.media.voice_activity import voice_probability

    seen = mouth if mouth is not None and "lips" in recognizer.packed.streams and _speaks(mouth) else None
    lips = None if seen is None else recognizer.recognise(None, seen, "lip", start=start)
    if not (voice_probability(samples) > _VOICE).any():
        return lips or _nothing(len(samples))
    listening = ear.listen(samples)
    if not listening.texts:
        return lips or _nothing(len(samples))
    if lips is None:
        texts = _distinct(listening.texts)
        return _as_hypotheses(listening, texts, listening.likelihood(texts), ["voice"] * len(texts), start, 1.0, len(samples))
    sound, picture = listening.sure, (1 - listening.sure) * _trust(recognizer, lips) ** 2
    if picture < _LEAST * (sound + picture):
        picture = 0.0
    heard, read = _distinct(listening.texts), _distinct([one.text for one in lips.nbest])
    keys = {_key(text) for text in heard}
    texts = heard + [text for text in read if _key(text) not in keys]
    features = lip_features(recognizer.packed.model, seen)
    scores = sound * listening.likelihood(texts) + picture * _lip_likelihood(recognizer, features, texts)
    also = {_key(text) for text in read}
    sources = ["both" if _key(text) in also & keys else "voice" if _key(text) in keys else "lips" for text in texts]
    found = _as_hypotheses(listening, texts, scores, sources, start, sound / max(sound + picture, 1e-9), len(samples))
    if found.source == "lips":
        tokenizer = recognizer.packed.tokenizer  # the ear does not know when they were said
        words, _ = word_times(tokenizer.encode(found.text), features.log_probs, tokenizer, start)
        # The text as it was found: a lone letter, which is no text to the tokenizer, comes back as unknown.
        return replace(found, words=[replace(word, text=text) for word, text in zip(words, found.text.split(), strict=True)])
    return found


def _trust(recognizer: Recognizer, lips: Hypotheses) -> float:
    """The mean confidence of the lips' words, 0 to 1; 0 where the model was not calibrated, for then it is no probability."""
    if recognizer.calibration is None or not lips.words:
        return 0.0
    return float(np.mean([word.confidence or 0.0 for word in lips.words]))


def _speaks(mouth: MouthClip) -> bool:
    """Whether the lips say something: a face that listens must not outvote a voice that is not its own."""
    from avsr.lips.speaking import speaking_probability

    return bool(lip_activity(speaking_probability(mouth.frames, mouth.confidence)).any())


def _lip_likelihood(recognizer: Recognizer, features: LipFeatures, texts: Sequence[str]) -> np.ndarray:
    """(n,) the lips' log likelihood of each text, of its likeliest reading."""
    said = [readings(text) for text in texts]
    flat = [reading for ways in said for reading in ways if reading]
    likely = text_log_likelihood(recognizer.packed.model, features, flat, recognizer.packed.tokenizer)
    # Pieces of SentencePiece hold their spaces.
    scores = iter(likely.ctc if recognizer.packed.tokenizer.token_type == "bpe" else likely.ctc_unspaced)
    found = [max((next(scores) for reading in ways if reading), default=_NEVER) for ways in said]
    return np.maximum(found, _NEVER)


def _as_hypotheses(
    listening: Listening, texts: list[str], scores: np.ndarray, sources: list[str], start: float, weight: float, samples: int
) -> Hypotheses:
    order = np.argsort(-scores, kind="stable")
    nbest = [Alternative(texts[place], round(float(scores[place]), 4)) for place in order]
    words = listening.words(nbest[0].text, start)
    weights = np.full(-(-samples // 640), weight, np.float32)
    mode = "audio" if set(sources) == {"voice"} and weight == 1.0 else "av"
    return Hypotheses(nbest, words, mode, round(weight, 4), weights, np.zeros((len(words), 0)), sources[order[0]])


def _nothing(samples: int) -> Hypotheses:
    return Hypotheses([Alternative("", 0.0)], [], "audio", 1.0, np.ones(-(-samples // 640), np.float32), np.zeros((0, 0)), "voice")


def _distinct(texts: Sequence[str]) -> list[str]:
    """Without those that differ from an earlier one in spaces, punctuation or figures alone, and without empty ones."""
    first: dict[str, str] = {}
    for text in texts:
        if _key(text):
            first.setdefault(_key(text), text)
    return list(first.values())


def _key(text: str) -> str:
    return readings(text)[0].replace(" ", "")
