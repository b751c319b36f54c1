"""A process that opens one file that somebody has sent, under limits: `python -m avsr.app.child`, started by `avsr.app.children`.

It has loaded what the tasks want, and said so by an empty line, before it is told which: a line of JSON on its input, {"task": name, ...}. The
task answers with one line of JSON on its output.
"""

from __future__ import annotations

import json
import sys

from avsr.app.inspection import inspect_here
from avsr.app.process import follow_parent
from avsr.app.soft_captions import mux_here

TASKS = {"inspect": inspect_here, "mux": mux_here}


def main() -> None:
    follow_parent()
    import av  # noqa: F401
    from PIL import Image  # noqa: F401

    import avsr.media.mux
    import avsr.media.video  # noqa: F401

    print(flush=True)  # ready
    line = sys.stdin.readline()
    if line:  # else the server has ended without wanting us
        task = json.loads(line)
        TASKS[task.pop("task")](**task)


if __name__ == "__main__":
    main()
