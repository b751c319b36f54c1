"""Live captions of a made meeting: how late they are, how much is taken back, how right they are, and how soon a dead stream is noticed.

    python -m benchmarks.live --work DIR [--sentences 12] [--voices 4] [--pause 2] [--model ZIP] [--ear native] [--seed 11] [--cpu]

Sentences of several made people in turn, pauses between them, are played through `LiveRecognizer` in real time; then again with the
microphone cut in the middle of a sentence, and with the camera covered. With --cpu the clock is the process's own work, all of it on
one processor, for a machine on which other work comes and goes: what is due while it works is given late, as it would be.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.decoding.live.agreement import erased_characters
from avsr.decoding.live.messages import Dropped, Final, Message, ModeSwitch, Partial
from avsr.decoding.live.recognizer import LiveRecognizer
from avsr.decoding.recognizer import Recognizer
from avsr.media.audio import SAMPLE_RATE
from avsr.media.captions import Word
from avsr.media.capture import FileSource
from avsr.media.play import Given, given_by
from avsr.media.probe import probe
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from avsr.text.normalize import normalize_scoring
from avsr.text.scores import cer
from benchmarks.made_meeting import meeting

_POLL = 0.05  # seconds

Change = Callable[[Given], Given]
Said = list[tuple[float, Message]]
"""When each message came, in media seconds, and what it was."""


class AtOnce(Executor):
    """Recognises where it is asked to, so that one clock counts everything."""

    def submit(self, work, /, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future


def unchanged(one: Given) -> Given:
    """Nothing is wrong."""
    return one


def fault(stream: str, start: float, end: float) -> Change:
    """The microphone gives nothing but zeros, or the camera black, from second to second."""

    def change(one: Given) -> Given:
        if stream == "camera" and one.picture is not None and start <= one.time < end:
            return replace(one, picture=np.zeros_like(one.picture))
        if stream == "microphone" and one.samples is not None:
            times = one.time + np.arange(len(one.samples)) / SAMPLE_RATE
            return replace(one, samples=np.where((times >= start) & (times < end), np.float32(0), one.samples))
        return one

    return change


def in_real_time(video: Path, recognizer: Recognizer, change: Change) -> Said:
    """All messages of a session that is as long as the video."""
    said: Said = []
    with LiveRecognizer(recognizer) as live:
        live.warm_up()
        source = FileSource(video)
        source.start(
            lambda at, samples: live.add_sound(at, change(Given(at, at, samples=samples)).samples),
            lambda at, image: live.add_picture(at, change(Given(at, at, picture=image)).picture),
        )
        while not source.over:
            messages = live.poll(source.now())
            said += [(source.now(), message) for message in messages]
            time.sleep(_POLL)
        said += [(source.now(), message) for message in live.finish()]
    return said


def by_own_work(video: Path, recognizer: Recognizer, change: Change) -> Said:
    """The same, on a clock that goes on with the process's own work, and else jumps to where something is due."""
    said: Said = []
    with LiveRecognizer(recognizer, executor=AtOnce(), clock=time.process_time) as live:
        live.warm_up()
        now, given = 0.0, given_by(video, probe(video))
        waiting = next(given, None)
        while waiting is not None:
            now = max(now, math.floor(now / _POLL + 1) * _POLL)
            while waiting is not None and waiting.due <= now:
                one = change(waiting)
                if one.picture is not None:
                    live.add_picture(one.time, one.picture)
                else:
                    live.add_sound(one.time, one.samples)
                waiting = next(given, None)
            began = time.process_time()
            messages = live.poll(now)
            now += time.process_time() - began
            said += [(now, message) for message in messages]
        began = time.process_time()
        messages = live.finish()
        said += [(now + time.process_time() - began, message) for message in messages]
    return said


@dataclass(frozen=True)
class Report:
    """Delays in seconds after the words were spoken, of those words that were shown right at all."""

    shown: list[float]
    committed: list[float]
    final: list[float]
    erased: float
    updates: int
    changed: int
    cer: float


def judged(said: Said, sentences: Sequence[Sequence[Word]]) -> Report:
    """What a session was like. `sentences`: the true words."""
    finals = [(at, message) for at, message in said if isinstance(message, Final)]
    partials = [(at, message) for at, message in said if isinstance(message, Partial)]
    shown, committed, late = [], [], []
    for words in sentences:
        segments = {one.segment for _, one in finals if one.start < words[-1].end and one.end > words[0].start}
        for word in words:
            first = [at for at, one in partials if one.segment in segments and at > word.start and _in(word, one.text)]
            final = [at for at, one in finals if one.segment in segments and _in(word, one.text)]
            sure = [at for at, one in partials if one.segment in segments and at > word.start and _in(word, one.committed)]
            if final:
                shown.append(min(first + final) - word.end)
                committed.append(min(sure + final) - word.end)
    every = [word for words in sentences for word in words]
    for at, one in finals:
        inside = [word.end for word in every if one.start <= (word.start + word.end) / 2 <= one.end]
        late += [at - max(inside)] if inside else []
    erased = changed = 0
    for _, final in finals:
        own = [one for _, one in partials if one.segment == final.segment]
        erased += erased_characters([one.text for one in own], final.text)
        promised = [*(one.committed for one in own), final.text]
        changed += sum(not after.startswith(before) for before, after in zip(promised, promised[1:]))
    length = sum(len(final.text) for _, final in finals)
    text = " ".join(final.text for _, final in sorted(finals, key=lambda one: one[1].start))
    times = [at for at, _ in partials]
    updates = max((sum(at <= other < at + 1 for other in times) for at in times), default=0)
    return Report(shown, committed, late, erased / max(length, 1), updates, changed, rate(sentences, text))


def _in(word: Word, text: str) -> bool:
    return word.text in text.replace(" ", "")


def rate(sentences: Sequence[Sequence[Word]], text: str) -> float:
    """CER in percent."""
    return cer(normalize_scoring(" ".join(word.text for words in sentences for word in words)), normalize_scoring(text)).rate


def switch_after(said: Said, mode: str, second: float) -> tuple[float, float] | None:
    """After how many seconds of media, and of the clock, the mode switched to `mode` after a media second; None where it never did."""
    found = [(message.time - second, at - second) for at, message in said if isinstance(message, ModeSwitch) and message.mode == mode and at > second]
    return min(found, default=None)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the videos")
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--voices", type=int, default=4)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between sentences, beside the 0.4 to 1 that they have (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--ear", default="native", help="who listens (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--cpu", action="store_true", help="count the process's own work on one processor, not the clock")
    args = parser.parse_args(arguments)
    from avsr.decoding.transcribe import load_recognizer

    model = args.model or find_model()
    video, sentences = meeting(args.work, args.sentences, args.voices, args.seed, args.pause)
    recognizer, play = load_recognizer(model, args.ear), by_own_work if args.cpu else in_real_time
    said = play(video, recognizer, unchanged)
    found, file = judged(said, sentences), rate(sentences, recognizer.transcribe(video).text)
    dropped = [one for _, one in said if isinstance(one, Dropped)]
    rows = [
        ("a word is shown after it was spoken, p50 / p95", f"{_at(found.shown, 50)} / {_at(found.shown, 95)} s", "1.5 s / -"),
        ("a word is committed, p50 / p95", f"{_at(found.committed, 50)} / {_at(found.committed, 95)} s", "-"),
        ("a final after its last word was spoken, p50 / p95", f"{_at(found.final, 50)} / {_at(found.final, 95)} s", "- / 3 s"),
        ("characters erased to final ones", f"{found.erased:.3f}", "0.2"),
        ("updates in a second, at the most", str(found.updates), "5"),
        ("times that committed text changed", str(found.changed), "0"),
        ("CER live, of the file, ratio", f"{found.cer:.2f} %, {file:.2f} %, {found.cer / max(file, 1e-9):.2f}", "1.15"),
        ("dropped: sound, pictures", f"{sum(one.sound for one in dropped):.1f} s, {sum(one.pictures for one in dropped):.1f} s", "-"),
    ]
    print("| | measured | bar |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    for stream, mode in (("microphone", "lip"), ("camera", "audio")):
        words = sentences[len(sentences) // 2]
        start = (words[0].start + words[-1].end) / 2
        said = play(video, recognizer, fault(stream, start, words[-1].end + 0.3))
        after = switch_after(said, mode, start)
        told = "never" if after is None else f"{after[0]:.2f} s of media, {after[1]:.2f} s of the clock"
        print(f"| {stream} gone in the middle of a sentence: mode {mode} after | {told}; CER {judged(said, sentences).cer:.2f} % | 0.5 s |", flush=True)
    load = f"load {os.getloadavg()[0]:.1f}"
    kind = "seconds of one processor's work" if args.cpu else "seconds of the clock"
    count = sum(map(len, sentences))
    print(f"\n{model.name}, ear {args.ear}; {len(sentences)} sentences, {count} words, pauses of {args.pause:g} s, {len(found.shown)} of them right; {kind}; {load}; "
          f"seed {args.seed}; commit {describe_commit()}; {describe_machine()}")
    return 0


def _at(values: Sequence[float], percent: float) -> str:
    return f"{np.percentile(values, percent):.2f}" if len(values) else "none"


if __name__ == "__main__":
    run_main(main)
