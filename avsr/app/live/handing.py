"""Open files that one process hands to another, by a Unix socket of type stream: what a peer says is read by the process that recognises, and not
by the server, which started it."""

from __future__ import annotations

import os
import socket

_RECORD = 64  # bytes that say whose it is


def hand_file(place: socket.socket, session: str, recording: int, file: int) -> bool:
    """Hand one over; False where too many wait already. The file is still the caller's to close."""
    try:
        return bool(socket.send_fds(place, [_record(session, recording)], [file]))
    except BlockingIOError:
        return False


def take_file(place: socket.socket, session: str, recording: int) -> int:
    """The file of that recording, from a socket that does not block; those of others that wait before it are closed: nobody asks for them any more.

    Raises:
        OSError: it is not there.
    """
    wanted = _record(session, recording)
    while True:
        record, files, _, _ = socket.recv_fds(place, _RECORD, 1)
        if record == wanted and files:
            return files[0]
        for file in files:
            os.close(file)
        if not record:
            raise OSError("the other end is closed")


def _record(session: str, recording: int) -> bytes:
    return f"{session}:{recording}".encode().ljust(_RECORD)
