"""Stage 1 of recipes/olkavs: archives to mouth clips, sound and data directories: `python -m avsr.corpora.olkavs.make`.

    python -m avsr.corpora.olkavs.make --source DIR --out data/olkavs --nj 16 [--boxes] [--split speaker]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.backends import LOCAL, Backend, Work, add_backend_options, open_backend, work_off
from avsr.corpora.datadir import Utterance, write_data_dir
from avsr.corpora.labels import Failure, nothing_usable
from avsr.corpora.olkavs.cut import COLUMNS, Record, cut_session, read_record, record_path, source_of, write_record
from avsr.corpora.olkavs.index import TRAINING, VALIDATION, Index, Session, index_corpus
from avsr.corpora.olkavs.report import write_report
from avsr.corpora.splits import Splits, by_speaker, rank
from avsr.errors import AvsrError, LabelError
from avsr.processes import KILLED
from avsr.stages.command import run_main
from avsr.tables import write_table

SPLIT_BY = ("official", "speaker")
_DEV_SHARE = 0.25  # of the speakers of AI-Hub's Validation; the others are test
_KILLED = "its decoding killed the process; the video is probably damaged"


def make_corpus(
    source: Path,
    out: Path,
    *,
    nj: int = 2,
    boxes: bool = False,
    split_by: str = "official",
    dev_fraction: float = 0.05,
    test_fraction: float = 0.05,
    spool: Path | None = None,
    backend: Backend = LOCAL,
) -> Splits:
    """Cut every session of the archives under `source` that is not cut yet, and write train, dev and test into `out`.

    Args:
        boxes: cut by the labels' boxes instead of looking for the face.
        split_by: "official" takes AI-Hub's Training for train, and a quarter of the speakers of Validation for dev, the others
            for test; "speaker" gives whole speakers to each split, by the fractions, wherever AI-Hub has them.
        spool: folder for a video that has to be unpacked, while it is read; `out` where it is None.

    What could not be used is in failed.tsv, what was used in spite of a fault in remarks.tsv, and data_report.md says what there is.
    LabelError where nothing can be used or a split stays empty; AvsrError where there is no more room on the disk.
    """
    if split_by not in SPLIT_BY:
        raise LabelError(f"cannot split by {split_by!r}; it can be {' or '.join(SPLIT_BY)}.")
    if source.resolve() in (out.resolve(), *out.resolve().parents):
        raise LabelError(f"{out}: lies in the corpus ({source}), where it would be taken for a part of it; give another folder.")
    index = index_corpus(source)
    out.mkdir(parents=True, exist_ok=True)
    for left in [*out.glob("sound/*/.*"), *out.glob(f"{record_path(out, '').parent.name}/.*")]:
        left.unlink()  # what was being written when everything was killed
    from avsr.lips.face_model import face_model_path

    ready = None if boxes else face_model_path
    work = Work("sessions", cut_session, (out, boxes, spool or out), out, reads=(source,), ready=ready)
    _cut_all(index.sessions, work, boxes, nj, backend)
    records = {session.name: _record(session, out) for session in index.sessions}
    utterances = {
        entry["id"]: (Utterance(entry["id"], record.speaker, out / entry["mouth"], entry["text"]), record, entry)
        for record in records.values()
        for entry in record.utterances
    }
    splits: Splits = {"train": [], "dev": [], "test": []}
    try:
        if not utterances:
            failed = [Failure(name, Path(where), why) for record in records.values() for name, where, why in record.failed]
            raise nothing_usable(source, "no session gave anything.", [*failed, *index.failures])
        if split_by == "official":
            splits = _official(index, records, utterances)
        else:
            splits = by_speaker([u for u, *_ in utterances.values()], dev_fraction=dev_fraction, test_fraction=test_fraction)
    finally:
        write_report(out, splits, records, index)
    for split, chosen in splits.items():
        _write_split(out / split, chosen, utterances, out)
    return splits


def _cut_all(sessions: Sequence[Session], work: Work, boxes: bool, nj: int, backend: Backend) -> None:
    waiting = [session for session in sessions if not _finished(session, work.out, boxes)]
    for session, reason in work_off(work, waiting, nj=nj, kept=len(sessions) - len(waiting), backend=backend):
        if reason is not None:
            why = f"{session.label}: {_KILLED if reason == KILLED else reason}."
            record = Record(source_of(session, boxes), session.official, str(session.label), whole=False)
            record.failed.append((session.name, str(session.label), why))
            write_record(record, work.out, session.name)


def _finished(session: Session, out: Path, boxes: bool) -> bool:
    record = read_record(record_path(out, session.name))
    if record is None or not record.whole or record.source != source_of(session, boxes):
        return False
    names = [name for entry in record.utterances for name in (entry["mouth"], entry["sound"]) if name]
    return all((out / name).exists() for name in names)


def _record(session: Session, out: Path) -> Record:
    record = read_record(record_path(out, session.name))
    if record is None:
        raise AvsrError(f"{record_path(out, session.name)}: the record of a session is gone; run the stage again.")
    return record


def _official(index: Index, records: dict[str, Record], utterances: dict[str, tuple]) -> Splits:
    unknown = next((session for session in index.sessions if not session.official), None)
    if unknown is not None:
        why = f"lies neither in a folder {TRAINING} nor in {VALIDATION}, nor in an archive TL or VL; restore AI-Hub's folders, or use --split speaker."
        raise LabelError(f"{unknown.label}: {why}")
    held_out = sorted({u.speaker for u, record, _ in utterances.values() if record.official == VALIDATION}, key=rank)
    devs = set(held_out[: max(1, round(_DEV_SHARE * len(held_out)))])
    splits: Splits = {"train": [], "dev": [], "test": []}
    for utterance, record, _ in utterances.values():
        held = "dev" if utterance.speaker in devs else "test"
        splits[held if record.official == VALIDATION else "train"].append(utterance)
    empty = [split for split, chosen in splits.items() if not chosen]
    if empty:
        hint = f"{TRAINING} and, with two speakers or more, {VALIDATION} are needed; fetch both, or use --split speaker."
        raise LabelError(f"nothing that can be used is left for {' and '.join(empty)}: {hint} failed.tsv has what could not be used.")
    return splits


def _write_split(folder: Path, chosen: Sequence[Utterance], utterances: dict[str, tuple], out: Path) -> None:
    """The split's data directory, what the crops stage would have written of it, and a table for each column."""
    rows = {utterance.utt_id: utterances[utterance.utt_id][1:] for utterance in chosen}
    absolute = {utt: (out / entry["mouth"]).absolute() for utt, (_, entry) in rows.items()}
    write_table(folder / "video.scp", {utt: str(path) for utt, path in absolute.items()})
    sounds = {utt: str((out / entry["sound"]).absolute()) for utt, (_, entry) in rows.items() if entry["sound"]}
    write_table(folder / "wav.scp", sounds)
    write_table(folder / "utt2dur", {utt: f"{entry['seconds']:.3f}" for utt, (_, entry) in rows.items()})
    write_table(folder / "utt2face", {utt: f"{entry['face']:.3f}" for utt, (_, entry) in rows.items()})
    for column in COLUMNS:
        write_table(folder / f"utt2{column}", {utt: record.columns[column] for utt, (record, _) in rows.items()})
    write_data_dir(folder, chosen)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--source", type=Path, required=True, help="folder of AI-Hub 538 as it was downloaded")
    parser.add_argument("--out", type=Path, required=True, help="gets mouth clips, sound, and train, dev and test")
    parser.add_argument("--nj", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--boxes", action="store_true", help="cut by the labels' boxes instead of looking for the face")
    parser.add_argument("--split", choices=SPLIT_BY, default="official", help="default: %(default)s")
    parser.add_argument("--dev_fraction", type=float, default=0.05, help="of the speakers, with --split speaker (%(default)s)")
    parser.add_argument("--test_fraction", type=float, default=0.05, help="likewise (%(default)s)")
    parser.add_argument("--spool", type=Path, help="folder for a packed video while it is read (default: OUT)")
    add_backend_options(parser)
    args = parser.parse_args(arguments)
    with open_backend(args.backend, args.ray_address, nj=args.nj, out=args.out) as backend:
        splits = make_corpus(
            args.source,
            args.out,
            nj=args.nj,
            boxes=args.boxes,
            split_by=args.split,
            dev_fraction=args.dev_fraction,
            test_fraction=args.test_fraction,
            spool=args.spool,
            backend=backend,
        )
    print(", ".join(f"{split} {len(chosen)}" for split, chosen in splits.items()) + f" utterances; see {args.out / 'data_report.md'}")
    return 0


if __name__ == "__main__":
    run_main(main)
