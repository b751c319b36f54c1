"""The recogniser: a packed model that turns one utterance, or a whole file, into timed words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.decoding.align import FRAME, word_times
from avsr.decoding.checkpoint import Checkpoint, Journal
from avsr.decoding.confidence import confidences, read_weights, word_features
from avsr.decoding.packed import META, MODE_ALONE, PackedModel, load_packed
from avsr.decoding.search import DecodeOptions, Language, options_from, search
from avsr.decoding.pieces import pieces_of
from avsr.decoding.pool import recognise_with_ear
from avsr.decoding.result import Alternative, Hypotheses, Result, Segment
from avsr.decoding.segment import SAMPLES, SILENCE, Piece
from avsr.decoding.streams import FPS, Streams, Window, open_streams
from avsr.decoding.time_left import TimeLeft
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip

if TYPE_CHECKING:
    import torch

    from avsr.ears.ear import Ear

_ALONE = {frozenset({stream}): mode for stream, mode in MODE_ALONE.items()}
_SEEN = 0.2  # share of an utterance's frames that must show the mouth for the lips to be used on it in mode auto


class Recognizer:
    """A loaded model and how to search with it; one utterance at a time. `language` None for the packed model's own; with an `ear`
    the sound is heard by that, and the lips read by the model."""

    def __init__(
        self, packed: PackedModel, options: DecodeOptions, device: str = "cpu", language: Language | None = None, ear: Ear | None = None
    ) -> None:
        from avsr.decoding.shared_memory import share_memory

        self.packed, self.options, self.device, self.ear = packed, options, device, ear
        self.language = Language(packed.lm) if language is None else language
        self.calibration = read_weights(packed.meta, packed.path)
        share_memory(packed.model.decoder)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu", options: DecodeOptions | None = None) -> Recognizer:
        """Load a packed model; `options` None for those that it was packed with. ModelError when it cannot be used."""
        packed = load_packed(path, device=device)
        return cls(packed, packed_options(packed.meta, path) if options is None else options, device)

    def narrower(self, beam: int) -> Recognizer:
        """The same with a beam of so many at the most, ten times as many in a search by frames; itself where it has no more."""
        by_token, by_frame = min(self.options.beam_size, beam), min(self.options.frame_beam, 10 * beam)
        if (by_token, by_frame) == (self.options.beam_size, self.options.frame_beam):
            return self
        narrow = copy(self)  # nothing is loaded or made again
        narrow.options = replace(self.options, beam_size=by_token, frame_beam=by_frame)
        return narrow

    def recognise(
        self, samples: np.ndarray | None, mouth: MouthClip | None, mode: str, *, start: float = 0.0
    ) -> Hypotheses:
        """Recognise one utterance.

        Args:
            samples: (N,) float in -1..1 at 16 kHz; not looked at in mode lip.
            mouth: 25 frames a second from the same moment; not looked at in mode audio.
            mode: av (with what there is of the two, and what the model was trained on), audio or lip.
            start: media second at which the utterance begins, for the words' times.

        Raises:
            AvsrError: the mode is unknown, what it needs is not given, or the model was not trained for it.
        """
        if mode not in ("av", "audio", "lip"):
            raise AvsrError(f"mode {mode!r} is unknown; an utterance can be recognised by av, audio or lip.")
        if self.ear is not None and mode != "lip" and samples is not None and len(samples) > 0:
            return recognise_with_ear(self, self.ear, samples, mouth if mode == "av" else None, start)
        if mode != "av":
            self._check_trained(mode)
        trained = self.packed.streams
        use_sound = mode != "lip" and samples is not None and len(samples) > 0 and "sound" in trained
        use_mouth = mode != "audio" and mouth is not None and len(mouth.frames) > 0 and "lips" in trained
        if not use_sound and not use_mouth:
            raise AvsrError(f"mode {mode} needs {'a mouth clip' if mode == 'lip' else 'sound'}, and none is given.")
        encoded = self._encode(samples if use_sound else None, mouth if use_mouth else None)
        log_probs, memory = encoded.fused.log_probs[0], encoded.fused.memory[0]
        found = search(self.packed.model.decoder, memory, log_probs, self.options, self.language)
        tokenizer = self.packed.tokenizer
        texts: dict[str, float] = {}  # two token sequences may spell one text
        for hypothesis in found:
            texts.setdefault(tokenizer.decode(hypothesis.tokens), hypothesis.score)
        weights = encoded.fused.weights[0, :, 0].cpu().numpy()
        words, leasts = word_times(found[0].tokens, log_probs, tokenizer, start)
        posteriors = [(word.confidence or 0.0, least) for word, least in zip(words, leasts, strict=True)]
        features = word_features(posteriors, float(weights.mean()))
        if self.calibration is not None:
            sure = confidences(features, self.calibration)
            words = [replace(word, confidence=round(float(value), 4)) for word, value in zip(words, sure, strict=True)]
        return Hypotheses(
            [Alternative(text, round(score, 4)) for text, score in texts.items()],
            words,
            "av" if use_sound and use_mouth else "audio" if use_sound else "lip",
            round(float(weights.mean()), 4),
            weights,
            features,
            "both" if use_sound and use_mouth else "voice" if use_sound else "lips",
        )

    def _check_trained(self, mode: str) -> None:
        """AvsrError where the mode wants a stream that the model has not learnt."""
        alone = _ALONE.get(self.packed.streams)
        if alone is not None and mode != alone:
            stream = next(iter(self.packed.streams))
            raise AvsrError(f"{self.packed.path}: was trained on {stream} alone; use mode {alone}, or another model.")

    def _encode(self, samples: np.ndarray | None, mouth: MouthClip | None):
        import torch

        def batch(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array))[None].to(self.device)

        speech = speech_lengths = video = video_lengths = confidence = None
        if samples is not None:
            speech = batch(samples.astype(np.float32, copy=False))
            speech_lengths = torch.tensor([speech.shape[1]], device=self.device)
        if mouth is not None:
            video, confidence = batch(mouth.frames), batch(mouth.confidence.astype(np.float32, copy=False))
            video_lengths = torch.tensor([video.shape[1]], device=self.device)
        with torch.inference_mode():
            return self.packed.model.encode(speech, speech_lengths, video, video_lengths, confidence)

    def transcribe(
        self,
        path: str | Path,
        mode: str = "auto",
        *,
        mouth_only: bool = False,
        progress: Callable[[float], None] | None = None,
        time_left: TimeLeft | None = None,
        looking: Callable[[float], None] | None = None,
        checkpoint: Checkpoint | None = None,
        faces: int = 1,
        opener: Callable[..., Streams] = open_streams,
    ) -> Result:
        """Recognise a file, window by window and piece by piece.

        Mode auto takes for each piece what there is of sound and mouth: both, or the one that is there; and never a stream
        that the model was not trained on.

        Args:
            path: anything that `avsr.media` opens.
            mode: auto, av, audio or lip.
            mouth_only: the pictures show nothing but the mouth; no face is looked for.
            progress: told the media second up to which all is done.
            time_left: told what is done, to be asked how long the rest takes; for it the sound is listened to before all else.
            looking: told the media second up to which that is done.
            checkpoint: gone on from, and kept up to date; its owner removes it when the result is written.
            faces: over 1, so many people at once are told apart, and each segment has its speaker: 1 for who was seen first, 0 for
                who speaks out of the picture.
            opener: what opens the file.

        Raises:
            MediaError, NoFaceError: one sentence on what the file lacks for the mode.
            AvsrError: the model was not trained for the mode.
        """
        alone = _ALONE.get(self.packed.streams) if mode == "auto" and self.ear is None else None
        if mode != "auto" and self.ear is None:
            self._check_trained(mode)
        streams = opener(Path(path), alone or mode, mouth_only=mouth_only, faces=faces)
        if alone:
            streams.reason = f"the model was trained on {next(iter(self.packed.streams))} alone"
        journal = Journal(checkpoint, streams)
        if time_left is not None:
            heard = None if streams.mode == "lip" else streams.look_ahead(journal.start, looking, time_left.clock)
            time_left.expect(heard, journal.done)
        told, time_left = journal.done, time_left or TimeLeft(0.0)
        if progress:
            progress(told)
        time_left.read(journal.start)
        for everybody in pieces_of(streams, journal.start, journal.begin_window, time_left.read):
            left = [(window, journal.left(window, pieces, speaker), speaker) for window, pieces, speaker in everybody]
            time_left.cut(sum(piece.stop - piece.first for _, pieces, _ in left for piece in pieces) / FPS, _reached(everybody))
            for others, (window, pieces, speaker) in zip(reversed(range(len(left))), left):
                journal.reached(window.start)
                for piece in pieces:
                    segment = self.recognise_piece(window, piece, "auto" if mode == "auto" else streams.mode)
                    time_left.recognised((piece.stop - piece.first) / FPS)
                    end = window.start + piece.stop / FPS
                    journal.add(replace(segment, speaker=speaker) if segment is not None and segment.text else None, end)
                    told = told if others else max(told, end)
                    if progress:
                        progress(told)
            told = max(told, window.start + window.length / FPS)  # though its end may wait for what comes next
            if progress:
                progress(told)
        segments = sorted(journal.segments, key=lambda segment: (segment.start, segment.end))
        damaged = {"sound": streams.sound_damaged, "picture": streams.picture_damaged, "lips": streams.unseen}
        duration = round(max(streams.end, streams.info.duration), 3)
        model = str(self.packed.meta.get("name") or self.packed.path.name)
        return Result(Path(path), duration, streams.mode, streams.reason, segments, damaged, model)

    def recognise_piece(self, window: Window, piece: Piece, mode: str) -> Segment | None:
        """Recognise a piece; None where it holds nothing that the mode could use."""
        start = window.start + piece.first / FPS
        samples = mouth = None
        if window.samples is not None:
            samples = window.samples[piece.first * SAMPLES : piece.stop * SAMPLES]
        if window.frames is not None:
            span = slice(piece.first, piece.stop)
            mouth = MouthClip(window.frames[span], window.confidence[span], start)
        if samples is not None and (not len(samples) or (mode == "auto" and np.abs(samples).max() < SILENCE)):
            samples = None
        if "lips" not in self.packed.streams:
            mouth = None
        least = _SEEN if mode == "auto" else 0.0
        if mouth is not None and (not len(mouth.frames) or float((mouth.confidence > 0).mean()) <= least):
            mouth = None
        if samples is None and mouth is None:
            return None
        found = self.recognise(samples, mouth, "av" if samples is not None else "lip", start=start)
        end = start + len(found.audio_weights) * FRAME
        return Segment(
            round(start, 3), round(end, 3), found.text, found.words, found.mode, found.audio_weight, found.nbest, found.source
        )


def _reached(everybody: Sequence[tuple[Window, Sequence[Piece], int | None]]) -> float | None:
    """Up to which media second a window is in pieces; None where it is the last, of which nothing waits."""
    ends = [window.start + piece.stop / FPS for window, pieces, _ in everybody for piece in pieces]
    return None if all(window.last for window, _, _ in everybody) else max(ends, default=0.0)


def packed_options(meta: dict[str, Any], path: str | Path) -> DecodeOptions:
    """What a packed model at `path` is searched with where nothing else is asked for."""
    return options_from(meta.get("decode") or {}, f"{path}: {META}, decode")
