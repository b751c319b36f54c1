"""How each stage's command line ends: with a sentence for the person, never a traceback, where the person can act."""

from __future__ import annotations

import sys
from collections.abc import Callable

from avsr.errors import AvsrError, disk_sentence

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C


def run_main(main: Callable[[], int]) -> None:
    """Run a stage's `main` and leave Python with its exit code; 1 for an AvsrError, a file that cannot be had or a full disk."""
    try:
        code = main()
    except AvsrError as error:
        print(error, file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, run the same command again to go on.", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:
        sentence = disk_sentence(error)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
        code = 1
    sys.exit(code)
