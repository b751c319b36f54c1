"""One picture to look at: made faces as a camera sees them, and what their mouths do at each sound.

    python -m avsr.corpora.talking_heads.sheet --out faces.png --seed 1
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.camera import Camera, Film, vary
from avsr.corpora.talking_heads.draw import draw_face_clip, draw_mouth_clip
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.mouth import Motion, mouth_motion
from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.lips.mouth_clip import FPS
from avsr.media.burn import burn_captions
from avsr.media.captions import Cue
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.text.pronunciation import phonemes

# What is said for each tile, and whether its onset or its vowel is shown.
_SOUNDS = [("아", "vowel"), ("어", "vowel"), ("오", "vowel"), ("우", "vowel"), ("으", "vowel"), ("이", "vowel")]
_SOUNDS += [("애", "vowel"), ("마", "onset"), ("다", "onset"), ("사", "onset"), ("자", "onset"), ("가", "onset")]
_TILE = 150  # pixels
_IN_A_ROW = 6
_PAUSE, _ONSET, _VOWEL = 0.3, 0.14, 0.24  # seconds


def contact_sheet(seed: int, *, faces: int = 12, mouths: int = 4) -> np.ndarray:
    """(H, W, 3) uint8 RGB: `faces` people of the seed, and below, one in a row, twelve sounds of `mouths` of them.

    The first row of mouths is as drawn, with the sound written in; the others are as a camera keeps them. AvsrError
    where there is nobody to show, and where the head or the font is not installed.
    """
    if not 1 <= mouths <= faces:
        raise AvsrError(f"a sheet of {faces} faces and {mouths} of their mouths cannot be made: ask for at least one face")
    head, rng = Head.load(), np.random.default_rng(seed)
    people = [Identity.random(rng) for _ in range(faces)]
    tiles, rows = [], []
    with progress("faces", faces + mouths, 0) as advance:
        for person in people:
            tiles.append(_face(head, person, rng))
            advance()
        for index, person in enumerate(people[:mouths]):
            rows.append(np.concatenate(_mouths(head, person, rng, as_drawn=index == 0), axis=1))
            advance()
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _IN_A_ROW)
    rows = [np.concatenate(tiles[start : start + _IN_A_ROW], axis=1) for start in range(0, len(tiles), _IN_A_ROW)] + rows
    return np.concatenate(rows)


def _face(head: Head, person: Identity, rng: np.random.Generator) -> np.ndarray:
    """(300, 300, 3): somebody in the middle of a word."""
    sound, _ = _SOUNDS[int(rng.integers(len(_SOUNDS)))]
    motion, middle = _said(sound, "vowel", rng)
    one = Motion(*(part[middle : middle + 1] for part in (motion.units, motion.pose, motion.shape)))
    size = (2 * _TILE, 2 * _TILE)
    return vary(draw_face_clip(head, person, one, Camera.random(rng), rng, size), rng)[0]


def _mouths(head: Head, person: Identity, rng: np.random.Generator, *, as_drawn: bool) -> list[np.ndarray]:
    """Twelve (150, 150, 3): each sound at its middle."""
    import cv2

    camera, film, tiles = Camera.random(rng), Film.random(rng), []
    for sound, kind in _SOUNDS:
        motion, middle = _said(sound, kind, rng)
        clip = draw_mouth_clip(head, person, motion, camera, rng)
        mouth = clip[middle] if as_drawn else vary(clip, rng, film)[middle]
        tile = cv2.cvtColor(cv2.resize(mouth, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        if as_drawn:
            tall = np.concatenate([np.zeros_like(tile)] * 2 + [tile])  # letters grow with the picture's height
            burn_captions(tall[None], FPS, [Cue(0.0, 1.0, sound)])
            tile = tall[-_TILE:]
        tiles.append(tile)
    return tiles


def _said(sound: str, kind: str, rng: np.random.Generator) -> tuple[Motion, int]:
    """A syllable between two pauses, and the picture in the middle of its onset or its vowel."""
    times, now, middle = [PhoneTime(0.0, _PAUSE, None)], _PAUSE, 0.0
    for phoneme in phonemes(sound):
        length = _VOWEL if phoneme.kind == "vowel" else _ONSET
        times.append(PhoneTime(now, now + length, phoneme))
        middle = now + length / 2 if phoneme.kind == kind else middle
        now += length
    times.append(PhoneTime(now, now + _PAUSE, None))
    return mouth_motion(times, now + _PAUSE, MouthStyle(), rng), round(middle * FPS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    import cv2

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="the .png to write")
    parser.add_argument("--seed", type=int, default=1, help="which people (default: %(default)s)")
    parser.add_argument("--faces", type=int, default=12, help="people shown (default: %(default)s)")
    args = parser.parse_args(arguments)
    sheet = contact_sheet(args.seed, faces=args.faces, mouths=min(4, args.faces))
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise AvsrError(f"{args.out}: the sheet could not be made into a PNG file; ask for fewer faces")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(args.out, data.tobytes())
    print(f"written: {args.out}, {args.faces} made faces and the mouths of their sounds")
    return 0


if __name__ == "__main__":
    run_main(main)
