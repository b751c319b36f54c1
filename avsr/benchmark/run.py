"""Runs the benchmark: every stream once a corruption, every pair of streams once a cell, then the figures."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avsr.backends import Work, work_off
from avsr.benchmark.conditions import Cell, Conditions, Corruption, read_conditions
from avsr.benchmark.listen import VERSION, Plan, frame_counts, kept_path, listen, read_kept
from avsr.benchmark.materials import Materials
from avsr.benchmark.read import GREEDY, MODES, System, cell_path, read_cell
from avsr.decoding.search import DecodeOptions
from avsr.errors import AvsrError, ModelError
from avsr.tables import write_lines

CACHE = "cache"


@dataclass(frozen=True)
class Ran:
    """What a run has: the cells that were measured and those that were not, by reason; texts[cell's name][system] in the order
    of `utterances`, weights likewise (mean weight of the sound), and what decides all of it."""

    conditions: Conditions
    left_out: dict[str, list[str]]
    utterances: list[str]
    references: list[str]
    texts: dict[str, dict[str, list[str]]]
    weights: dict[str, dict[str, list[float]]]
    systems: tuple[System, ...]
    greedy: bool
    hashes: dict[str, Any]
    seconds: float


def run(
    model: Path,
    data: Path,
    conditions: Path,
    out: Path,
    *,
    noise: Path | None = None,
    baselines: Mapping[str, tuple[Path, str]] | None = None,
    limit: int | None = None,
    nj: int = 2,
    greedy: bool = True,
) -> Ran:
    """Measure; what an interrupted run has done is kept in out/cache, and a new condition computes only itself.

    Args:
        model: packed model; its modes audio, lip and av are measured, and every fixed weight (greedy search alone).
        data: data directory of the test.
        conditions: see `avsr.benchmark.conditions`.
        noise: folder of recordings; conditions whose recording it lacks are left out, and the result says so.
        baselines: by name, a packed model and the mode that it is read in.
        limit: so many utterances, of the speakers in turn.
        greedy: the best token of each frame, else each model's own search.

    Raises:
        AvsrError: something cannot be used; one sentence.
    """
    began = time.monotonic()
    table, materials = read_conditions(conditions), Materials(data, noise, limit)
    left_out: dict[str, list[str]] = {}
    for cell in table.cells:
        reason = materials.lacking(cell)
        if reason is not None:
            left_out.setdefault(reason, []).append(cell.name)
    for reason, cells in left_out.items():
        print(f"left out, for {reason}: {len(cells)} cells, {cells[0]} the first", file=sys.stderr)
    table = table.without(left_out)
    _check_modes(Path(model), baselines or {})
    models, options, systems = _systems(Path(model), baselines or {}, greedy)
    for path in models.values():
        _check_unheard(path, materials.hashes(table.recordings))
    hashes = _hashes(table, materials, models)
    plan = Plan(
        Path(data), noise, limit, table.seed, models, hashes["recordings"], Path(out) / CACHE / hashes["settings"][:16],
        _key([[asdict(system) for system in systems], {key: asdict(value) for key, value in options.items()}]), not greedy,
    )  # fmt: skip
    frame_counts(plan)
    _listen(table.cells, plan, nj)
    cells = Work("cells", read_cell, (plan, systems, options), plan.cache)
    _work(cells, list(table.cells), lambda cell: cell_path(plan, cell).exists(), nj)
    texts, weights = {}, {}
    for cell in table.cells:
        found = json.loads(cell_path(plan, cell).read_text(encoding="utf-8"))
        texts[cell.name], weights[cell.name] = found["texts"], found["weights"]
    hashes["mixtures"] = _write_manifest(table.cells, plan, Path(out))
    references = list(materials.texts.values())
    return Ran(
        table, left_out, materials.utterances, references, texts, weights, systems, greedy, hashes, time.monotonic() - began
    )


def _check_modes(model: Path, baselines: Mapping[str, tuple[Path, str]]) -> None:
    """ModelError where a model would be read from a stream that it was not trained on."""
    from avsr.decoding.packed import MODE_ALONE, read_streams

    needed = {"audio": {"sound"}, "lip": {"lips"}, "av": {"sound", "lips"}}
    named = {"the model": (model, "av"), **{f"baseline {name}": given for name, given in baselines.items()}}
    for name, (path, mode) in named.items():
        trained = read_streams(path)
        if not needed[mode] <= trained:
            can = MODE_ALONE[next(iter(trained))]
            advice = f"give it as a baseline, NAME={path.name}:{can}" if name == "the model" else f"measure it as {path.name}:{can}"
            raise ModelError(f"{path}: {name} was trained on {' and '.join(trained)} alone; {advice}.")


def _systems(
    model: Path, baselines: Mapping[str, tuple[Path, str]], greedy: bool
) -> tuple[dict[str, Path], dict[str, DecodeOptions], tuple[System, ...]]:
    """Models by a name that tells their bytes, how each is searched, and the table's columns."""
    named = {"model": (model, "av"), **baselines}
    keys = {name: f"{name}-{_sha256(path)[:12]}" for name, (path, _) in named.items()}
    models = {keys[name]: path for name, (path, _) in named.items()}
    options = {key: GREEDY if greedy else _own_options(path) for key, path in models.items()}
    systems = [System(mode, keys["model"], mode, fixed=greedy and mode == "av") for mode in MODES]
    systems += [System(name, keys[name], mode) for name, (_, mode) in baselines.items()]
    return models, options, tuple(systems)


def _listen(cells: Sequence[Cell], plan: Plan, nj: int) -> None:
    jobs: list[tuple[str, Corruption]] = []
    for cell in cells:
        jobs += [("sound", cell.sound), ("picture", cell.picture)]
    jobs = list(dict.fromkeys(jobs))

    def done(job: tuple[str, Corruption]) -> bool:
        return all(kept_path(plan, model, *job).exists() for model in plan.models)

    _work(Work("streams", listen, (plan,), plan.cache), jobs, done, nj)


def _work(work: Work, jobs: list, done: Callable[[Any], bool], nj: int) -> None:
    waiting = [job for job in jobs if not done(job)]
    failed = [(job, reason) for job, reason in work_off(work, waiting, nj=nj, kept=len(jobs) - len(waiting)) if reason]
    if failed:
        job, reason = failed[0]
        name = job.name if isinstance(job, Cell) else f"{job[0]} {job[1].kind}"
        raise AvsrError(f"{len(failed)} of {len(jobs)} {work.what} could not be measured; {name}: {reason}")


def _own_options(path: Path):
    from avsr.decoding.packed import read_meta
    from avsr.decoding.recognizer import packed_options

    return packed_options(read_meta(path), path)


def _check_unheard(path: Path, recordings: Mapping[str, str]) -> None:
    """ModelError where a model was trained on one of the noises that it would be measured with."""
    from avsr.decoding.packed import read_meta

    trained = set(read_meta(path).get("noises") or ())
    heard = sorted(name for name, sha in recordings.items() if sha in trained)
    if heard:
        raise ModelError(f"{path}: was trained on the recording {heard[0]}, so it cannot be measured with it; use another one.")


def _hashes(table: Conditions, materials: Materials, models: Mapping[str, Path]) -> dict[str, Any]:
    """What decides the figures; `settings` of what decides every mixture, but for the recordings."""
    settings = {"version": VERSION, "seed": table.seed, "test": materials.hash(), "utterances": materials.utterances}
    return {
        "settings": _key(settings),
        "test": settings["test"],
        "recordings": materials.hashes(table.recordings),
        "models": {name: _sha256(path) for name, path in models.items()},
    }


def _write_manifest(cells: Sequence[Cell], plan: Plan, out: Path) -> str:
    """manifest.tsv: the sha256 of every mixture and clip that was recognised; its own hash is returned."""
    lines, done = ["cell\tstream\tutterance\tsha256"], set()
    model, utterances = next(iter(plan.models)), plan.materials().utterances
    for cell in cells:
        for stream, what in (("sound", cell.sound), ("picture", cell.picture)):
            if (stream, what) not in done:
                done.add((stream, what))
                for utt, sha in zip(utterances, read_kept(kept_path(plan, model, stream, what)).mixtures, strict=True):
                    lines.append(f"{cell.name}\t{stream}\t{utt}\t{sha}")
    write_lines(out / "manifest.tsv", lines)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _key(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise AvsrError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
