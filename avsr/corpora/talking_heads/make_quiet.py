"""Makes clips of people who do not speak, for training and measuring what tells speaking mouths from others.

    python -m avsr.corpora.talking_heads.make_quiet --out data/quiet --clips 600 --seed 1
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avsr.backends import LOCAL, Backend, Work, add_backend_options, open_backend, work_off
from avsr.corpora.talking_heads.corpus import rng_for
from avsr.corpora.talking_heads.quiet import KINDS, quiet_motion
from avsr.errors import AvsrError
from avsr.files import is_noted, replace_file
from avsr.lips.mouth_clip import FPS, MouthClip, save_mouth_clip
from avsr.processes import KILLED
from avsr.stages.command import run_main
from avsr.tables import write_table

VERSION = 1  # of what the same order gives: raised when motion, face or camera change
_RECORD = "order.json"


@dataclass(frozen=True)
class QuietOrder:
    """What is asked for: so many clips, the KINDS in turn, each of another person, of so many seconds. The same order
    makes the same clips. full_face: whole pictures in place of mouth clips."""

    clips: int = 600
    seconds: float = 6.0
    seed: int = 1
    full_face: bool = False

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise AvsrError(f"clips {self.clips}: give 1 or more.")
        if not 1 <= self.seconds <= 600:
            raise AvsrError(f"seconds {self.seconds}: give 1 to 600.")
        if self.seed < 0:
            raise AvsrError(f"seed {self.seed}: give 0 or more.")


def make_quiet(order: QuietOrder, out: Path, *, nj: int = 2, backend: Backend = LOCAL) -> str:
    """Make the clips under `out`, `nj` at once; what an interrupted run of the same order has made is kept.

    Writes mouth/<kind>-<number>.mp4 and .json, or face/<kind>-<number>.mp4, and the tables video.scp and utt2kind.
    Returns the hash of all clips. AvsrError where `out` holds another order's, or a clip cannot be made.
    """
    out = Path(out)
    _claim(order, out)
    kinds = list(KINDS)
    names = [f"{kinds[number % len(kinds)]}-{number + 1:06d}" for number in range(order.clips)]
    waiting = [name for name in names if not _clip(out, name, order).with_suffix(".json").exists()]
    work = Work("quiet clips", make_clip, (order, out), out)
    for name, reason in work_off(work, waiting, nj=nj, kept=len(names) - len(waiting), backend=backend):
        if reason:
            what = "its process was killed, most often for lack of memory: give a smaller --nj" if reason == KILLED else reason
            raise AvsrError(f"{name} cannot be made ({what}); what is finished is kept, run the same command again.")
    paths = {name: _clip(out, name, order) for name in names}
    write_table(out / "video.scp", {name: str(path.absolute()) for name, path in paths.items()})
    write_table(out / "utt2kind", {name: name.rpartition("-")[0] for name in names})
    digest = hashlib.sha256()
    for name, path in sorted(paths.items()):
        digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def make_clip(name: str, order: QuietOrder, out: Path) -> str | None:
    """Make one clip; the reason, one line, when it cannot be done. Runs in a worker."""
    try:
        frames = draw_quiet(name, order)
        path = _clip(out, name, order)
        if order.full_face:
            from avsr.media.write import write_video

            write_video(path, frames, FPS, np.zeros(int(round(order.seconds * 16000)), np.float32))
            replace_file(path.with_suffix(".json"), json.dumps({"frames": len(frames)}).encode())
        else:
            save_mouth_clip(MouthClip(frames, np.ones(len(frames), np.float32)), path)
    except AvsrError as error:
        return " ".join(str(error).split())
    return None


def draw_quiet(name: str, order: QuietOrder) -> np.ndarray:
    """The pictures of a clip `<kind>-<number>`: mouths (T, 96, 96) or whole faces (T, H, W, 3), uint8."""
    from avsr.corpora.talking_heads.camera import Camera, Film, vary
    from avsr.corpora.talking_heads.draw import draw_face_clip, draw_mouth_clip
    from avsr.corpora.talking_heads.identity import Identity
    from avsr.corpora.talking_heads.manner import MouthStyle

    rng = rng_for(order.seed, "quiet", name)
    style, identity = MouthStyle.random(rng), Identity.random(rng)
    motion = quiet_motion(name.rpartition("-")[0], order.seconds, style, rng)
    camera, film = Camera.random(rng), Film.random(rng)
    if order.full_face:
        return vary(draw_face_clip(_head(), identity, motion, camera, rng), rng, film)
    return vary(draw_mouth_clip(_head(), identity, motion, camera, rng, film.oversampling), rng, film)


def _claim(order: QuietOrder, out: Path) -> None:
    """Note what is made here, or see that it is the same."""
    note, asked = out / _RECORD, asdict(order) | {"version": VERSION}
    if is_noted(note, asked):
        return
    for folder in ("mouth", "face"):
        if (out / folder).exists():
            raise AvsrError(f"{out} holds a folder {folder} that this command did not make; give another --out.")
    out.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps(asked).encode())


def _clip(out: Path, name: str, order: QuietOrder) -> Path:
    return out / ("face" if order.full_face else "mouth") / f"{name}.mp4"


@lru_cache(maxsize=1)
def _head():
    from avsr.corpora.talking_heads.head import Head

    return Head.load()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="folder to make them in")
    parser.add_argument("--clips", type=int, default=600, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="other seeds, other people (default: %(default)s)")
    parser.add_argument("--full_face", action="store_true", help="whole faces with silent sound, not mouth clips")
    parser.add_argument("--nj", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    add_backend_options(parser)
    args = parser.parse_args(arguments)
    order = QuietOrder(args.clips, args.seconds, args.seed, args.full_face)
    with open_backend(args.backend, args.ray_address, nj=args.nj, out=args.out) as backend:
        total = make_quiet(order, args.out, nj=args.nj, backend=backend)
    print(f"{order.clips} clips of people who do not speak, {order.clips * order.seconds / 60:.1f} minutes; hash {total[:16]}.")
    return 0


if __name__ == "__main__":
    run_main(main)
