"""The manifest of a made corpus: what was asked for, what came of it, and the hash of every file and of all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from avsr.corpora.labels import watched
from avsr.corpora.talking_heads.corpus import Item
from avsr.tables import write_lines

MANIFEST = "manifest.json"


def write_manifest(out: Path, what: str, told: Mapping[str, Any]) -> str:
    """Write `out`/manifest.json: `what` it is, `told`, every file's sha256, and one hash of all of them, which is returned. Lists of paths (.scp) are
    left out of both: where the corpus lies is no part of it."""
    (out / MANIFEST).unlink(missing_ok=True)
    files = {}
    for path in watched(sorted(_files(out)), "hashing"):
        files[path.relative_to(out).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256("".join(f"{sha} {name}\n" for name, sha in files.items()).encode()).hexdigest()
    whole = {"what": what, "hash": total, **told, "files": files}
    write_lines(out / MANIFEST, [json.dumps(whole, ensure_ascii=False, indent=1)])
    return total


def summary(said: Sequence[tuple[Item, float]]) -> dict[str, Any]:
    """What a manifest tells of a split: of its utterances and their seconds."""
    items = [item for item, _ in said]
    return {
        "utterances": len(items),
        "seconds": round(sum(seconds for _, seconds in said), 1),
        "speakers": len({item.speaker for item in items}),
        "voices": dict(sorted(Counter(item.voice for item in items).items())),
        "sentences": len({item.text for item in items}),
    }


def _files(out: Path) -> Iterator[Path]:
    """What the corpus consists of."""
    for path in out.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(out).parts)
        if path.is_file() and not hidden and path.suffix != ".scp" and path.name != "failed.tsv":
            yield path
