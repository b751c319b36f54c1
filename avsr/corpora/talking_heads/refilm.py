"""Films the clips of a made corpus once more, with a coarser camera and compressed, for lips that read video calls too.

    python -m avsr.corpora.talking_heads.refilm --corpus data/daily_ko/3 --out data/daily_ko_again/3 --seed 1

Of train those clips are taken that their first film left uncompressed: nothing is drawn anew. What comes out is a corpus without sound, to be
added to another one's train (avsr.stages.combine).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from avsr.backends import LOCAL, Backend, Work, add_backend_options, open_backend, work_off
from avsr.corpora.datadir import read_data_dir, write_data_dir
from avsr.corpora.labels import watched
from avsr.corpora.talking_heads.camera import Film, vary
from avsr.corpora.talking_heads.corpus import Item, rng_for
from avsr.corpora.talking_heads.manifest import MANIFEST, summary, write_manifest
from avsr.corpora.talking_heads.utterance import RECORDS, scene_of
from avsr.errors import AvsrError
from avsr.files import digest, is_noted, replace_file
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip, save_mouth_clip
from avsr.processes import KILLED
from avsr.stages.command import run_main
from avsr.tables import read_table, write_table

VERSION = 1  # of what the same seed gives: raised when Film.again or vary change
_NOTE = ".order.json"
_TABLES = ("shape.scp", "utt2dur", "utt2face")  # as in the corpus itself


@dataclass(frozen=True)
class Twin:
    """A clip to be filmed again: who says what in it, its pictures, and the film that they have been kept on."""

    item: Item
    clip: str
    film: Film

    @property
    def utt(self) -> str:
        return self.item.utt


def refilm(corpus: Path, out: Path, *, seed: int = 1, nj: int = 2, backend: Backend = LOCAL) -> int:
    """Write `out/mouth`, the tables of `out/train` and a manifest, `nj` clips at once; what an interrupted run has made is kept.

    Returns how many clips there are. AvsrError where `corpus` is none of avsr synth's with mouth clips, `out` holds something
    else, or a clip cannot be made.
    """
    corpus, out = Path(corpus), Path(out)
    if not all((corpus / name).exists() for name in ("train/video.scp", RECORDS, MANIFEST)):
        raise AvsrError(f"{corpus}: is no finished corpus of mouth clips; give the --out of avsr synth, made without --full-face and --layout lipnet.")
    _claim(corpus, out, seed)
    first = _read_manifest(corpus / MANIFEST)
    clips = read_table(corpus / "train" / "video.scp")
    twins = [twin for name in watched(sorted(clips), "films") if (twin := _twin(corpus, name, clips[name])) is not None]
    if not twins:
        raise AvsrError(f"{corpus}: every clip of train is compressed already; make a larger corpus.")
    waiting = [twin for twin in twins if not _path(out, twin.utt).with_suffix(".json").exists()]
    work = Work("clips", make_twin, (seed, out), out, reads=(corpus / "mouth",))
    for twin, reason in work_off(work, waiting, nj=nj, kept=len(twins) - len(waiting), backend=backend):
        if reason:
            what = "its process was killed, most often for lack of memory: give a smaller --nj" if reason == KILLED else reason
            raise AvsrError(f"{twin.utt} cannot be filmed again ({what}); what is finished is kept, run the same command again.")
    _write_tables(corpus, out, [twin.utt for twin in twins])
    _write_manifest(first, out, twins, seed)
    return len(twins)


def make_twin(twin: Twin, seed: int, out: Path) -> str | None:
    """Film one clip again; the reason, one line, when it cannot be done. Runs in a worker."""
    try:
        clip = load_mouth_clip(twin.clip)
        rng = rng_for(seed, twin.utt, "again")
        save_mouth_clip(MouthClip(vary(clip.frames, rng, twin.film.again(rng)), clip.confidence), _path(out, twin.utt))
    except AvsrError as error:
        return " ".join(str(error).split())
    return None


def _twin(corpus: Path, name: str, clip: str) -> Twin | None:
    """None where the clip's film compressed it."""
    path = corpus / RECORDS / f"{name}.json"
    try:
        made = json.loads(path.read_bytes())["order"]
        item, seed = Item(**{field.name: made[field.name] for field in fields(Item)}), int(made["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AvsrError(f"{path}: does not tell how {name} was made ({error!r}); run avsr synth with the same options again.") from None
    *_, film, _ = scene_of(item, seed)
    return Twin(item, clip, film) if film.quality is None else None


def _write_tables(corpus: Path, out: Path, names: Sequence[str]) -> None:
    wanted, first, train = set(names), corpus / "train", out / "train"
    for table in _TABLES:
        rows = read_table(first / table)
        write_table(train / table, {name: rows[name] for name in names})
    write_table(train / "video.scp", {name: str(_path(out, name).absolute()) for name in names})
    rows = [replace(row, media=_path(out, row.utt_id)) for row in read_data_dir(first) if row.utt_id in wanted]
    write_data_dir(train, rows)  # last: it says finished


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        first = json.loads(path.read_bytes())
        return {"hash": str(first["hash"]), "order": dict(first["order"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AvsrError(f"{path}: is no manifest of avsr synth ({error!r}); make the corpus again with the same options.") from None


def _write_manifest(first: Mapping[str, Any], out: Path, twins: Sequence[Twin], seed: int) -> None:
    """As of the corpus itself (avsr.stages.ship reads it), with what was filmed again and by which seed."""
    lasting = read_table(out / "train" / "utt2dur")
    write_manifest(out, f"Clips of the corpus {first['hash'][:16]} filmed once more, by avsr.corpora.talking_heads.refilm.", {
        "order": first["order"] | {"silent": True},
        "again": {"of": first["hash"], "seed": seed, "version": VERSION},
        "packages": {name: version(name) for name in ("avsr", "numpy", "opencv-python", "av")},
        "splits": {"train": summary([(twin.item, float(lasting[twin.utt])) for twin in twins])},
    })


def _claim(corpus: Path, out: Path, seed: int) -> None:
    """Note what is made here, or see that it is the same."""
    if seed < 0:
        raise AvsrError(f"seed {seed}: give 0 or more.")
    # The corpus by its manifest: one that was made anew with other options would have other clips of the same names.
    note, asked = out / _NOTE, {"seed": seed, "corpus": digest(corpus / MANIFEST), "version": VERSION}
    if is_noted(note, asked):
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AvsrError(f"{out} holds something that this command did not make; give another --out.")
    out.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps(asked).encode())


def _path(out: Path, name: str) -> Path:
    return out / "mouth" / f"{name}.mp4"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that avsr synth made mouth clips in")
    parser.add_argument("--out", type=Path, required=True, help="folder for the new clips")
    parser.add_argument("--seed", type=int, default=1, help="other seeds, other cameras (default: %(default)s)")
    parser.add_argument("--nj", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    add_backend_options(parser)
    args = parser.parse_args(arguments)
    with open_backend(args.backend, args.ray_address, nj=args.nj, out=args.out) as backend:
        count = refilm(args.corpus, args.out, seed=args.seed, nj=args.nj, backend=backend)
    print(f"{args.out}: {count} clips filmed again.")
    return 0


if __name__ == "__main__":
    run_main(main)
