"""The errors that are meant for a person: each message is one sentence saying what is wrong, where, and what to do."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


class AvsrError(ValueError):
    """Something the person at the keyboard can mend; the command line prints it and exits 1.

    It is a ``ValueError`` because most causes are a wrong file, field or argument, and callers
    that know nothing of this package can still catch it.
    """


class MediaError(AvsrError):
    """A file is no media, lacks the stream asked for, or is outside the limits."""


class NoFaceError(AvsrError):
    """A video holds no face that could be followed."""


class LabelError(AvsrError):
    """A corpus label or table is broken; the message names the file and the line or field."""


class ModelError(AvsrError):
    """A model is missing, damaged, or was packed by an incompatible version."""


def disk_sentence(error: OSError) -> str | None:
    """What to tell the person of a file that cannot be had or a disk that is full; None of an error that nobody outside this package can mend."""
    if error.errno in _FULL:  # in mid-writing Python names no file
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}the disk is full ({error.strerror}); make room and run the same command again, what is finished is kept."
    return f"{error.filename}: {error.strerror}." if error.filename is not None else None
