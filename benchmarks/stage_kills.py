"""A recipe that `kill -9` ends again and again, and that is run again until it is through, against the same recipe left alone: every file.

    python -m benchmarks.stage_kills --work DIR [--recipe olkavs] [--kills 24] [--seed 1] [--stages 1-9]

The recipe runs on a corpus in miniature, the tests' own: olkavs from AI-Hub's archives, lipnet_ko from clips that are cropped, mini_ko
from shipped voices. Half of the kills come at a moment of a stage's time, half right before one of its writes
(`benchmarks.kill_at_write`). Both are drawn by seed, the stages have about as many each, and each kill takes the whole process group.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.stages.machine import describe_commit, describe_machine, describe_versions
from benchmarks.kill_at_write import AT, RECORD, TRACE, UNDER
from benchmarks.same_files import Difference, compare, count

ROOT = Path(__file__).resolve().parents[1]
STAGES = "data crops format filter tokens statistics train fuse lm pack decode score".split()
EPOCHS = 3  # so that there are an earlier checkpoint, a best epoch and weights that are removed
_TICK = 0.01  # seconds between two looks at what a run says
_STAGE = re.compile(r"^\[(\d+) \w+\]", re.M)


@dataclass(frozen=True)
class Span:
    """A stage of the run that was left alone: begin and end in seconds since its start, and how many writes there were."""

    stage: int
    begin: float
    end: float
    writes: int


@dataclass(frozen=True)
class Kill:
    """stage: number; after: seconds since it said that it began, or None; write: number of the run's writes before which it comes, or None."""

    stage: int
    after: float | None = None
    write: int | None = None

    def __str__(self) -> str:
        return f"{self.after:.2f} s into it" if self.after is not None else f"before write {self.write}"


def make_corpus(recipe: str, folder: Path) -> Path:
    """The miniature that the tests of the recipe run on."""
    if recipe == "olkavs":
        from tests.corpora.aihub538_miniature import make_miniature

        return make_miniature().write(folder)
    if recipe == "mini_ko":
        folder.write_text("--utterances 12 --speakers 4\n", "utf-8")
        return folder
    from tests.stages.conftest import SYLLABLES, make_phrase

    for pair in list(itertools.permutations(SYLLABLES, 2))[:28]:
        make_phrase(folder, "".join(pair))
    return folder


def run_arguments(recipe: str, work: Path) -> list[str]:
    """run.sh's, for the miniature below `work`: three epochs from shards, one mode decoded."""
    from tests.stages.conftest import TINY_TRAINING

    (work / "train.yaml").write_text(TINY_TRAINING.replace("max_epoch: 1", f"max_epoch: {EPOCHS}").replace("models: 1", "models: 2"), "utf-8")
    (work / "decode.yaml").write_text("beam_size: 1\nctc_weight: 1.0\n", "utf-8")
    given = ["--recipe", recipe, "--data", str(work / "corpus"), "--work", str(work / "run"), "--nj", "2", "--shards", "true"]
    given += {"olkavs": ["--data_args", "--boxes"], "lipnet_ko": ["--speech", "true"], "mini_ko": []}[recipe]
    return [*given, "--train_config", str(work / "train.yaml"), "--decode_config", str(work / "decode.yaml"), "--modes", "av"]


class Run:
    """run.sh in a process group of its own; what it says goes to a file, and its writes are counted."""

    def __init__(self, arguments: Sequence[str], work: Path, name: str, write: int = 0) -> None:
        hook = work / "hook" / "sitecustomize.py"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("from benchmarks.kill_at_write import install\n\ninstall()\n", "utf-8")
        paths = [str(hook.parent), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.log, self.trace = work / "said" / f"{name}.log", work / "said" / f"{name}.writes"
        self.log.parent.mkdir(exist_ok=True)
        watched = {UNDER: str(work / "run"), TRACE: str(self.trace), AT: str(write), "PYTHONPATH": os.pathsep.join(paths)}
        self.trace.write_bytes(b"")
        with open(self.log, "wb") as said:
            command = [str(ROOT / "run.sh"), *arguments]
            self.process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=os.environ | watched, start_new_session=True)
        self.began = time.monotonic()

    def stage(self) -> int:
        """The stage that it is in, 0 before the first."""
        return max(map(int, _STAGE.findall(self.log.read_text("utf-8", "replace"))), default=0)

    def writes(self) -> int:
        """Writes below the folder until now."""
        return self.trace.stat().st_size // RECORD

    def last_write(self) -> str:
        """The write that was about to be done last."""
        lines = self.trace.read_text("utf-8", "replace").splitlines()
        return " ".join(lines[-1].split()[1:]) if lines else "nothing"

    def ended(self) -> bool:
        """Whether it is over; SystemExit with its last words where it failed."""
        code = self.process.poll()
        if code is not None and code not in (0, -signal.SIGKILL):
            last = self.log.read_text("utf-8", "replace").splitlines()[-15:]
            raise SystemExit("\n".join([*last, f"stage_kills: run.sh ended with {code}; all it said: {self.log}"]))
        return code is not None

    def kill(self) -> None:
        """SIGKILL to all of its processes; they are gone afterwards."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        while _alive(self.process.pid):
            time.sleep(_TICK)


def _alive(group: int) -> bool:
    """Whether a process of the group is there that is not waiting to be buried."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            return True
    return False


def run_alone(arguments: Sequence[str], work: Path) -> list[Span]:
    """Run to the end; what each stage took."""
    run, seen = Run(arguments, work, "alone"), [(0, 0.0, 0)]
    while not run.ended():
        if (stage := run.stage()) != seen[-1][0]:
            seen.append((stage, time.monotonic() - run.began, run.writes()))
            print(f"  stage {stage} {STAGES[stage - 1]}, {seen[-1][1]:.0f} s", flush=True)
        time.sleep(_TICK)
    seen.append((len(STAGES) + 1, time.monotonic() - run.began, run.writes()))
    return [Span(stage, begin, end, after - before) for (stage, begin, before), (_, end, after) in itertools.pairwise(seen) if stage]


def draw_kills(spans: Sequence[Span], kills: int, seed: int, stages: range) -> list[Kill]:
    """In the order of the stages, which have about as many each; every other one at a write."""
    rng = np.random.default_rng(seed)
    hit = [span for span in spans if span.stage in stages]
    if len(hit) < len(stages) or kills < len(hit):
        raise SystemExit(f"--kills {kills}: give {len(stages)} or more, one for each of the stages, all of which have to be run.")
    drawn = []
    for number, span in enumerate(itertools.islice(itertools.cycle(hit), kills)):
        after, write = float(rng.uniform(0, span.end - span.begin)), int(rng.integers(1, max(2, span.writes + 1)))
        drawn.append(Kill(span.stage, after) if span.writes == 0 or number % 2 else Kill(span.stage, write=write))
    # Those at a write first: a kill late in a stage's time may find it done, and then it writes nothing any more.
    return sorted(drawn, key=lambda kill: (kill.stage, kill.write is None, kill.write or 0, kill.after or 0.0))


def run_killed(arguments: Sequence[str], work: Path, kills: Sequence[Kill]) -> Counter[int]:
    """Run, kill, run again, and to the end; how often each stage was hit."""
    hits: Counter[int] = Counter()
    for number, kill in enumerate(kills, 1):
        run, due = Run(arguments, work, f"killed-{number:03d}", kill.write or 0), None
        while not run.ended():
            if kill.after is not None and due is None and run.stage() >= kill.stage:
                due = time.monotonic() + kill.after
            # A stage that resumes is through before its time, and has fewer writes left: then the next one is hit, as it begins.
            if due is not None and time.monotonic() >= due or run.stage() > kill.stage:
                break
            time.sleep(_TICK)
        through = run.process.poll() == 0
        run.kill()
        stage = run.stage()
        hits[stage] += not through
        where = "came too late: all was done" if through else f"killed in stage {stage} {STAGES[stage - 1]}, about to: {run.last_write()}"
        print(f"  {number} of {len(kills)}: stage {kill.stage}, {kill}: {where}", flush=True)
    run = Run(arguments, work, "to-the-end")
    while not run.ended():
        time.sleep(_TICK)
    return hits


def print_table(hits: Counter[int], differences: Sequence[Difference], files: int) -> None:
    """Kills and unexpected differences by stage, then each difference."""
    wrong = Counter(stage_of(difference.path) for difference in differences if not difference.expected)
    print("\n| stage | kills | differences |\n| --- | --- | --- |")
    for number, name in enumerate(STAGES, 1):
        print(f"| {number} {name} | {hits[number]} | {wrong[number]} |")
    expected = [difference for difference in differences if difference.expected]
    print(f"\n{files} files, {files - len(differences)} the same to the byte, {len(expected)} differ as any two runs do, {wrong.total()} otherwise")
    for difference in sorted(differences, key=lambda one: (one.expected, one.path)):
        print(f"  {'expected' if difference.expected else 'DIFFERS '}  {difference.path}: {difference.what}")


def stage_of(path: str) -> int:
    """The stage that writes a file, by where it lies below the work folder."""
    places = (
        (r"data/", 1), (r"dump/\w+/crops/", 2), (r"dump/\w+/formatted/", 3), (r"dump/\w+/tokens/", 5), (r"dump/\w+/shards/", 7), (r"dump/", 4),
        (r"exp/\w+/avsr_stats/", 6), (r"exp/\w+/avsr/\.?fuse", 8), (r"exp/\w+/avsr", 7), (r"exp/\w+/\.?lm", 9), (r"exp/\w+/decode", 11),
        (r"exp/\w+/(\.score|RESULTS)", 12),
    )  # fmt: skip
    return next((stage for place, stage in places if re.match(place, path)), 10)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns how many files differ that should not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for both runs, which must be new or empty")
    parser.add_argument("--recipe", choices=("olkavs", "lipnet_ko", "mini_ko"), default="olkavs", help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    parser.add_argument("--stages", default="1-9", help="FIRST-LAST, which are killed (default: %(default)s)")
    options = parser.parse_args(arguments)
    named = re.fullmatch(r"(\d+)-(\d+)", options.stages)
    stages = range(int(named[1]), int(named[2]) + 1) if named else range(0)
    if not stages or not 1 <= stages[0] <= stages[-1] <= len(STAGES):
        raise SystemExit(f"--stages {options.stages}: give two numbers from 1 to {len(STAGES)}, such as 1-9.")
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()):
        raise SystemExit(f"--work {work}: is not empty; give a new folder.")
    make_corpus(options.recipe, work / "corpus")
    given = run_arguments(options.recipe, work)
    print(f"{options.recipe}, seed {options.seed}; {describe_machine()}; {describe_versions()}; commit {describe_commit()}\nleft alone:", flush=True)
    spans = run_alone(given, work)
    shutil.move(work / "run", work / "alone")  # both run in one place, as tables hold absolute paths
    kills = draw_kills(spans, options.kills, options.seed, stages)
    print(f"killed (left alone it took {spans[-1].end:.0f} s):", flush=True)
    hits = run_killed(given, work, kills)
    differences = compare(work / "alone", work / "run")
    print_table(hits, differences, count(work / "alone"))
    return sum(not difference.expected for difference in differences)


if __name__ == "__main__":
    sys.exit(min(1, main()))
