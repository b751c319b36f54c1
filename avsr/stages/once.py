"""Runs a stage's command unless it was finished before with the same inputs and options: `python -m avsr.stages.once`.

    python -m avsr.stages.once --stage "5 tokens" --says "..." --stamp dump/x/tokens/.done \
        --input dump/x/train/text --option jamo --output dump/x/tokens/tokens.txt -- COMMAND ...

The stamp lies beside what the command writes. It holds a hash of the inputs and options, and is written when the
command has ended well; a stage whose stamp has the same hash, and whose outputs are there, is not done again.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from avsr.errors import AvsrError
from avsr.files import digest, remove_half_written
from avsr.stages.command import INTERRUPTED, run_main
from avsr.stages.machine import describe_commit, describe_machine, noted_machine

_BEGUN = ".begun"
_NOTE_EVERY = 30.0  # seconds: no more than this of a training's time is lost when the machine goes down
_PATIENCE = 5.0  # seconds that a run which was ended just now has to let go

# ESPnet's own words; of an epoch's results what comes first: losses and the accuracy.
_PROGRESS = re.compile(r"\d+/\d+epoch started.*|\d+epoch results.*|\d+epoch:train:.*|The training was finished.*")


def state_hash(inputs: Sequence[Path], options: Sequence[str]) -> str:
    """One hash for what a stage's result depends on: the inputs, in their order, and the options."""
    # Not the inputs' paths: a checkout that was moved has nothing to do again on their account.
    return hashlib.sha256(json.dumps([[digest(path) for path in inputs], list(options)]).encode()).hexdigest()


def is_done(stamp: Path, state: str, outputs: Sequence[Path]) -> bool:
    """Whether the stamp is of this state and everything that the stage writes is there."""
    return read_note(stamp).get("state") == state and all(path.exists() for path in outputs)


def read_note(path: Path) -> dict:
    """What a stamp holds; {} where there is none, or none that can be read."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(path: Path, note: dict) -> None:
    """Write a stamp whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(json.dumps(note, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def set_aside(directory: Path) -> Path:
    """Rename a folder to the first free of directory.1, directory.2, ...; what was made at length is not thrown away."""
    number = 1
    while (aside := directory.with_name(f"{directory.name}.{number}")).exists():
        number += 1
    os.replace(directory, aside)
    return aside


def begin(directory: Path, state: str) -> float:
    """Prepare a folder whose command goes on where it stopped; returns the seconds that were spent on it before.

    What lies there from other inputs or options, which the command would go on with, is set aside.
    """
    begun = read_note(directory / _BEGUN)
    # A kill before the first note left no more than that note, half-written: nothing to set aside.
    there = {path.name for path in directory.iterdir()} - {f"{_BEGUN}.new"} if directory.is_dir() else set()
    if begun.get("state") != state and there:
        print(f"{directory} was made from other inputs or options: it is now {set_aside(directory)}.", flush=True)
        begun = {}
    seconds = float(begun.get("seconds", 0.0))
    write_note(directory / _BEGUN, {"state": state, "seconds": seconds})
    return seconds


@contextmanager
def alone(stage: str, stamp: Path) -> Iterator[IO[str]]:
    """Hold the stage of this stamp, against other runs on this machine: two that write the same files would spoil each other's.

    The command is to inherit what is yielded (`execute`): one that outlives a killed `once` goes on holding the stage.

    Raises AvsrError where another run has it and does not let go.
    """
    folder = Path(tempfile.gettempdir()) / f"avsr-stages-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / hashlib.sha256(os.fsencode(stamp.resolve())).hexdigest()[:32]
    until = time.monotonic() + _PATIENCE
    while True:
        with open(path, "a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = os.path.samestat(os.fstat(lock.fileno()), path.stat())
            except FileNotFoundError:
                mine = False  # who had it has removed it just now
            except BlockingIOError:
                mine = False
                if time.monotonic() > until:
                    lock.seek(0)
                    raise AvsrError(
                        f"stage {stage}: another run is at it in {stamp.parent} (begun by process {lock.read().strip() or 'unknown'}); "
                        "wait for that one, or end it, and run the same command again."
                    ) from None
            if mine:
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
                yield lock
                path.unlink(missing_ok=True)
                return
        time.sleep(0.1)


def execute(
    command: Sequence[str],
    *,
    log: Path | None = None,
    note_seconds: Callable[[float], None] | None = None,
    held: Sequence[IO] = (),
) -> int:
    """Run a command to its end and return its exit code (128 + the signal, where one ended it).

    Ctrl-C reaches the command too, being in the same process group; it is waited for, so that it can finish what it
    has under way. With `log` all that it says goes there, and only lines that show its progress come here.
    `note_seconds` is called with the time spent, now and then and at the end. `held` stays open in the command too.
    """
    started = time.monotonic()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") if log is not None else nullcontext() as file:
        # A pipe for what is shown, so that the command blocks rather than a line is lost.
        pipes = {"stdout": file and subprocess.PIPE, "stderr": file and subprocess.STDOUT}
        process = subprocess.Popen(list(command), **pipes, pass_fds=[one.fileno() for one in held])
        signal.signal(signal.SIGINT, lambda *_: None)  # a handler, not SIG_IGN: the command was started before
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        reader = threading.Thread(target=_show_progress, args=(process.stdout, file), daemon=True)
        if file:
            reader.start()
        while True:
            try:
                code = process.wait(_NOTE_EVERY)
                break
            except subprocess.TimeoutExpired:
                if note_seconds:
                    note_seconds(time.monotonic() - started)
        if file:
            reader.join(timeout=10)  # a grandchild that outlives the command may hold the pipe open
    if note_seconds:
        note_seconds(time.monotonic() - started)
    return code if code >= 0 else 128 - code


def _show_progress(said: IO[bytes], log: IO[bytes]) -> None:
    """Copies what a command says to its log, and the lines of ESPnet's that a person waits for to the screen."""
    for line in said:
        log.write(line)
        log.flush()
        shown = _PROGRESS.search(line.decode("utf-8", "replace"))
        if shown:
            print(f"  {shown.group().strip()[:150]}", flush=True)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the command's exit code, 0 where there is nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--stage", required=True, help="number and name, for the line that is printed")
    parser.add_argument("--says", required=True, help="what the stage does, in one line")
    parser.add_argument("--stamp", required=True, type=Path, help="beside what the stage writes")
    parser.add_argument("--input", action="append", type=Path, default=[], help="file or folder the result depends on")
    parser.add_argument("--option", action="append", default=[], help="anything else that it depends on")
    parser.add_argument("--output", action="append", type=Path, default=[], help="must be there when the stage is done")
    parser.add_argument("--resumes", type=Path, help="folder in which the command goes on where it stopped")
    parser.add_argument("--fresh", type=Path, help="folder that is removed before the command, which fills it anew")
    parser.add_argument("--log", type=Path, help="gets all that the command says; only its progress is shown")
    parser.add_argument("--adopt", action="store_true", help="run nothing; take what lies there as finished")
    parser.add_argument("command", nargs="+", help="after --")
    args = parser.parse_args(arguments)
    state = state_hash(args.input, args.option)
    print(f"[{args.stage}] {args.says}", flush=True)
    if is_done(args.stamp, state, args.output):
        print(f"[{args.stage}] done already, and nothing it depends on has changed (to redo it, remove {args.stamp}).")
        return 0
    with alone(args.stage, args.stamp) as lock:
        if is_done(args.stamp, state, args.output):
            print(f"[{args.stage}] done meanwhile, by another run.")
            return 0
        if args.adopt:
            return adopt(args.stage, args.stamp, state, args.output, args.resumes)
        args.stamp.unlink(missing_ok=True)
        remove_half_written(args.stamp.parent)  # of a run that was killed: each has a name of its own, and no later one replaces it
        if args.fresh and args.fresh.exists():
            shutil.rmtree(args.fresh)
        return run_stage(args, state, lock)


def adopt(stage: str, stamp: Path, state: str, outputs: Sequence[Path], resumes: Path | None) -> int:
    """Stamp what lies there as made from the present inputs, on a person's word; what was noted of its making stays.

    Raises AvsrError where an output is missing.
    """
    missing = [path for path in outputs if not path.exists()]
    if missing:
        raise AvsrError(f"stage {stage} cannot be adopted: {missing[0]} is missing; run it without --adopt.")
    begun = read_note(resumes / _BEGUN) if resumes else {}
    write_note(stamp, begun | read_note(stamp) | {"state": state, "adopted": True})
    if resumes:
        write_note(resumes / _BEGUN, begun | {"state": state})
    print(f"[{stage}] adopted: what lies there counts as made from the present inputs.")
    return 0


def run_stage(args: argparse.Namespace, state: str, lock: IO) -> int:
    """Run the command, note the time it takes, and stamp it when it has ended well; returns its exit code."""
    spent = begin(args.resumes, state) if args.resumes else 0.0
    seconds = spent

    def note_seconds(now: float) -> None:
        nonlocal seconds
        seconds = spent + now
        if args.resumes and args.resumes.is_dir():
            write_note(args.resumes / _BEGUN, {"state": state, "seconds": round(seconds, 2)})

    code = execute(args.command, log=args.log, note_seconds=note_seconds, held=[lock])
    if code != 0:
        if args.log and code != INTERRUPTED:
            print(last_lines(args.log), file=sys.stderr)
        print(f"run.sh: stopped in stage {args.stage}; the reason is above.", file=sys.stderr)
        return code
    missing = [str(path) for path in args.output if not path.exists()]
    if missing:
        raise AvsrError(f"stage {args.stage} ended well but did not write {missing[0]}: this is a fault of the stage.")
    ended = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    machine = (args.resumes and noted_machine(args.resumes)) or describe_machine()  # a prefix such as srun takes the command elsewhere
    made = {"ended": ended, "machine": machine, "commit": describe_commit(), "command": args.command}
    write_note(args.stamp, {"state": state, "seconds": round(seconds, 2)} | made)
    return 0


if __name__ == "__main__":
    run_main(main)
