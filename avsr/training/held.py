"""Mouth clips of a whole data directory held in memory, and views of them drawn for training without touching a picture.

`avsr.training.on_card` has the pictures on a graphics card; the processes here only say which of them are shown, moved and lit how.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from avsr.corpora.labels import watched
from avsr.errors import LabelError
from avsr.large_tables import LargeTable, common_keys
from avsr.lips.crop import SIDE
from avsr.lips.mouth_clip import FPS, load_mouth_clip
from avsr.lips.mouth_shape import CHANNELS, load_mouth_shape
from avsr.model.avsr_model import IGNORE
from avsr.noise.picture_faults import DROPPED_SECONDS
from avsr.noise.spans import random_span, scattered_spans
from avsr.tables import as_number
from avsr.text.tokens import Tokenizer
from avsr.training.augment import Augmentation, WordTime, choose_piece, draw_holes, draw_look, tempo_frames
from avsr.training.data import frame_targets, read_align


@dataclass(frozen=True)
class HeldClips:
    """The clips of a data directory, one behind the other.

    names, texts, words: of each clip; words are empty where their times are not known.
    edges: (C + 1,) int64, the first picture of each clip and the end of the last.
    frames: (N, side, side) uint8. shapes: (N, 7) float16 of avsr.lips.mouth_shape, or None.
    """

    names: list[str]
    texts: list[str]
    words: list[list[WordTime]]
    edges: np.ndarray
    frames: np.ndarray
    shapes: np.ndarray | None


def hold_clips(directory: Path, *, side: int = SIDE, shapes: bool = True, nj: int = 1) -> HeldClips:
    """Read every clip of a data directory that has a text, `nj` at once; `side` below 96 makes the pictures smaller.

    LabelError where a table does not fit the clips.
    """
    tables = {name: LargeTable(directory / name) for name in ("video.scp", "text", "utt2dur")}
    with_shapes = shapes and (directory / "shape.scp").exists()
    if with_shapes:
        tables["shape.scp"] = LargeTable(directory / "shape.scp")
    names = list(common_keys([tables[name] for name in tables if name != "utt2dur"]))
    if not names:
        raise LabelError(f"{directory}: no clip has a text; run the crops and format stages again.")
    align = LargeTable(directory / "align") if (directory / "align").exists() else {}
    counts = [round((as_number(tables["utt2dur"].get(name, "")) or 0) * FPS) for name in names]
    edges = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    frames = np.empty((edges[-1], side, side), np.uint8)
    told = np.zeros((edges[-1], len(CHANNELS)), np.float16) if with_shapes else None
    wanted = [(tables["video.scp"][name], tables["shape.scp"][name] if with_shapes else None, side) for name in names]
    with ProcessPoolExecutor(nj) as pool:
        read = pool.map(_read, wanted, chunksize=16)
        for number in watched(range(len(wanted)), "reading clips"):
            clip, shape = next(read)
            first, stop = edges[number : number + 2]
            if len(clip) != stop - first or (shape is not None and len(shape) != len(clip)):
                raise LabelError(f"{directory}: {names[number]} has {len(clip)} pictures, and its tables say otherwise; make the crops again.")
            frames[first:stop] = clip
            if shape is not None:
                told[first:stop] = shape
    words = [read_align(align.get(name, "")) for name in names]
    return HeldClips(names, [tables["text"][name] for name in names], words, edges, frames, told)


def _read(wanted: tuple[str, str | None, int]) -> tuple[np.ndarray, np.ndarray | None]:
    import cv2

    path, shape, side = wanted
    frames = load_mouth_clip(path).frames
    if side != SIDE:
        frames = np.stack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames])
    return frames, None if shape is None else load_mouth_shape(shape)


@dataclass(frozen=True)
class View:
    """What is shown of a clip: its pictures by number (T,), the map (2, 3) from a place in what is shown to one in the clip, both
    counted from -1 to 1 as torch's affine_grid does, gamma, gain and offset of the light, the rectangle that is blanked (top, bottom, left, right in
    pixels of what is shown), and which pictures are lost, (T,): 1 black, 2 the clip's mean. text (L,), align (T,): token ids."""

    rows: np.ndarray
    warp: np.ndarray
    light: tuple[float, float, float]
    blank: tuple[int, int, int, int]
    lost: np.ndarray
    text: np.ndarray
    align: np.ndarray


def draw_view(clips: HeldClips, number: int, rng: np.random.Generator, config: Augmentation, tokenizer: Tokenizer) -> View:
    """A view of clip `number` as `AVSRPreprocessor` would draw it, with these exceptions: nothing stands before the mouth or is out of
    focus (`occluded` and `blurred` of the picture's faults leave it as it is)."""
    first, stop = (int(edge) for edge in clips.edges[number : number + 2])
    text, words, offset = clips.texts[number], clips.words[number], 0
    count = stop - first
    if words:
        offset, end, words = choose_piece(words, count, rng, config)
        text, count = " ".join(word for *_, word in words), min(end, count) - offset
    tokens = tokenizer.encode(text)
    factor = max(rng.uniform(*config.tempo), min(1.0, len(tokens) / (config.densest * count)))
    rows = tempo_frames(count, factor)
    lost = np.zeros(len(rows), np.uint8)
    fault = rng.choice(5, p=[getattr(config.picture, name) for name in ("clean", "frozen", "dropped", "occluded", "blurred")])
    if fault == 1:
        span = random_span(len(rows), rng.uniform(*config.picture.fraction), rng)
        rows[span] = rows[max(0, span.start - 1)]
    elif fault == 2:
        fraction = 1.0 if rng.random() < config.picture.whole else rng.uniform(*config.picture.fraction)
        for span in scattered_spans(len(rows), fraction, tuple(FPS * seconds for seconds in DROPPED_SECONDS), rng):
            lost[span] = 1
    look = draw_look(SIDE, rng, config)
    rectangle, stretches = draw_holes(len(rows), config.crop_size, rng, config)
    for stretch in stretches:
        lost[stretch] = 2
    sides = (rectangle[0].start, rectangle[0].stop, rectangle[1].start, rectangle[1].stop) if rectangle else (0, 0, 0, 0)
    spoken = [(a * factor, b * factor, tokenizer.encode(word)) for a, b, word in words]
    align = frame_targets(spoken, len(rows)) if words else np.full(len(rows), IGNORE, np.int64)
    light = (look.gamma, look.gain, look.offset)
    return View(first + offset + rows, _warp(look.matrix, look.flip, config.crop_size), light, sides, lost, np.array(tokens, np.int64), align)


def plain_view(clips: HeldClips, number: int, crop_size: int, text: Sequence[int]) -> View:
    """The clip as it is, its middle, and what is said in it."""
    rows = np.arange(*clips.edges[number : number + 2])
    matrix = np.array([[1.0, 0.0, -((SIDE - crop_size) // 2)], [0.0, 1.0, -((SIDE - crop_size) // 2)]])
    lost, unknown = np.zeros(len(rows), np.uint8), np.full(len(rows), IGNORE, np.int64)
    return View(rows, _warp(matrix, False, crop_size), (1.0, 1.0, 0.0), (0, 0, 0, 0), lost, np.array(text, np.int64), unknown)


def _warp(matrix: np.ndarray, flip: bool, size: int) -> np.ndarray:
    """OpenCV's map from clip to picture, turned round and in affine_grid's coordinates, where the clip's own resolution is no matter."""
    whole = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    shown = np.array([[size / 2 * (-1 if flip else 1), 0, (size - 1) / 2], [0, size / 2, (size - 1) / 2], [0, 0, 1]])
    clip = np.array([[2 / SIDE, 0, 1 / SIDE - 1], [0, 2 / SIDE, 1 / SIDE - 1], [0, 0, 1]])
    return (clip @ whole @ shown)[:2].astype(np.float32)


class Views(IterableDataset):
    """Batches of views without end, as many clips each as have `room` for their pictures and a gap behind each.

    A clip comes once an epoch. Which view of it depends on the seed and the epoch; which others are beside it on the number of loader
    processes too.
    """

    def __init__(self, clips: HeldClips, tokenizer: Tokenizer, config: Augmentation, *, seed: Sequence[int], room: int) -> None:
        self.edges, self.texts, self.words = clips.edges, clips.texts, clips.words  # not the pictures: they would go to each process
        self.tokenizer, self.config, self.seed, self.room = tokenizer, config, list(seed), room

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        info = get_worker_info()
        own, all_of_them = (info.id, info.num_workers) if info else (0, 1)
        held = HeldClips([], self.texts, self.words, self.edges, np.empty(0), None)
        batch, taken, epoch = [], 0, 0
        while True:
            for number in np.random.default_rng([*self.seed, epoch]).permutation(len(self.texts))[own::all_of_them]:
                view = draw_view(held, number, np.random.default_rng([*self.seed, epoch, number]), self.config, self.tokenizer)
                if batch and taken + len(view.rows) + 1 > self.room:
                    yield lay_together(batch)
                    batch, taken = [], 0
                batch.append(view)
                taken += len(view.rows) + 1
            epoch += 1


def lay_together(views: Sequence[View]) -> dict[str, torch.Tensor]:
    """A batch: rows, lost (M,) and lengths (B,), which say where a clip ends; warp (B, 2, 3), light (B, 3), blank (B, 4); text (B, L),
    text_lengths (B,) and align (B, T), filled up with IGNORE."""

    def filled(rows: list[np.ndarray]) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True, padding_value=IGNORE)

    return {
        "rows": torch.from_numpy(np.concatenate([view.rows for view in views])),
        "lost": torch.from_numpy(np.concatenate([view.lost for view in views])),
        "lengths": torch.tensor([len(view.rows) for view in views]),
        "warp": torch.from_numpy(np.stack([view.warp for view in views])),
        "light": torch.tensor([view.light for view in views], dtype=torch.float32),
        "blank": torch.tensor([view.blank for view in views]),
        "text": filled([view.text for view in views]),
        "text_lengths": torch.tensor([len(view.text) for view in views]),
        "align": filled([view.align for view in views]),
    }
