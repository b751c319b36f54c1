"""Makes the voices that ship with the project: ``python -m avsr.corpora.talking_heads.make_quickstart --out DIR --seed 1``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.quickstart import INDEX
from avsr.corpora.talking_heads.sentences import as_read, command_sentences
from avsr.corpora.talking_heads.speakers import Speaker, make_speakers
from avsr.corpora.talking_heads.speech_files import BITRATE, save_speech
from avsr.corpora.talking_heads.voice import Voice
from avsr.errors import AvsrError
from avsr.files import replace_file

SPEAKERS = 24
SENTENCES = 30  # of each speaker: about 35 minutes in all
MAX_BYTES = 6_000_000
PARTS = ".parts"


def make_quickstart(out: Path, seed: int, speakers: int = SPEAKERS, sentences: int = SENTENCES) -> int:
    """Speak, pack and index; what is there from an earlier run is kept. Returns the bytes of the packs and the index.

    Every sentence is said once, by one speaker, so that any split by speakers has no sentence twice. AvsrError where the
    folder holds the beginning of another order, or the result is too large to ship.
    """
    from rich.console import Console
    from rich.progress import track

    order = {"seed": seed, "speakers": speakers, "sentences": sentences, "bitrate": BITRATE}
    _claim(out, order)
    people = make_speakers(speakers, seed)
    texts = command_sentences(speakers * sentences, np.random.default_rng([seed, 0]))
    jobs = [(f"{people[i % speakers].name}-{i // speakers + 1:03d}", people[i % speakers], text) for i, text in enumerate(texts)]
    waiting = [job for job in jobs if not _part(out, job[0]).with_suffix(".json").exists()]
    voice = Voice.load() if waiting else None
    for name, speaker, text in track(waiting, "speaking", console=Console(stderr=True)):
        rng = np.random.default_rng([seed, 1, int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)])
        save_speech(voice.say(as_read(text), speaker, rng), _part(out, name))
    return _pack(out, jobs, people, order)


def _claim(out: Path, order: dict) -> None:
    """Note what is being made here, or see that it is the same."""
    note = out / PARTS / "order.json"
    if note.exists():
        if json.loads(note.read_bytes()) != order:
            raise AvsrError(f"{note.parent} holds the beginning of another order: remove it, or ask for the same.")
        return
    note.parent.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps(order).encode())


def _part(out: Path, name: str) -> Path:
    return out / PARTS / f"{name}.opus"


def _pack(out: Path, jobs: list[tuple[str, Speaker, str]], people: list[Speaker], order: dict) -> int:
    """A file of chained Ogg streams for each speaker, and the index of all."""
    rows, sums, total = [], {}, 0
    for speaker in people:
        pack, sound = f"{speaker.name}.opus", b""
        for name, _, text in sorted((job for job in jobs if job[1] == speaker), key=lambda job: job[0]):
            piece = _part(out, name).read_bytes()
            times = json.loads(_part(out, name).with_suffix(".json").read_bytes())
            row = {"name": name, "speaker": speaker.name, "text": text, "pack": pack, "offset": len(sound), "size": len(piece)}
            rows.append(row | {"times": times})
            sound += piece
        replace_file(out / pack, sound)
        sums[pack] = hashlib.sha256(sound).hexdigest()
        total += len(sound)
    head = {"order": order, "sha256": sums, "speakers": [asdict(speaker) for speaker in people]}
    # One utterance a line: the file can be read, and its changes too.
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "utterances": [\n{lines}\n]}}\n'
    total += len(text.encode())
    if total > MAX_BYTES:
        raise AvsrError(f"the voices take {total} bytes, more than the {MAX_BYTES} that may be shipped: make fewer.")
    replace_file(out / INDEX, text.encode())
    return total


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Speak the sentences that ship with the project; goes on where it stopped.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the packs and their index")
    parser.add_argument("--seed", type=int, default=1, help="of speakers, sentences and voices (default: 1)")
    parser.add_argument("--speakers", type=int, default=SPEAKERS, help=f"default: {SPEAKERS}")
    parser.add_argument("--sentences", type=int, default=SENTENCES, help=f"of each speaker (default: {SENTENCES})")
    options = parser.parse_args(arguments)
    try:
        total = make_quickstart(options.out, options.seed, options.speakers, options.sentences)
    except AvsrError as error:
        print(f"avsr: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {total / 1e6:.2f} MB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
