"""What the benchmark works with: the test's sound and mouth clips, and recordings of noise that no training has heard."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from avsr.benchmark.conditions import Cell
from avsr.errors import AvsrError, LabelError
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip
from avsr.noise.pcm import hash_pcm, to_pcm
from avsr.processes import progress
from avsr.tables import read_media_scp, read_table

_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")


class Materials:
    """A test's data directory (text, utt2spk, wav.scp, video.scp) and a folder of noise.

    Every utterance needs sound and picture; `limit` takes the first so many of each speaker in turn.
    LabelError, AvsrError: something is missing, in a sentence.
    """

    def __init__(self, data: Path, noise: Path | None = None, limit: int | None = None) -> None:
        self.data, self.noise = Path(data), noise
        text = read_table(self.data / "text")
        self._wav, self._video = (
            {entry.utt_id: entry.media for entry in read_media_scp(self.data / name)} for name in ("wav.scp", "video.scp")
        )
        self._speakers = read_table(self.data / "utt2spk")
        if not text:
            raise LabelError(f"{self.data / 'text'}: has no utterance; give a data directory that holds some.")
        for name, table in (("wav.scp", self._wav), ("video.scp", self._video), ("utt2spk", self._speakers)):
            lacking = sorted(text.keys() - table.keys())
            if lacking:
                raise LabelError(f"{self.data / name}: has no line for {lacking[0]}, and the benchmark needs both streams.")
        self.texts = {utt: text[utt] for utt in _in_turn(text, self._speakers)[:limit]}
        if not self.texts:
            raise AvsrError("the benchmark needs an utterance at least: give a larger --limit.")

    @property
    def utterances(self) -> list[str]:
        return list(self.texts)

    @lru_cache(maxsize=512)  # noqa: B019  one of these lives as long as the run
    def sound(self, utt: str) -> np.ndarray:
        """(n,) int16 at 16 kHz."""
        from avsr.media.audio import read_audio

        samples, _ = read_audio(self._wav[utt])
        if not len(samples):
            raise AvsrError(f"{self._wav[utt]}: has no sample; prepare the data again.")
        return to_pcm(samples)

    def mouth(self, utt: str) -> MouthClip:
        """The mouth clip, 25 frames a second."""
        return load_mouth_clip(self._video[utt])

    def hash(self) -> str:
        """sha256 of everything that an utterance's mixtures can depend on: each one's name, text, speaker and files, beyond
        `limit` too, for others are mixed in."""
        digest = hashlib.sha256()
        with progress("files hashed", len(self._all), 0) as advance:
            for utt in self._all:
                digest.update(f"{utt}\t{self._texts[utt]}\t{self._speakers[utt]}\n".encode())
                for path in (self._wav[utt], self._video[utt]):
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
                advance()
        return digest.hexdigest()

    def lacking(self, cell: Cell) -> str | None:
        """What a cell wants and this test cannot give, None where it can be measured."""
        recording = dict(cell.sound.values).get("recording")
        if recording is not None and recording not in self.recordings:
            return f"the recording {recording} is not at hand (--noise DIR)"
        if cell.picture.kind == "swapped" and len(set(self._speakers[utt] for utt in self._all)) < 2:
            return "the test has one speaker alone, and no other person's face"
        if cell.sound.kind in ("wrong", "babble") and len(set(self._texts.values())) < 2:
            return "the test has one sentence alone, and nobody else's voice"
        return None

    def another(self, utt: str, rng: np.random.Generator, *, other_speaker: bool = False) -> str:
        """An utterance with another text; AvsrError where the test has none, or none by another speaker where that is asked."""
        found = [
            other
            for other in self._all
            if self._texts[other] != self._texts[utt] and not (other_speaker and self._speakers[other] == self._speakers[utt])
        ]
        if not found:
            whose = "by another speaker, which another person's face needs" if other_speaker else "with another text"
            raise AvsrError(f"{self.data}: has no utterance {whose}, beside {utt}; leave that condition out, or add speakers.")
        return found[int(rng.integers(len(found)))]

    def others(self, utt: str, rng: np.random.Generator, talkers: int) -> list[str]:
        """Utterances for babble, other speakers' where there are any; fewer than `talkers` where the test has not so many."""
        rest = [other for other in self._all if other != utt]
        strangers = [other for other in rest if self._speakers[other] != self._speakers[utt]] or rest
        if not strangers:
            raise AvsrError(f"{self.data}: has one utterance alone, and nobody else to babble; leave that condition out.")
        return [strangers[place] for place in rng.permutation(len(strangers))[: int(talkers)]]

    @cached_property
    def recordings(self) -> dict[str, Path]:
        """Recordings in the folder of noise, by name without its ending."""
        if self.noise is None:
            return {}
        if not Path(self.noise).is_dir():
            raise AvsrError(f"{self.noise}: is no folder; give the one that the noise recordings lie in.")
        paths = sorted(path for path in Path(self.noise).rglob("*") if path.suffix.lower() in _SUFFIXES)
        return {path.stem: path for path in reversed(paths)}

    @lru_cache(maxsize=16)  # noqa: B019
    def recording(self, name: str) -> np.ndarray:
        """(m,) int16 at 16 kHz; a recording shorter than an utterance is looped. AvsrError where it is not there or silent."""
        from avsr.media.audio import read_audio

        if name not in self.recordings:
            raise AvsrError(f"there is no recording {name} in {self.noise}; it has {', '.join(self.recordings) or 'none'}.")
        samples, _ = read_audio(self.recordings[name])
        if not samples.any():
            raise AvsrError(f"{self.recordings[name]}: is silent, so that it cannot be mixed at any ratio; use another recording.")
        return to_pcm(samples)

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """sha256 of each recording's samples."""
        return {name: hash_pcm(self.recording(name)) for name in names}

    @cached_property
    def _texts(self) -> dict[str, str]:
        return read_table(self.data / "text")

    @cached_property
    def _all(self) -> list[str]:
        """Every utterance of the directory, those beyond `limit` too: what an utterance is mixed with does not depend on it."""
        return sorted(self._texts)


def _in_turn(texts: Mapping[str, str], speakers: Mapping[str, str]) -> list[str]:
    """One utterance of each speaker after another, by name."""
    queues: dict[str, list[str]] = {}
    for utt in sorted(texts):
        queues.setdefault(speakers[utt], []).append(utt)
    longest = max(map(len, queues.values()), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues.values() if turn < len(queue)]
