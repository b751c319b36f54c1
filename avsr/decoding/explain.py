"""`avsr explain`: pictures and a video of where a lip reader looked for each word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.decoding.saliency import Saliency, WordSaliency, saliency
from avsr.decoding.segment import SAMPLES
from avsr.decoding.streams import FPS
from avsr.errors import AvsrError, NoFaceError
from avsr.lips.crop import SIDE
from avsr.lips.mouth_clip import MouthClip
from avsr.media.captions import Cue

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer

LONGEST = 30.0  # seconds: 750 pictures of 384x384, 330 MB
_TIMES = 4  # the video's mouth is so much larger than the crop
_TILES = 9  # pictures of a word
_LABEL = 150  # pixels for the word
_COURSE = 22  # pixels of the curve below the pictures
_FULL = 0.75  # how far the colour covers the picture where most was seen


def explain_file(
    video: Path, out: Path, *, model: Path | None = None, start: float = 0.0, seconds: float = 20.0
) -> str:
    """Read `seconds` of the lips of `video` from `start` on and show where the reader looked.

    Writes into `out`: NAME.saliency.png, a row a word (the pictures around it, coloured where pixels counted, and below
    them how much each moment of the piece did, the word's own time marked); NAME.saliency.mp4, the mouth with all words' colours
    and the words as captions, with sound where there is some; NAME.saliency.json, for each word when (the centre and the
    spread of its course, s) and where (centre in pixels of the crop). A sentence on what was written.

    AvsrError: `out` is no folder, the span is no span of the video, or no word is read; NoFaceError: nobody is seen, or nobody speaks, in it.
    """
    from avsr.decoding.recognizer import Recognizer
    from avsr.runtime import limit_threads
    from avsr.lips.extract import extract_mouth_clips
    from avsr.media.probe import probe
    from avsr.processes import progress

    if not 0 < seconds <= LONGEST or start < 0:
        raise AvsrError(f"start {start:g}, seconds {seconds:g}: give a start of 0 or more, and up to {LONGEST:g} seconds.")
    if Path(out).exists() and not Path(out).is_dir():
        raise AvsrError(f"{out}: is not a folder; give --out a folder to write into.")
    duration = probe(video).duration
    if 0 < duration <= start:
        raise AvsrError(f"{video}: lasts {duration:.1f} s, so nothing begins at {start:g} s; give an earlier start.")
    limit_threads()
    recognizer = Recognizer.load(model or find_model())
    clip = extract_mouth_clips(video, start=start, end=start + seconds)[0]
    pieces = _pieces(clip)
    if not pieces:
        raise NoFaceError(f"{video}: nobody is seen to speak from {start:g} to {start + seconds:g} s; give another --start.")
    found = []
    with progress("pieces", len(pieces), 0) as advance:
        for piece in pieces:
            found.append((piece, saliency(recognizer, piece)))
            advance()
    words = [word for _, seen in found for word in seen.words]
    if not words:
        raise AvsrError(f"{video}: the model read no word there; give another --start.")
    target = Path(out) / video.stem
    _write_strip(found, target.with_name(f"{target.name}.saliency.png"))
    _write_video(video, clip, found, target.with_name(f"{target.name}.saliency.mp4"))
    _write_facts(recognizer, found, target.with_name(f"{target.name}.saliency.json"))
    return f"{video.name}: {len(words)} words, where they were seen: {target}.saliency.png, .mp4, .json"


def _pieces(clip: MouthClip) -> list[MouthClip]:
    from avsr.decoding.segment import speech_pieces
    from avsr.lips.speaking import speaking_probability

    parts = speech_pieces(None, clip.frames, speaking_probability(clip.frames, clip.confidence), None)
    return [
        MouthClip(clip.frames[p.first : p.stop], clip.confidence[p.first : p.stop], clip.start + p.first / FPS) for p in parts
    ]


def coloured(frames: np.ndarray, maps: np.ndarray, most: float) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB: grey frames (T, H, W) uint8, the hotter the more (T, H, W) maps say, up to `most`."""
    import cv2

    result = np.empty((*frames.shape, 3), np.uint8)
    for picture, seen, target in zip(frames, maps, result):
        share = np.clip(seen / max(most, 1e-12), 0.0, 1.0).astype(np.float32)
        heat = cv2.cvtColor(cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        cover = (_FULL * np.sqrt(share))[..., None]
        target[:] = (picture[..., None] * (1 - cover) + heat * cover + 0.5).astype(np.uint8)
    return result


def _row(piece: MouthClip, seen: WordSaliency) -> np.ndarray:
    """(118, 1014, 3) uint8: a word, its pictures, and the course over the piece."""
    chosen = np.linspace(0, len(seen.maps) - 1, _TILES).round().astype(int)
    frames = piece.frames[seen.first + chosen]
    tiles = coloured(frames, seen.maps[chosen], float(np.quantile(seen.maps, 0.995)))
    width = _LABEL + _TILES * SIDE
    row = np.full((SIDE + _COURSE, width, 3), 255, np.uint8)
    row[:SIDE, _LABEL:] = np.concatenate(list(tiles), axis=1)
    total = len(seen.course)
    heights = (seen.course / max(seen.course.max(), 1e-12) * (_COURSE - 4)).round().astype(int)
    edges = _LABEL + np.linspace(0, width - _LABEL, total + 1).round().astype(int)
    spoken = [round((time - piece.start) * FPS) for time in (seen.word.start, seen.word.end)]
    for frame in range(total):
        if spoken[0] <= frame < spoken[1]:
            row[SIDE:, edges[frame] : edges[frame + 1]] = (225, 235, 250)
        row[SIDE + _COURSE - heights[frame] :, edges[frame] : edges[frame + 1]] = (200, 90, 30)
    return row


def _write_strip(found: list[tuple[MouthClip, Saliency]], path: Path) -> None:
    from io import BytesIO

    from PIL import Image, ImageDraw

    from avsr.files import replace_file
    from avsr.media.burn import korean_font

    rows, labels = [], []
    for piece, seen in found:
        for word in seen.words:
            rows.append(_row(piece, word))
            labels.append((word.word.text, f"{word.word.start:.2f} – {word.word.end:.2f} s"))
    image = Image.fromarray(np.concatenate(rows))
    draw = ImageDraw.Draw(image)
    for number, (text, times) in enumerate(labels):
        top, size = number * (SIDE + _COURSE), 26
        while size > 9 and draw.textlength(text, font=korean_font(size)) > _LABEL - 12:
            size -= 1
        draw.text((8, top + 24), text, (20, 20, 20), font=korean_font(size))
        draw.text((8, top + 62), times, (110, 110, 110), font=korean_font(14))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def _write_video(video: Path, clip: MouthClip, found: list[tuple[MouthClip, Saliency]], path: Path) -> None:
    import cv2

    from avsr.media.audio import read_audio
    from avsr.media.burn import burn_captions
    from avsr.media.probe import probe
    from avsr.media.write import write_video

    total = np.zeros(clip.frames.shape, np.float32)
    cues = []
    for piece, seen in found:
        first = round((piece.start - clip.start) * FPS)
        total[first : first + len(seen.total)] += seen.total
        cues += [Cue(word.word.start - clip.start, word.word.end - clip.start, word.word.text) for word in seen.words]
    small = coloured(clip.frames, total, float(np.quantile(total, 0.998)))
    side = SIDE * _TIMES
    frames = np.empty((len(small), side, side, 3), np.uint8)
    for picture, target in zip(small, frames):
        cv2.resize(picture, (side, side), dst=target, interpolation=cv2.INTER_CUBIC)
    burn_captions(frames, FPS, cues)
    samples = None
    if probe(video).audio is not None:
        samples = read_audio(video, start=clip.start, end=clip.start + len(frames) / FPS)[0]
        samples = np.pad(samples, (0, max(0, len(frames) * SAMPLES - len(samples))))
    write_video(path, frames, FPS, samples)


def _write_facts(recognizer: Recognizer, found: list[tuple[MouthClip, Saliency]], path: Path) -> None:
    from avsr.files import replace_file

    rows = []
    for piece, seen in found:
        for word in seen.words:
            times = piece.start + np.arange(len(word.course)) / FPS
            when = float(word.course @ times)
            spread = float(np.sqrt(word.course @ (times - when) ** 2))
            share = word.maps.sum(0) / max(float(word.maps.sum()), 1e-12)
            where = [float((share.sum(axis) * np.arange(SIDE)).sum()) for axis in (0, 1)]
            rows.append(
                {
                    "text": word.word.text, "start": word.word.start, "end": word.word.end,
                    "seen_at": round(when, 3), "spread": round(spread, 3), "x": round(where[0], 1), "y": round(where[1], 1),
                }
            )  # fmt: skip
    facts = {"model": str(recognizer.packed.meta.get("name") or recognizer.packed.path.name), "words": rows}
    replace_file(path, json.dumps(facts, ensure_ascii=False, indent=1).encode())
