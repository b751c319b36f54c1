"""Cuts a long recording into pieces that a model can take: at pauses in the sound, or where the lips do not speak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLES = 640
"""Samples at 16 kHz in one 40 ms frame; all that follows counts in such frames."""

LONGEST = 300  # frames of a piece (12 s): about what training has seen
SCRAP = LONGEST // 10  # frames: what is cut off a piece is no shorter
SILENCE = 1e-3  # a peak below it (-60 dBFS) is a microphone that is switched off
_QUIETEST, _LOUD = -60.0, -35.0  # dBFS: below is never speech, above always may be
_ABOVE_FLOOR = 6.0  # dB over the background that may be speech
_FLOOR_BLOCK = 250  # frames; the background is measured over this and its two neighbours
MARGIN = 8  # frames kept around activity: soft onsets, and lips that move before the voice
CLICK = 3  # frames: shorter activity is a knock
GAP = 25  # frames: a shorter pause does not end a piece by itself
OFF = -80.0  # dBFS: no room is so quiet
_DEAD = 25  # frames below that in a row that mean a switched-off microphone, not a pause
VOICE = 0.5  # probability from which a sound is a voice
_SPEAKS, _GOES_ON = 0.95, 0.35  # probability at which lips begin to count as speaking, and at which they still do
SPEECH_COUNTS = 2.0  # a pause of the lips is a better place to cut than a still moment: this many times e in movement
_UTTERED = 8  # frames: lips that speak for less are a twitch


@dataclass(frozen=True)
class Piece:
    """Frames `first` up to, not including, `stop`."""

    first: int
    stop: int


def speech_pieces(
    samples: np.ndarray | None,
    frames: np.ndarray | None,
    speaking: np.ndarray | None,
    voice: np.ndarray | None,
    *,
    alone: bool = True,
) -> list[Piece]:
    """Where there may be speech, in pieces of at most LONGEST frames, in order.

    What counts is a voice over the background; where the sound is something else, or off for a second or more, or has nothing over
    its background at all, that the lips speak. What is no longer than one piece is not cut where it can be heard and one person is
    `alone` in it.

    Args:
        samples: (N,) float at 16 kHz, or None.
        frames: (T, 96, 96) uint8 mouth clip, or None.
        speaking: (T,) how likely each of its frames speaks (avsr.lips.speaking), 0 where no mouth is seen.
        voice: (ceil(N / 640),) how likely a voice is heard (avsr.media.voice_activity); None with no samples.
    """
    total = max(0 if samples is None else -(-len(samples) // SAMPLES), 0 if frames is None else len(frames))
    level = np.full(total, -90.0)
    if samples is not None and len(samples):
        measured = sound_level(samples)
        level[: len(measured)] = measured
    loud, heard = sound_activity(level), np.zeros(total, bool)
    if voice is not None:
        heard[: len(voice)] = voice > VOICE
    heard &= loud
    spoken, movement = np.zeros(total, bool), np.zeros(total)
    if frames is not None and speaking is not None and len(frames):
        spoken[: len(frames)] = lip_activity(speaking)
        movement[: len(frames)] = mouth_motion(frames) + SPEECH_COUNTS * speaking
    off = runs_of(level < OFF, _DEAD) if loud.any() else np.ones(total, bool)
    cost = np.where(off, movement, _standard(level))
    return cut(heard | ((loud | off) & spoken), cost, whole=alone and not off.all())


def lip_activity(speaking: np.ndarray) -> np.ndarray:
    """(T,) probability -> (T,) bool: from where it rises over one threshold to where it falls below a lower one, if that
    is long enough to say something."""
    active = np.zeros(len(speaking), bool)
    for first, stop in _ranges(speaking > _GOES_ON):
        if stop - first >= _UTTERED and speaking[first:stop].max() > _SPEAKS:
            active[first:stop] = True
    return active


def begun_before(speaking: np.ndarray, frame: int) -> int:
    """Where lips that may be speaking at `frame` of (T,) probabilities began to; `frame` itself where they do not."""
    first = min(frame, len(speaking))
    while first > 0 and speaking[first - 1] > _GOES_ON:
        first -= 1
    return first


def cut(active: np.ndarray, cost: np.ndarray, longest: int = LONGEST, *, whole: bool = True) -> list[Piece]:
    """Pieces of at most `longest` frames that hold all activity but knocks; a piece that is too long is cut where `cost`
    (T,), smoothed over 0.2 s, is least. With `whole`, what is no longer than one piece is one."""
    if not active.any():
        return []
    if whole and len(active) <= longest:
        return [Piece(0, len(active))]
    wide = np.convolve(active, np.ones(2 * MARGIN + 1))[MARGIN : MARGIN + len(active)] > 0.5
    pieces: list[Piece] = []
    for first, stop in _ranges(wide):
        if active[first:stop].sum() < CLICK:
            continue
        if pieces and first - pieces[-1].stop < GAP and stop - pieces[-1].first <= longest:
            pieces[-1] = Piece(pieces[-1].first, stop)
        else:
            pieces.append(Piece(first, stop))
    smooth = np.convolve(cost, np.ones(5) / 5)[2 : 2 + len(cost)]
    return [part for piece in pieces for part in _shorten(piece, smooth, longest)]


def _shorten(piece: Piece, cost: np.ndarray, longest: int) -> list[Piece]:
    parts, first = [], piece.first
    while piece.stop - first > longest:
        # Not in the first half, so that pieces do not become scraps; nor so late that a scrap is left over.
        low, high = first + longest // 2, min(first + longest, piece.stop - SCRAP)
        middle = low + int(np.argmin(cost[low:high]))
        parts.append(Piece(first, middle))
        first = middle
    return [*parts, Piece(first, piece.stop)]


def sound_level(samples: np.ndarray) -> np.ndarray:
    """(N,) samples to the level of each frame in dBFS, (ceil(N / 640),), -90 for digital silence."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % SAMPLES)).reshape(-1, SAMPLES)
    return 10 * np.log10((padded**2).mean(1) + 1e-9)


def sound_activity(level: np.ndarray) -> np.ndarray:
    """(T,) dBFS to (T,) bool: well over the background, which is the 10th percentile of some 30 s around.

    In the manner of minimum statistics (Martin, 2001). What is loud counts in any case: a speaker without pauses is
    his own background.
    """
    blocks = [level[i : i + _FLOOR_BLOCK] for i in range(0, len(level), _FLOOR_BLOCK)]
    floors = [np.percentile(np.concatenate(blocks[max(0, i - 1) : i + 2]), 10) for i in range(len(blocks))]
    floor = np.repeat(floors, [len(block) for block in blocks]) if blocks else np.zeros(0)
    return level > least_loud(floor)


def least_loud(floor: np.ndarray | float) -> np.ndarray:
    """The level in dBFS over which a sound may be speech, before a background of `floor` dBFS."""
    return np.clip(np.asarray(floor) + _ABOVE_FLOOR, _QUIETEST, _LOUD)


def mouth_motion(frames: np.ndarray) -> np.ndarray:
    """(T, 96, 96) uint8 to (T,): logarithm of the mean change since the frame before, at a quarter of the size."""
    small = frames[:, ::4, ::4].astype(np.int16)
    change = np.abs(np.diff(small, axis=0, prepend=small[:1])).mean((1, 2))
    return np.log(change + 0.1)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-6) if len(values) else values


def _ranges(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def runs_of(mask: np.ndarray, least: int) -> np.ndarray:
    """`mask`, but only its runs of `least` frames or more."""
    kept = np.zeros_like(mask)
    for first, stop in _ranges(mask):
        if stop - first >= least:
            kept[first:stop] = True
    return kept
