"""What the archives hold: each session's label and the videos and sounds that may be its own. No media is opened here."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.corpora.archives import Member, find_archives, list_members
from avsr.corpora.labels import Failure, watched
from avsr.errors import LabelError

TRAINING, VALIDATION = "Training", "Validation"
# VS3.zip: source data (S) of the validation (V); TL3: labels (L) of the training.
_ARCHIVE_NAME = re.compile(r"([TV])[LS]\d*", re.IGNORECASE)


@dataclass(frozen=True)
class Session:
    """A session filmed by one camera. `name` is its label's, without .json; `official` is the folder of AI-Hub's that it is in, "" where
    that is not to be seen; `videos` have its name (one, where all is well), `sounds` those of the session, whatever the camera."""

    name: str
    official: str
    label: Member
    videos: tuple[Member, ...]
    sounds: tuple[Member, ...]


@dataclass(frozen=True)
class Index:
    """The sessions by name, what could not be read, the bytes of all archives and files, and the number of videos without a label."""

    sessions: list[Session]
    failures: list[Failure]
    size: int
    strays: int


def index_corpus(root: Path) -> Index:
    """Look through the archives under `root`, and through files that were unpacked.

    Labels of one name are none of them taken. LabelError where `root` is no folder or holds no label.
    """
    archives, files = find_archives(root)
    failures: list[Failure] = []
    members = [Member(None, str(path), path.stat().st_size) for path in files]
    for archive in watched(archives, "reading archives"):
        try:
            members += list_members(archive)
        except LabelError as error:
            failures.append(Failure(archive.path.name, archive.path, str(error)))
    size = sum(path.stat().st_size for path in files) + sum(part.stat().st_size for archive in archives for part in archive.parts)
    labels, videos, sounds = (_by_name(members, suffix) for suffix in (".json", ".mp4", ".wav"))
    if not labels:
        why = failures[0].reason if failures else "fetch its label archives (TL, VL) too."
        raise LabelError(f"{root}: no label (.json) was found in {len(archives)} archives and {len(files)} files: {why}")
    shared = defaultdict(list)
    for name, found in sounds.items():
        shared[_whatever_camera(name)] += found
    sessions = []
    for name, found in sorted(labels.items()):
        if len(found) > 1:
            reason = f"{found[0]} and {found[1]}: two labels of one name; keep one of them."
            failures.append(Failure(name, Path(str(found[0])), reason))
            continue
        own = tuple(videos.get(name, ()))
        sessions.append(Session(name, _official(found[0], root), found[0], own, tuple(shared[_whatever_camera(name)])))
    return Index(sessions, failures, size, len(videos.keys() - labels.keys()))


def stem(name: str) -> str:
    """A file's name without folder and suffix, NFC: archives made on a Mac spell Hangul in pieces."""
    return unicodedata.normalize("NFC", name).rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _by_name(members: Sequence[Member], suffix: str) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = {}
    for member in members:
        hidden = member.file_name.startswith(".") or "__MACOSX" in member.name
        if member.file_name.lower().endswith(suffix) and not hidden:
            found.setdefault(stem(member.file_name), []).append(member)
    return found


def _whatever_camera(name: str) -> str:
    """lip_J_1_F_02_C032_A_010 -> lip_J_1_F_02_C032_*_010: the nine cameras heard the same."""
    parts = name.split("_")
    return "_".join([*parts[:-2], "*", parts[-1]]) if len(parts) > 2 else name


def _official(label: Member, root: Path) -> str:
    inside = f"{label.archive.path}/{label.name}" if label.archive else label.name
    inner = inside.removeprefix(str(root))
    for part in re.split(r"[/\\]", inner):
        for folder in (TRAINING, VALIDATION):
            if folder.casefold() in part.casefold():
                return folder
        if match := _ARCHIVE_NAME.fullmatch(part.removesuffix(".zip").removesuffix(".tar")):
            return TRAINING if match[1].upper() == "T" else VALIDATION
    return ""
