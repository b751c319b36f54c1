"""From what the data set read to what the model takes: augmentation (in training), tokens, frame targets."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from espnet2.train.preprocessor import AbsPreprocessor

from avsr.errors import AvsrError, LabelError
from avsr.media.audio import SAMPLE_RATE
from avsr.model.avsr_model import frames_of
from avsr.noise.corruption import corrupt_picture, corrupt_sound
from avsr.tables import read_table
from avsr.text.tokens import Tokenizer
from avsr.training.augment import (
    Augmentation,
    change_tempo,
    choose_piece,
    cut_samples,
    hide,
    move_and_light,
    tempo_frames,
)
from avsr.training.data import frame_targets, read_align


class AVSRPreprocessor(AbsPreprocessor):
    """Called by the data set with an utterance's raw data, in its loader processes.

    Args:
        train: augment.
        tokenizer: of the token list.
        augmentation: see `Augmentation`.
        noises: a `wav.scp` of recordings that are mixed in (other utterances make babble); None for made noise alone.
        pictures: the type that they are given in. ESPnet's data set hands on no bytes, ours does.
    """

    def __init__(
        self,
        train: bool,
        tokenizer: Tokenizer,
        augmentation: Augmentation,
        noises: Path | None = None,
        pictures: type = np.float32,
    ) -> None:
        super().__init__(train)
        self.pictures = pictures
        self.tokenizer = tokenizer
        self.augmentation = augmentation
        self.noises = Recordings([] if noises is None or not train else list(read_table(noises, filled=True).values()))

    def __call__(self, uid: str, data: dict) -> dict[str, np.ndarray]:
        """Turn one utterance into arrays.

        Args:
            uid: its name.
            data: text (str), and any of speech (N,) float, video ((T, 96, 96) uint8, (T,) float32), align (str), shape (T, 7).

        Returns:
            text (L,) int64; speech (N,) float32; video (T, H, W) of the type `pictures`, whole numbers; confidence (T,) float32; align
            (T,) int64; shape (T, 7) float32.
        """
        text, speech = data["text"], data.get("speech")
        frames, confidence = data["video"] if "video" in data else (None, None)
        words, shape = self._words(uid, data.get("align", "")), data.get("shape")
        if shape is not None and len(shape) != len(frames):
            raise LabelError(f"shape of {uid}: it has {len(shape)} rows for {len(frames)} pictures; make the corpus again.")
        if self.train:
            # ESPnet seeds numpy's global generator in each loader process by epoch and seed; drawing from it here is
            # what makes an epoch repeatable and each epoch different.
            rng = np.random.default_rng([zlib.crc32(uid.encode()), np.random.randint(2**31)])
            text, speech, frames, confidence, words, shape = self._vary(rng, text, speech, frames, confidence, words, shape)
        out = {"text": np.array(self.tokenizer.encode(text), dtype=np.int64)}
        if speech is not None:
            out["speech"] = speech.astype(np.float32)
        if frames is not None:
            out["video"] = frames.astype(self.pictures, copy=False)
            out["confidence"] = confidence.astype(np.float32)
        if shape is not None:
            out["shape"] = shape.astype(np.float32)
        if "align" in data:
            length = len(frames) if frames is not None else frames_of(len(speech))
            tokens = [(a, b, self.tokenizer.encode(word)) for a, b, word in words]
            # An utterance without times in a corpus that has them elsewhere: -1, not silence.
            out["align"] = frame_targets(tokens, length) if words else np.full(length, -1, np.int64)
        return out

    def _words(self, uid: str, line: str) -> list:
        try:
            return read_align(line)
        except ValueError as error:
            raise LabelError(f"align, utterance {uid}: {error}") from error

    def _vary(self, rng: np.random.Generator, text: str, speech, frames, confidence, words: list, shape) -> tuple:
        config = self.augmentation
        first, stop = 0, len(frames) if frames is not None else frames_of(len(speech))
        if words:
            first, stop, words = choose_piece(words, stop, rng, config)
            text = " ".join(word for *_, word in words)
        crowded = len(self.tokenizer.encode(text)) / (config.densest * (stop - first))
        factor = max(rng.uniform(*config.tempo), min(1.0, crowded))
        words = [(a * factor, b * factor, word) for a, b, word in words]
        if frames is not None:
            frames, confidence = frames[first:stop], confidence[first:stop]
            shown = tempo_frames(len(frames), factor)
            shape = None if shape is None else shape[first:stop][shown]
            frames, confidence = corrupt_picture(frames[shown], confidence[shown], rng, config.picture)
            frames = hide(move_and_light(frames, rng, config), rng, config)
        if speech is not None:
            speech = change_tempo(cut_samples(speech, first, stop), factor)
            speech = corrupt_sound(speech, rng, noises=self.noises, config=config.sound)
        return text, speech, frames, confidence, words, shape


class Recordings(Sequence):
    """Mono sound files at 16 kHz, each read when it is asked for: most utterances are mixed with none.

    In the place of a silent recording (a corpus has some) the next one that sounds is given: there is no level to
    mix silence at.
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        for place in range(index, index + len(self.paths)):
            samples = self._read(self.paths[place % len(self.paths)])
            if samples.any():
                return samples
        raise AvsrError("every recording in the noise_scp is silent: name others")

    @staticmethod
    def _read(path: str) -> np.ndarray:
        import soundfile

        samples, rate = soundfile.read(path, dtype="float32")
        if samples.ndim != 1 or rate != SAMPLE_RATE:
            raise AvsrError(f"{path}, in the noise_scp: {SAMPLE_RATE} Hz mono is wanted; convert it with avsr.media.audio")
        return samples
