"""Draws captions into pictures, in a Korean font that comes with the installation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from avsr.errors import MediaError
from avsr.media.captions import Cue

_LETTER = 1 / 17  # of the picture's height
_BOTTOM = 1 / 24  # of the picture's height, kept free below the text


def burn_captions(frames: np.ndarray, fps: float, cues: Sequence[Cue]) -> None:
    """Draw each cue into the pictures (T, H, W, 3) uint8 RGB during which it is on, in place.

    Picture t is shown from t / fps seconds. White letters with a black edge, centred at the bottom; smaller where a line
    is longer than the picture is wide. MediaError where the font is not installed.
    """
    for cue in cues:
        first, stop = (max(0, round(time * fps)) for time in (cue.start, cue.end))
        if first >= min(stop, len(frames)) or not cue.text.strip():
            continue
        light, cover, top = _lettering(cue.text, *frames.shape[1:3])
        pictures = frames[first:stop, top : top + len(light)]
        pictures[:] = (pictures * (1.0 - cover) + light * cover + 0.5).astype(np.uint8)


@lru_cache(maxsize=8)  # a caption is on in many pictures
def _lettering(text: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Brightness (h, width, 1) 0..255 and cover (h, width, 1) 0..1 of the text's band, and the picture's row it starts at."""
    from PIL import Image, ImageDraw

    size = max(8, round(height * _LETTER))
    while True:
        font, edge = korean_font(size), max(1, size // 12)
        spacing = size // 4
        left, up, right, down = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox(
            (0, 0), text, font=font, spacing=spacing, align="center", stroke_width=edge
        )
        if right - left <= width or size <= 8:
            break
        size = max(8, size * width // (right - left + 1))
    band = round(down - up)
    layers = []
    for edge_level in (0, 255):  # the letters, and the letters with their edge
        layer = Image.new("L", (width, band))
        ImageDraw.Draw(layer).multiline_text(
            ((width - (right - left)) / 2 - left, -up), text, 255, font, spacing=spacing, align="center",
            stroke_width=edge, stroke_fill=edge_level,
        )  # fmt: skip
        layers.append(np.asarray(layer, np.float32)[..., None])
    light, cover = layers[0], layers[1] / 255.0
    top = max(0, height - round(height * _BOTTOM) - band)
    return light[: height - top], cover[: height - top], top


def korean_font(size: int):
    """The Korean font at `size` pixels; MediaError where it is not installed."""
    from importlib.util import find_spec

    from PIL import ImageFont

    if find_spec("pylopdf_fonts_ko") is None:
        raise MediaError("captions cannot be drawn: the package pylopdf-fonts-ko is missing; run tools/install.sh.")
    from pylopdf_fonts_ko import sans_path

    return ImageFont.truetype(str(sans_path()), size)
