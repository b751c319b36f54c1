"""`avsr transcribe`: recognises files and writes captions, text and data named after each."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from avsr.decoding.bar import progress_bar
from avsr.decoding.checkpoint import Checkpoint, identity_of
from avsr.decoding.cues import cues_of, lines_of, name_of, parse_names
from avsr.decoding.default_model import find_model
from avsr.decoding.first_use import opening_words
from avsr.decoding.time_left import TimeLeft
from avsr.ears.ear import NATIVE
from avsr.errors import AvsrError

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer
    from avsr.decoding.result import Result
    from avsr.media.probe import MediaInfo

FORMATS = ("srt", "vtt", "ass", "txt", "json")
USUAL = ("srt", "vtt", "txt", "json")
FAILED = "failed.tsv"
_HEADER = "path\treason"
_CAPTIONED = ".captioned"
_MARK = "avsr transcribe"  # in our .json, so that nobody else's file is written over
_NAMES = {"av": "sound and lips", "audio": "sound alone", "lip": "lips alone"}


@dataclass(frozen=True)
class _Wanted:
    """What is asked for; AvsrError for what there is not."""

    mode: str
    mouth_only: bool
    formats: tuple[str, ...]
    profile: str
    burn: bool
    names: dict[int, str]
    mark_streams: bool

    def __post_init__(self) -> None:
        from avsr.media.captions import PROFILES

        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            raise AvsrError(f"format {', '.join(unknown) or 'none'}: it can be {', '.join(FORMATS)}.")
        if self.profile not in PROFILES:
            raise AvsrError(f"caption profile {self.profile}: it can be {' or '.join(PROFILES)}.")

    @property
    def look(self) -> dict[str, Any]:
        """How captions look: for `cues_of` and `write_result`."""
        return {"profile": self.profile, "names": self.names, "mark_streams": self.mark_streams}


def transcribe_files(
    videos: list[Path],
    *,
    model: Path | None,
    mode: str,
    out: Path | None,
    lm: Path | None = None,
    lm_weight: float | None = None,
    bias: Path | None = None,
    mouth_only: bool = False,
    formats: Sequence[str] = USUAL,
    profile: str = "sdh",
    ear: str = "native",
    burn: bool = False,
    faces: int = 1,
    names: Sequence[str] = (),
    mark_streams: bool = False,
) -> int:
    """Recognise `videos` one after another; write files in `formats` (of FORMATS; the .json, by which our files are known, is
    always among them) into `out`, or beside each video.

    Of several, those that cannot be used are listed in failed.tsv (path, reason) in the folder their files would be in,
    and the others are done. Progress and a line a video go to stderr. `lm`, `lm_weight`, `bias`: see
    `avsr.decoding.expected.expect`. `mouth_only`: the videos show nothing but a mouth. `profile`: the captions', see
    `avsr.media.captions.PROFILES`. `ear`: who listens, see `avsr.ears.ear.open_ear`. `burn`: also write a video
    with the captions in its pictures, see `avsr.media.burn_video`. `faces`: over 1, so many people at once are told apart, who are
    called as `names` ("1=민지") says. `mark_streams`: what came from the lips or the sound alone is marked, see `avsr.decoding.cues`.

    What was recognised before with the same settings is not recognised again, and an interrupted video is gone on with (see
    `avsr.decoding.checkpoint`).

    Returns:
        The exit code: 1 when any failed.

    Raises:
        AvsrError: a single video cannot be used, or nothing can be done for any (the model, the output folder).
    """
    wanted = _Wanted(mode, mouth_only, tuple(formats), profile, burn, parse_names(list(names)), mark_streams)
    targets = _targets([Path(video) for video in videos], out)
    if len(targets) == 1:
        _check(*targets[0], wanted)  # a wrong file need not wait for the model
    found = find_model() if model is None else None
    model = model or found
    settings = {"mode": mode, "mouth_only": mouth_only, "model": model, "lm": lm, "lm_weight": lm_weight, "bias": bias, "ear": ear}
    settings["faces"] = faces
    folder = Path(ear.partition(":")[2])
    if folder.is_dir() and folder.name:  # of an ear that is a folder, what is in it counts
        settings["ear_files"] = folder
    loaded: list[Recognizer] = []

    def recognizer() -> Recognizer:
        if not loaded:
            show("loading the model", None, 0.0)
            loaded.append(load_recognizer(model, ear, lm=lm, lm_weight=lm_weight, bias=bias))
            for words in opening_words(loaded[0].packed.meta, found):
                show.say(words)
        return loaded[0]

    failed: list[tuple[Path, Path, str]] = []
    with progress_bar() as show:
        for number, (video, target) in enumerate(targets, 1):
            count = f"{number}/{len(targets)} " if len(targets) > 1 else ""
            try:
                shown = lambda doing, *done: show(f"{count}{video.name}{doing}", *done)  # noqa: E731
                line = _transcribe(recognizer, video, target, wanted, settings, shown)
            except (AvsrError, OSError) as error:
                if len(targets) == 1:
                    raise
                reason = " ".join(str(error).split())
                failed.append((target.parent, video, reason))
                line = f"failed: {reason}"
            show.say(line)
    if len(targets) > 1:
        _write_failed({target.parent for _, target in targets}, failed)
    if failed:
        print(f"avsr: {len(failed)} of {len(targets)} videos failed; the reasons are in {FAILED}.", file=sys.stderr)
    return 1 if failed else 0


def load_recognizer(
    model: Path, ear: str, *, lm: Path | None = None, lm_weight: float | None = None, bias: Path | None = None
) -> Recognizer:
    """A packed model and an ear, with what is expected; the arguments are those of `transcribe_files`, and so are the errors."""
    from avsr.decoding.expected import expect
    from avsr.decoding.packed import load_packed
    from avsr.decoding.recognizer import Recognizer, packed_options
    from avsr.ears.ear import open_ear
    from avsr.runtime import limit_threads

    limit_threads()
    packed = load_packed(model)
    options, language = expect(packed, packed_options(packed.meta, model), lm=lm, lm_weight=lm_weight, bias=bias)
    return Recognizer(packed, options, language=language, ear=open_ear(ear))


def _transcribe(
    recognizer: Callable[[], Recognizer],
    video: Path,
    target: Path,
    wanted: _Wanted,
    settings: dict[str, Any],
    show: Callable[[str, float | None, float, TimeLeft], None],
) -> str:
    """One video, and the line to say about it."""
    began = time.perf_counter()
    info = _check(video, target, wanted)
    identity = identity_of(video, settings)
    result, burned = _finished(target, identity)
    before = result is not None
    if result is None:
        loaded = recognizer()
        time_left = TimeLeft(info.duration, guesses=settings["ear"] == NATIVE)
        told = lambda done: show("", time_left.total or None, done, time_left)  # noqa: E731
        looking = lambda done: show(": listening for speech", info.duration or None, done, time_left)  # noqa: E731
        told(0.0)
        target.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = Checkpoint(target.with_name(f".{target.name}.avsr-part"), identity)
        try:
            result = loaded.transcribe(
                video, wanted.mode, mouth_only=wanted.mouth_only, progress=told, time_left=time_left, looking=looking,
                checkpoint=checkpoint, faces=settings["faces"],
            )  # fmt: skip
        except AvsrError:
            checkpoint.remove()  # it would end so again
            raise
        finally:
            checkpoint.close()
        write_result(result, target, wanted.formats, identity=identity, **wanted.look)
        checkpoint.remove()
    else:
        result.path = video
        write_result(result, target, wanted.formats, identity=identity, burned=burned, **wanted.look)
    spent = time.perf_counter() - began
    why = f", because {result.reason}" if result.reason else ""
    notes = "" if result.segments else "; nothing was said in it"
    for stream in ("sound", "picture"):
        lost = sum(span.end - span.start for span in result.damaged[stream])
        notes += f"; {lost:.1f} s of its {stream} are damaged" if lost >= 0.05 else ""
    first, *others = [f".{name}" for name in FORMATS if name in wanted.formats or name == "json"]
    if wanted.burn:
        others.append(_burn(result, video, target, wanted, identity, burned, show))
    names = ", ".join([f"{target}{first}", *others])
    how = "recognised before" if before else f"in {spent:.1f} s"
    return f"{video.name}: {_NAMES[result.mode]}{why}; {result.duration:.1f} s {how}{notes} -> {names}"


def _burn(
    result: Result,
    video: Path,
    target: Path,
    wanted: _Wanted,
    identity: str,
    burned: dict[str, str],
    show: Callable[[str, float | None, float, TimeLeft], None],
) -> str:
    """Write the captioned video, unless `burned` says that it is there with the same captions; what its name has after the target's."""
    from avsr.media.burn_video import burn_video

    cues = cues_of(result, **wanted.look)
    captions = hashlib.sha256(repr(cues).encode()).hexdigest()
    if burned.get("captions") == captions and (target.parent / burned["file"]).exists():
        return burned["file"].removeprefix(target.name)
    time_left = TimeLeft(result.duration, recognises=False)

    def told(done: float) -> None:
        time_left.read(done)
        show(": captions into the picture", result.duration, done, time_left)

    path = burn_video(video, cues, _named(target, _CAPTIONED), told)
    burned = {"file": path.name, "captions": captions}
    write_result(result, target, ("json",), identity=identity, burned=burned, **wanted.look)
    return path.name.removeprefix(target.name)


def _finished(target: Path, identity: str) -> tuple[Result | None, dict[str, str]]:
    """What an earlier run with the same settings has written of the same video, and which captioned video."""
    from avsr.decoding.result import result_from

    try:
        value = json.loads(_named(target, ".json").read_bytes())
        return (result_from(value), value["burned"]) if value["identity"] == identity else (None, {})
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}


def _check(video: Path, target: Path, wanted: _Wanted) -> MediaInfo:
    """What the video's header says; AvsrError where it cannot be used in this mode or `target` be written."""
    from avsr.decoding.streams import open_streams

    _refuse_foreign(target)
    info = open_streams(video, wanted.mode).info
    if wanted.burn and info.video is None:
        raise AvsrError(f"{video}: holds no picture to draw captions into; leave out --burn.")
    return info


def write_result(
    result: Result,
    target: Path,
    formats: Sequence[str] = USUAL,
    profile: str = "sdh",
    *,
    identity: str = "",
    names: Mapping[int, str] = MappingProxyType({}),
    mark_streams: bool = False,
    burned: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write `target` + .srt, .vtt, .ass, .txt (a line a segment), as asked for, and .json (everything), each whole or not at
    all.

    The folder is made where there is none. `profile`: see avsr.media.captions.PROFILES. `identity`: see
    avsr.decoding.checkpoint.identity_of. `names`: of speakers by number. `mark_streams`: see avsr.decoding.cues. `burned`: the
    captioned video's file, and a hash of its captions.
    """
    from avsr.media.captions import write_ass, write_json, write_srt, write_txt, write_vtt

    target.parent.mkdir(parents=True, exist_ok=True)
    cues = cues_of(result, profile, names, mark_streams)
    speakers = {str(number): name_of(number, names) for number in result.speakers}
    # The .json first: where it is there, the others are ours to write over.
    write_json(_named(target, ".json"), {"made_by": _MARK, "identity": identity, "burned": dict(burned), "speakers": speakers, **result.as_dict()})
    for name, write in (("srt", write_srt), ("vtt", write_vtt), ("ass", write_ass)):
        if name in formats:
            write(_named(target, f".{name}"), cues)
    if "txt" in formats:
        write_txt(_named(target, ".txt"), "\n".join(lines_of(result, names, mark_streams)))


def _named(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)  # not with_suffix: a stem may hold a dot


def _targets(videos: list[Path], out: Path | None) -> list[tuple[Path, Path]]:
    """(video, its files' path without suffix): its stem, or its whole name or a number more where two would meet."""
    if out is not None and out.exists() and not out.is_dir():
        raise AvsrError(f"{out}: is not a folder; give --out a folder to write into.")
    videos = [video for video in dict.fromkeys(videos) if not _is_captioned(video, out)]
    if not videos:
        raise AvsrError("all videos that are named were captioned by avsr already: name those that they were made from.")
    folders = {video: out if out is not None else video.parent for video in videos}
    stems = Counter((folders[video], video.stem) for video in videos)
    taken: set[Path] = set()
    targets = []
    for video in videos:
        name = video.stem if stems[folders[video], video.stem] == 1 else video.name
        target, number = folders[video] / name, 2
        while target in taken:
            target, number = folders[video] / f"{name}-{number}", number + 1
        taken.add(target)
        targets.append((video, target))
    return targets


def _is_captioned(video: Path, out: Path | None) -> bool:
    """Whether a video is one that --burn has made, which `*.mp4` names too."""
    source, captioned, _ = video.name.rpartition(f"{_CAPTIONED}.")
    if not captioned or not source:
        return False
    try:
        value = json.loads(_named((video.parent if out is None else out) / source, ".json").read_bytes())
        return isinstance(value, dict) and value.get("made_by") == _MARK and value["burned"].get("file") == video.name
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _refuse_foreign(target: Path) -> None:
    """AvsrError where a file that we would write is there and is not ours, such as a corpus's own label."""
    ours = (*FORMATS, *(f"{_CAPTIONED[1:]}.{kind}" for kind in ("mp4", "mkv")))
    there = [path for name in ours if (path := _named(target, f".{name}")).exists()]
    if not there:
        return
    try:
        value = json.loads(_named(target, ".json").read_bytes())
        ours = isinstance(value, dict) and value.get("made_by") == _MARK
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise AvsrError(f"{there[0]}: is there already and was not written by avsr; move it, or give --out another folder.")


def _write_failed(folders: set[Path], failed: list[tuple[Path, Path, str]]) -> None:
    """failed.tsv in each folder that has failures; that of an earlier run goes where there are none now."""
    from avsr.media.captions import write_text

    for folder in folders:
        rows = [f"{video}\t{reason}" for place, video, reason in failed if place == folder]
        path = folder / FAILED
        if rows:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(path, "\n".join([_HEADER, *rows]) + "\n")
        elif path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(f"{_HEADER}\n"):
            path.unlink()
