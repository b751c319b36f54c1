"""What was made of the corpus and what is to be known of it before a figure is believed: data_report.md, failed.tsv, remarks.tsv."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from avsr.corpora.datadir import Utterance
from avsr.corpora.olkavs.cut import COLUMNS, Record
from avsr.corpora.olkavs.index import Index
from avsr.corpora.splits import Splits, sentence_key
from avsr.tables import write_lines

_EXAMPLES = 10


def repeated_sentences(splits: Mapping[str, Sequence[Utterance]]) -> dict[str, list[tuple[str, Utterance]]]:
    """Sentences that are in more than one split, each with its first utterance in every one of these; spelling apart."""
    homes: dict[str, dict[str, Utterance]] = {}
    for split, utterances in splits.items():
        for utterance in utterances:
            homes.setdefault(sentence_key(utterance), {}).setdefault(split, utterance)
    return {key: list(found.items()) for key, found in homes.items() if len(found) > 1}


def shared_speakers(splits: Mapping[str, Sequence[Utterance]]) -> dict[str, list[tuple[str, Utterance]]]:
    """Speakers who are in more than one split, each with the first utterance in every one of these."""
    homes: dict[str, dict[str, Utterance]] = {}
    for split, utterances in splits.items():
        for utterance in utterances:
            homes.setdefault(utterance.speaker, {}).setdefault(split, utterance)
    return {speaker: list(found.items()) for speaker, found in homes.items() if len(found) > 1}


def write_report(out: Path, splits: Splits, records: Mapping[str, Record], index: Index) -> None:
    """Write the three files into `out`; the records are by session."""
    failed = [(failure.name, str(failure.path), failure.reason) for failure in index.failures]
    remarks = []
    for record in records.values():
        failed += map(tuple, record.failed)
        remarks += map(tuple, record.remarks)
    speakers = shared_speakers(splits)
    labels = {utterance["id"]: record.label for record in records.values() for utterance in record.utterances}
    for speaker, found in speakers.items():
        (one, first), (other, second) = found[:2]
        why = f"field speaker_info.speaker_ID: {speaker} is in {one} and, by {labels[second.utt_id]}, in {other}; the official split is kept as it is."
        remarks.append((speaker, labels[first.utt_id], f"{labels[first.utt_id]}, {why}"))
    write_lines(out / "failed.tsv", map(_row, failed))
    write_lines(out / "remarks.tsv", map(_row, remarks))
    lines = ["# What the corpus holds", "", *_splits(splits, records), ""]
    lines += [*_columns(splits, records), "", *_repeats(splits, speakers), "", *_disk(records, index), "", *_faults(index, records, failed, remarks)]
    write_lines(out / "data_report.md", lines)


def _splits(splits: Splits, records: Mapping[str, Record]) -> list[str]:
    seconds = {utterance["id"]: utterance["seconds"] for record in records.values() for utterance in record.utterances}
    lines = ["| split | utterances | hours | speakers | different sentences |", "| --- | --- | --- | --- | --- |"]
    for split, utterances in splits.items():
        hours = sum(seconds[utterance.utt_id] for utterance in utterances) / 3600
        counts = (len(utterances), f"{hours:.2f}", len({u.speaker for u in utterances}), len({sentence_key(u) for u in utterances}))
        lines.append(f"| {split} | {' | '.join(map(str, counts))} |")
    return lines


def _columns(splits: Splits, records: Mapping[str, Record]) -> list[str]:
    values = {utterance["id"]: record.columns for record in records.values() for utterance in record.utterances}
    lines = ["Utterances by what the labels say:", "", f"| | value | {' | '.join(splits)} |", "| --- | --- |" + " --- |" * len(splits)]
    for column in COLUMNS:
        counts = {split: Counter(values[u.utt_id][column] for u in utterances) for split, utterances in splits.items()}
        for value in sorted(set().union(*counts.values())):
            lines.append(f"| {column} | {value} | {' | '.join(str(count[value]) for count in counts.values())} |")
    return lines


def _repeats(splits: Splits, speakers: Mapping[str, Sequence[tuple[str, Utterance]]]) -> list[str]:
    repeats = repeated_sentences(splits)
    lines = [f"{len(repeats)} sentences are in more than one split" + ("; the first:" if repeats else "."), ""]
    for found in sorted(repeats.values(), key=lambda found: found[0][1].utt_id)[:_EXAMPLES]:
        where = ", ".join(f"{split} ({utterance.utt_id})" for split, utterance in found)
        lines.append(f"- {found[0][1].text} — {where}")
    lines += [""] if repeats else []
    named = ", ".join(sorted(speakers)[:_EXAMPLES])
    return [*lines, f"{len(speakers)} speakers are in more than one split" + (f": {named}." if speakers else ".")]


def _disk(records: Mapping[str, Record], index: Index) -> list[str]:
    mouths = sum(utterance["bytes"][0] for record in records.values() for utterance in record.utterances)
    sounds = {utterance["sound"]: utterance["bytes"][1] for record in records.values() for utterance in record.utterances}
    spooled = max((record.spooled for record in records.values()), default=0)
    share = 100 * sum(sounds.values()) / max(1, index.size)
    return [
        f"Read: {index.size:,} bytes. Written: mouth clips {mouths:,} bytes; sound {sum(sounds.values()):,} bytes in"
        f" {len(sounds.keys() - {None})} files ({share:.2f} % of what was read). The largest member that had to be unpacked for a"
        f" while: {spooled:,} bytes, one a process."
    ]


def _faults(index: Index, records: Mapping[str, Record], failed: Sequence[tuple], remarks: Sequence[tuple]) -> list[str]:
    used = sum(bool(record.utterances) for record in records.values())
    lines = [
        f"{used} of {len(records)} sessions gave something. {len(failed)} faults cost something (`failed.tsv`), {len(remarks)} did not (`remarks.tsv`)."
    ]
    if index.strays:
        lines.append(f"{index.strays} videos have no label and were left alone.")
    for name, rows in (("failed.tsv", failed), ("remarks.tsv", remarks)):
        kinds = Counter(_kind(reason) for *_, reason in rows)
        lines += ["", *(f"- {name}: {count} times {kind}" for kind, count in kinds.most_common(20))] if kinds else []
    return lines


def _kind(reason: str) -> str:
    """What a reason is about: the label's field that it names, without the numbers in it."""
    if match := re.search(r"field ([\w.()\[\]]+)", reason):
        return re.sub(r"\[\d+\]", "[]", match[1])
    return "a sentence's pictures" if ", sentence " in reason else "an archive or member"


def _row(fields: Sequence[str]) -> str:
    line = "\t".join(" ".join(str(value).split()) for value in fields)
    return line.encode("utf-8", "backslashreplace").decode("utf-8")  # a broken file name may be why it failed
