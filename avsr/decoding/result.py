"""What a recogniser says of an utterance, and of a whole file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avsr.media.captions import Word
from avsr.media.probe import Span


@dataclass(frozen=True)
class Alternative:
    """A text and the weighted log probability that it was ranked by."""

    text: str
    score: float


@dataclass
class Hypotheses:
    """What one utterance may say: best first, at least one; `words` and times are the best one's.

    A word's confidence is the probability that it is right where the packed model was calibrated, else its tokens' mean
    posterior. audio_weight is the mean weight of the sound (the lips have the rest), audio_weights (T,) that of each 40 ms
    frame; features (N, F) are what the N words' confidence is made of (avsr.decoding.confidence). source says whose words these
    are: both, or of the sound alone (voice) or the lips alone.
    """

    nbest: list[Alternative]
    words: list[Word]
    mode: str
    audio_weight: float
    audio_weights: np.ndarray
    features: np.ndarray
    source: str = "both"

    @property
    def text(self) -> str:
        return self.nbest[0].text


@dataclass
class Segment:
    """One piece of a recording, in media seconds; `mode` is what it was recognised from, and `source` (voice, lips or both) whose
    words these are: an ear's may come from one of them though both were asked. `speaker` is a number, where people are told apart."""

    start: float
    end: float
    text: str
    words: list[Word]
    mode: str
    audio_weight: float
    nbest: list[Alternative]
    source: str = "both"
    speaker: int | None = None


@dataclass
class Result:
    """What is said in a file. `mode` is the mode as used and `reason` why, where it was chosen for the file;
    `damaged` has spans, in media seconds, of `sound` and `picture` that could not be decoded, and of frames without a
    usable mouth (`lips`)."""

    path: Path
    duration: float
    mode: str
    reason: str
    segments: list[Segment]
    damaged: dict[str, list[Span]] = field(default_factory=dict)
    model: str = ""

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> list[Word]:
        return [word for segment in self.segments for word in segment.words]

    @property
    def nbest(self) -> list[str]:
        """Whole texts: the i-th joins each segment's i-th best (its last where it has fewer), no two alike."""
        depth = max((len(segment.nbest) for segment in self.segments), default=0)
        texts = [" ".join(s.nbest[min(i, len(s.nbest) - 1)].text for s in self.segments) for i in range(depth)]
        return list(dict.fromkeys(texts))

    @property
    def turns(self) -> list[list[Segment]]:
        """The segments, those that one speaker says one after the other together."""
        found: list[list[Segment]] = []
        for segment in self.segments:
            if found and found[-1][0].speaker == segment.speaker:
                found[-1].append(segment)
            else:
                found.append([segment])
        return found

    @property
    def speakers(self) -> list[int]:
        """The numbers of those who speak; empty where people were not told apart."""
        return sorted({segment.speaker for segment in self.segments if segment.speaker is not None})

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every field, and text and nbest."""
        return {"text": self.text, **asdict(self), "nbest": self.nbest}


def segment_from(fields: dict[str, Any]) -> Segment:
    """What `dataclasses.asdict` made of a segment, made a segment again."""
    words = [Word(**word) for word in fields["words"]]
    return Segment(**fields | {"words": words, "nbest": [Alternative(**one) for one in fields["nbest"]]})


def result_from(fields: dict[str, Any]) -> Result:
    """What `Result.as_dict` made, read back from JSON; KeyError, TypeError where it is something else."""
    damaged = {stream: [Span(**span) for span in spans] for stream, spans in fields["damaged"].items()}
    segments = [segment_from(segment) for segment in fields["segments"]]
    kept = {name: fields[name] for name in ("duration", "mode", "reason", "model")}
    return Result(path=Path(fields["path"]), segments=segments, damaged=damaged, **kept)
