"""The `avsr` command: reads the command line, calls one function of a room, and turns errors into sentences."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

# Nothing heavier may be imported here: `avsr --help` has half a second (tests/test_cli.py holds it to that).
from avsr import __version__
from avsr.choices import Backend, Domain, Layout, LmKind, Mode, OnBackend, Profile, RayAddress, Search, Transport
from avsr.errors import AvsrError, disk_sentence

app = typer.Typer(
    name="avsr",
    help="Audio-visual speech recognition: a video goes in, Korean text comes out.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: rich panels would triple the time to the first word.
    rich_markup_mode=None,
    # A bug should show Python's own traceback; everything a person can mend is an AvsrError, one sentence.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"avsr {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Audio-visual speech recognition: a video goes in, Korean text comes out."""


@app.command(short_help="Write captions and text of what is said in videos.")
def transcribe(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO", help="Video or sound files.")],
    model: Annotated[
        Optional[Path],
        typer.Option(help="Packed model to use.", show_default="$AVSR_MODEL, else the one trained last, else the shipped one"),
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="Sound and lips (av), one of them, or whichever serves the file best (auto).")
    ] = Mode.auto,
    out: Annotated[
        Optional[Path], typer.Option(metavar="DIR", help="Folder to write to.", show_default="beside each video")
    ] = None,
    lm: Annotated[
        Optional[Path], typer.Option(metavar="FILE", help="Language model of `avsr lm`.", show_default="the packed model's own")
    ] = None,
    lm_weight: Annotated[
        Optional[float], typer.Option("--lm_weight", help="What it counts, 0 to 10.", show_default="the packed model's")
    ] = None,
    bias: Annotated[
        Optional[Path], typer.Option(metavar="FILE", help="Names and words that will be said, one a line: they are likelier.")
    ] = None,
    mouth_only: Annotated[
        bool, typer.Option("--mouth-only", help="The videos already show only the mouth: do not look for a face.")
    ] = False,
    formats: Annotated[str, typer.Option(help="Of srt, vtt, ass, txt, json, with commas between; .json is always written.")] = (
        "srt,vtt,txt,json"
    ),
    profile: Annotated[
        Profile, typer.Option(help="Captions that are on for as long as it takes to read them: 14 characters a second, or 12.")
    ] = Profile.sdh,
    faces: Annotated[int, typer.Option(min=1, max=8, help="People who are told apart, at once in the picture.")] = 4,
    name: Annotated[
        Optional[list[str]], typer.Option(metavar="NUMBER=NAME", help="What a speaker is called, such as 1=민지; can be given again.")
    ] = None,
    mark_streams: Annotated[
        bool, typer.Option("--mark-streams", help="Mark captions and text that came from the lips alone [입술만], or the sound alone [소리만].")
    ] = False,
    burn: Annotated[
        bool, typer.Option("--burn", help="Also write NAME.captioned.mp4: the video with the captions in its pictures.")
    ] = False,
    ear: Annotated[
        str, typer.Option(help="Who listens: native, the packed model; or whisper:base, whisper:large-v3-turbo, whisper:FOLDER.")
    ] = "native",
) -> None:
    """Write what is said as captions (.srt, .vtt), text (.txt) and data (.json), named after each video."""
    from avsr.decoding.transcribe import transcribe_files

    options = {"lm": lm, "lm_weight": lm_weight, "bias": bias, "mouth_only": mouth_only}
    options |= {"formats": [name.strip() for name in formats.split(",")], "profile": profile.value}
    options |= {"ear": ear, "burn": burn, "faces": faces, "names": name or [], "mark_streams": mark_streams}
    raise typer.Exit(transcribe_files(videos, model=model, mode=mode.value, out=out, **options))


@app.command(short_help="Caption a camera and a microphone as people speak.")
def live(
    camera: Annotated[str, typer.Option(metavar="N|FILE", help="Number of this machine's camera, or a file that is played in its place.")],
    model: Annotated[Optional[Path], typer.Option(help="Packed model.", show_default="as for transcribe")] = None,
    ear: Annotated[str, typer.Option(help="Who listens, as for transcribe.")] = "native",
    mode: Annotated[
        Mode, typer.Option(help="Sound and lips (av), one of them, or what there is of them at each moment (auto).")
    ] = Mode.auto,
    out: Annotated[Optional[Path], typer.Option(metavar="DIR", help="Folder to leave captions in (.srt, .vtt, .txt, .json).")] = None,
) -> None:
    """Show in the terminal what is said, while it is said: what is bright stays, what is dim may change; Ctrl-C ends it."""
    from avsr.decoding.live.terminal import caption_live

    raise typer.Exit(caption_live(camera, model=model, ear=ear, mode=mode.value, out=out))


@app.command(short_help="Train a language model on text, for transcribe --lm.")
def lm(
    text: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Text, a sentence a line, or a data directory's `text`; can be given again.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The language model, for example names.lm.")],
    model: Annotated[
        Optional[Path], typer.Option(help="Packed model that it is for.", show_default="as for transcribe")
    ] = None,
    kind: Annotated[LmKind, typer.Option(help="In seconds (ngram), or an LSTM in minutes (neural).")] = LmKind.ngram,
    order: Annotated[
        Optional[int], typer.Option(help="Tokens of the longest n-gram, 2 to 12.", show_default="8 for jamo, else 4")
    ] = None,
    prune: Annotated[
        Optional[float], typer.Option(min=0, help="Leave out n-grams that the text loses less than so many nats by.", show_default="0")
    ] = None,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Of the LSTM, at most.", show_default="30")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the LSTM.")] = 1,
    test: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Other text, to tell the perplexity of.")] = None,
) -> None:
    """Train a language model in the tokens of a packed model, and say how well it foretells a text."""
    from avsr.decoding.default_model import find_model
    from avsr.decoding.packed import read_tokenizer
    from avsr.language.train import train_lm

    options = {"kind": kind.value, "order": order, "prune": prune, "epochs": epochs, "seed": seed, "test": test}
    print(train_lm(text, read_tokenizer(model or find_model()), out, **options))


@app.command(short_help="Teach a model on clips of one person.")
def adapt(
    clips: Annotated[
        Path, typer.Option(metavar="DIR", help="Videos, each beside NAME.txt with what is said; or a table, or LipNet's layout.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The new packed model, for example me.zip.")],
    model: Annotated[Optional[Path], typer.Option(help="Packed model to begin with.", show_default="as for transcribe")] = None,
    steps: Annotated[int, typer.Option(help="Batches of 8 clips.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same model.")] = 1,
) -> None:
    """Teach a packed model for some minutes on clips of one person; written where it reads a fifth of them, held out, better."""
    from avsr.decoding.default_model import find_model
    from avsr.training.adapt import adapt_model

    print(adapt_model(model or find_model(), clips, out, steps=steps, seed=seed))


@app.command(short_help="Show where on the mouth, and when, the lips' reader looked.")
def explain(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video of a speaker.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the pictures.")],
    model: Annotated[Optional[Path], typer.Option(help="Packed model.", show_default="as for transcribe")] = None,
    start: Annotated[float, typer.Option(help="Second to begin at.")] = 0.0,
    seconds: Annotated[float, typer.Option(help="How much to look at, up to 30.")] = 20.0,
) -> None:
    """Read the lips and show for each word which pixels of which pictures it was read from: a strip and a small video."""
    from avsr.decoding.explain import explain_file

    print(explain_file(video, out, model=model, start=start, seconds=seconds))


@app.command(short_help="Cut mouth clips out of a folder of videos.")
def crop(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of videos, searched with its subfolders.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the mouth clips and lists to.")],
    nj: Annotated[int, typer.Option(min=1, help="Videos worked on at once.", show_default="one a core")] = (
        os.cpu_count() or 1
    ),
    mouth_only: Annotated[
        bool, typer.Option("--mouth-only", help="The videos already show only the mouth: do not look for a face.")
    ] = False,
    backend: OnBackend = Backend.local,
    ray_address: RayAddress = None,
) -> None:
    """Cut 96x96 mouth clips out of a folder of videos; goes on where it stopped, and lists failures in failed.tsv."""
    from avsr.backends import open_backend
    from avsr.lips.folder import crop_folder

    with open_backend(backend.value, ray_address, nj=nj, out=out) as where:
        print(crop_folder(folder, out, nj=nj, mouth_only=mouth_only, backend=where))


@app.command(short_help="Make a Korean corpus of talking heads.")
def synth(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make the corpus in.")],
    utterances: Annotated[int, typer.Option(help="How many, in train, dev and both tests together.")] = 300,
    domain: Annotated[Domain, typer.Option(help="Five-word commands of 60 words, or sentences of daily life.")] = (
        Domain.command
    ),
    speakers: Annotated[
        Optional[int], typer.Option(help="Voices.", show_default="the shipped ones for commands, else 12")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same corpus.")] = 1,
    text: Annotated[
        Optional[Path], typer.Option(metavar="FILE", help="Sentences to say, one a line, in the domain's place.")
    ] = None,
    full_face: Annotated[
        bool, typer.Option("--full-face", help="Whole faces with sound, not mouth clips and sound.")
    ] = False,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Mouth clips alone, to train a lip reader on: no voice, several times as fast.")
    ] = False,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="All for training, to be added to another corpus: no dev, no tests.")
    ] = False,
    layout: Annotated[
        Layout, typer.Option(help="Data directories of the recipes, or LipNet's video and align folders.")
    ] = Layout.data,
    nj: Annotated[int, typer.Option(min=1, help="Utterances made at once.", show_default="one a core")] = (
        os.cpu_count() or 1
    ),
    backend: OnBackend = Backend.local,
    ray_address: RayAddress = None,
) -> None:
    """Make Korean speech with true word times, spoken by a synthetic voice on drawn faces; goes on where it stopped.

    Commands are drawn from the voices that ship with this package; everything else is spoken first, which takes longer.
    """
    from avsr.backends import open_backend
    from avsr.corpora.talking_heads.corpus import Order
    from avsr.corpora.talking_heads.make import make_corpus

    order = Order(utterances, domain.value, speakers, seed, text, full_face, layout.value, no_sound, train_only)
    with open_backend(backend.value, ray_address, nj=nj, out=out) as where:
        print(make_corpus(order, out, nj=nj, backend=where))


@app.command(short_help="Measure a model in noise and with faults of sound and picture.")
def benchmark(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Data directory of a test: text, utt2spk, wav.scp, video.scp.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for RESULTS.md, results.json, manifest.tsv and plots.")],
    model: Annotated[
        Optional[Path], typer.Option(help="Packed model.", show_default="as for transcribe")
    ] = None,
    conditions: Annotated[
        Optional[Path], typer.Option(metavar="YAML", help="Table of conditions.", show_default="conf/benchmark_noisy.yaml")
    ] = None,
    noise: Annotated[
        Optional[Path], typer.Option(metavar="DIR", help="Noise recordings; conditions that want others are left out.")
    ] = None,
    baseline: Annotated[
        Optional[list[str]], typer.Option(metavar="NAME=ZIP[:MODE]", help="Another model beside it; can be given again.")
    ] = None,
    limit: Annotated[Optional[int], typer.Option(min=1, help="Utterances, of the speakers in turn.", show_default="all")] = None,
    search: Annotated[
        Search, typer.Option(help="The best token of each frame (greedy: fast, with fixed weights beside it), or the model's own.")
    ] = Search.greedy,
    nj: Annotated[int, typer.Option(min=1, help="Processes.", show_default="one a core")] = (os.cpu_count() or 1),
) -> None:
    """Corrupt a test in every way that the table of conditions names, recognise it from sound, lips and both, and say where
    the promises hold; goes on where it stopped, and a new condition costs only itself."""
    from avsr.benchmark.report import benchmark as measure
    from avsr.decoding.default_model import CHECKOUT
    from avsr.stages.machine import typed_command

    options = {"noise": noise, "limit": limit, "greedy": search is Search.greedy, "nj": nj}
    command = typed_command(["avsr", *sys.argv[1:]])
    table = conditions or CHECKOUT / "conf" / "benchmark_noisy.yaml"
    print(measure(model, data, table, out, baselines=baseline or [], command=command, **options))


@app.command(short_help="Caption videos in the browser: upload, watch, correct, download.")
def serve(
    data: Annotated[
        Optional[Path], typer.Option(metavar="DIR", help="Folder for uploads and results.", show_default="~/.local/share/avsr")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; one that others reach wants --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    token: Annotated[
        Optional[str], typer.Option(envvar="AVSR_TOKEN", help="What everybody must give who uses the server, 16 letters or more.")
    ] = None,
    model: Annotated[Optional[Path], typer.Option(help="Packed model.", show_default="as for transcribe")] = None,
    ear: Annotated[str, typer.Option(help="Who listens, as for transcribe.")] = "native",
    workers: Annotated[int, typer.Option(min=1, help="Videos worked on at once.")] = 1,
    backend: OnBackend = Backend.local,
    ray_address: RayAddress = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Megabytes a video may have.")] = 2048,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Minutes a video may last.")] = 240.0,
    max_waiting: Annotated[int, typer.Option(min=1, help="Videos that may wait; more are refused for the time being.")] = 32,
    keep_hours: Annotated[float, typer.Option(min=0.01, help="Hours after which a video and its captions are deleted.")] = 24.0,
    tls_cert: Annotated[Optional[Path], typer.Option(metavar="PEM", help="Certificate: speak HTTPS, without which browsers lend no camera.")] = None,
    tls_key: Annotated[Optional[Path], typer.Option(metavar="PEM", help="Its key.")] = None,
) -> None:
    """Serve a page on which videos are captioned, rooms with live captions at /live, and OpenAI's endpoint /v1/audio/transcriptions."""
    from avsr.app.server import serve as run
    from avsr.app.settings import Settings, data_folder

    limits = {"max_bytes": max_mb << 20, "max_seconds": 60 * max_minutes, "max_waiting": max_waiting, "keep_hours": keep_hours}
    limits |= {"tls_cert": tls_cert, "tls_key": tls_key}
    where = {"backend": backend.value, "ray_address": ray_address}
    run(Settings(data or data_folder(), host, port, token, model, ear, workers, **limits, **where))


@app.command("live-client", short_help="Play a video in a room of avsr serve, as one of its people.")
def live_client(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Video or sound file.")],
    url: Annotated[str, typer.Option(help="Address of a room's page, http://HOST:PORT/live#ROOM; without #ROOM a new room is made.")],
    name: Annotated[str, typer.Option(help="What others see.")] = "live-client",
    token: Annotated[Optional[str], typer.Option(envvar="AVSR_TOKEN", help="The server's token, if it wants one.")] = None,
    transport: Annotated[Transport, typer.Option(help="How it is sent.")] = Transport.websocket,
) -> None:
    """Take part in a room with a file in the place of camera and microphone, in real time; print each partial and final line."""
    from avsr.app.live.client import play_file

    raise typer.Exit(play_file(file, url, name, token, by_webrtc=transport is Transport.webrtc))


@app.command(short_help="Say what this installation lacks, and the remedy.")
def doctor() -> None:
    """Name every missing or broken part of this installation, and how to mend it."""
    from avsr.doctor import examine, show

    raise typer.Exit(show(examine()))


def main() -> None:
    """Run the command line; whatever the person can mend ends in one sentence on stderr and exit code 1."""
    try:
        app(prog_name="avsr")
    except AvsrError as error:
        sys.exit(_fail(str(error)))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "avsr":
            raise  # our own module is missing: a bug, not an installation fault
        sys.exit(_fail(f"the Python package {error.name} is missing: run tools/install.sh (`avsr doctor` tells more)."))
    except OSError as error:
        sentence = disk_sentence(error)
        if sentence is None:
            raise
        sys.exit(_fail(sentence))


def _fail(sentence: str) -> int:
    print(f"avsr: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
