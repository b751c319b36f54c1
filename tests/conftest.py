"""Fixtures that every room's tests share: where the real clips lie, and the face model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.corpora.aihub538_miniature import Miniature

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips: ``$AVSR_SHARED_DATA``, else ``../shared/data`` beside the repository; skips where absent."""
    folder = Path(os.environ.get("AVSR_SHARED_DATA") or ROOT.parent / "shared/data")
    if not folder.is_dir():
        pytest.skip(f"the real clips are absent: {folder} is no folder (set AVSR_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def face_model() -> Path:
    """The checked face landmark model; skips with the reason where there is none."""
    from avsr.lips.face_model import cached_face_model

    path = cached_face_model()  # fetches nothing: the tests need no network
    if path is None:
        pytest.skip("the face landmark model is absent: run tools/install.sh")
    return path


@pytest.fixture(scope="session")
def miniature() -> Miniature:
    """AI-Hub 538 in miniature, see tests.corpora.aihub538_miniature; change a copy of it."""
    from tests.corpora.aihub538_miniature import make_miniature

    return make_miniature()
