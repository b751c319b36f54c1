"""A process that is the other end of one participant's WebRTC, and decodes what comes: `python -m avsr.app.live.peer FILE`, started by `.peers`.

On its input is a line of JSON: `offer`, an SDP; `addresses`, those of this machine that may be used, all of them where it is empty; `began`, by
`time.monotonic`, when the recording begins; `connect_seconds`, `bytes_a_second` and `burst`, see `.protocol.Limits`. When the input ends it ends too. On its
output are lines of JSON: `answer`; or `error`, one of `.peers.CODES`, and `sentence`. The open file of that number has `.pieces`, what it decodes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from avsr.app.codecs import allow_usual_codecs
from avsr.app.process import follow_parent, limit_data, small_stacks

_MEMORY = 320 << 20  # bytes beyond what is mapped


def main() -> None:
    follow_parent()
    small_stacks()
    # Not before it, for it begins this program again.
    from avsr.app.live.pieces import Pieces
    from avsr.app.live.webrtc import Peer

    pieces, taken = Pieces(os.fdopen(int(sys.argv[1]), "wb")), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no message
    allow_usual_codecs()
    line = sys.stdin.buffer.readline()
    if not line:
        return  # a spare one that nobody has needed
    told = json.loads(line)
    limit_data(_MEMORY, 0)
    asyncio.run(Peer(told, pieces, taken).run())
    os._exit(0)


if __name__ == "__main__":
    main()
