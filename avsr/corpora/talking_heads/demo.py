"""A clip to look at: made people of the test saying their sentences, with what a model recognised as captions.

    python -m avsr.corpora.talking_heads.demo --corpus data/mini_ko --exp exp/mini_ko --out exp/mini_ko/captions.mp4
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.corpus import Item, Order
from avsr.corpora.talking_heads.utterance import RECORDS, draw, say
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import FPS
from avsr.media.audio import SAMPLE_RATE
from avsr.media.burn import burn_captions
from avsr.media.captions import Cue
from avsr.media.write import write_video
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.tables import read_table

READERS = {"av": "소리와 입술", "lip": "입술만"}  # modes shown, and what a Korean reader calls them


def write_demo(corpus: Path, exp: Path, out: Path, *, clips: int = 4, split: str = "test") -> int:
    """Write whole faces of `clips` utterances of the split, one after the other, with sound and captions.

    The captions are what exp/decode_av and exp/decode_lip hold, whichever there are. Returns how many clips there are.
    AvsrError where the corpus was not made by `avsr synth`, or nothing was decoded.
    """
    found = {mode: exp / f"decode_{mode}" / split / "text" for mode in READERS}
    read = {mode: read_table(path) for mode, path in found.items() if path.exists()}
    if not read:
        raise AvsrError(f"{exp} has no decoded text of {split} in mode {' or '.join(READERS)}: run the decode stage first.")
    chosen = _spread(sorted(next(iter(read.values()))), clips)
    pictures, sounds = [], []
    with progress("talking heads", len(chosen), 0) as advance:
        for utt in chosen:
            item, seed = _recorded(corpus, utt)
            order = Order(seed=seed, full_face=True)
            speech = say(item, order)
            frames, *_ = draw(item, order, speech)
            lines = [f"{name}: {read[mode].get(utt, '') or '…'}" for mode, name in READERS.items() if mode in read]
            burn_captions(frames, FPS, [Cue(speech.words[0][0], speech.duration, "\n".join(lines))])
            pictures.append(frames)
            sound = np.zeros(len(frames) * SAMPLE_RATE // FPS, np.float32)
            sound[: len(speech.samples)] = speech.samples[: len(sound)]
            sounds.append(sound)
            advance()
    write_video(out, np.concatenate(pictures), FPS, np.concatenate(sounds))
    return len(chosen)


def _spread(utterances: Sequence[str], count: int) -> list[str]:
    """So many of them, from beginning to end: names begin with the speaker."""
    return [utterances[round(place)] for place in np.linspace(0, len(utterances) - 1, min(count, len(utterances)))]


def _recorded(corpus: Path, utt: str) -> tuple[Item, int]:
    """An utterance's line of the plan and the corpus's seed."""
    path = corpus / RECORDS / f"{utt}.json"
    try:
        order = json.loads(path.read_bytes())["order"]
        return Item(**{field.name: order[field.name] for field in fields(Item)}), order["seed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AvsrError(f"{path} does not tell how {utt} was made ({error!r}): make the corpus again.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--corpus", type=Path, required=True, help="what `avsr synth` made")
    parser.add_argument("--exp", type=Path, required=True, help="has decode_av or decode_lip")
    parser.add_argument("--out", type=Path, required=True, help="the .mp4 to write")
    parser.add_argument("--clips", type=int, default=4, help="utterances shown (default: %(default)s)")
    args = parser.parse_args(arguments)
    count = write_demo(args.corpus, args.exp, args.out, clips=args.clips)
    print(f"written: {args.out}, {count} utterances of the test with what was recognised")
    return 0


if __name__ == "__main__":
    run_main(main)
