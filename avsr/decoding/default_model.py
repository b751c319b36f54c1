"""Finds the packed model to use when none is named; the standard library alone, so that `avsr doctor` can ask it."""

from __future__ import annotations

import os
from pathlib import Path

from avsr.errors import ModelError
from avsr.files import replace_file

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = "models/mini_ko.zip"
POINTER = "last_model"
_EXPERIMENTS = ("exp", "recipes/*/avsr1/exp")  # run.sh's, below the checkout or the folder where the person stands


def find_model() -> Path:
    """$AVSR_MODEL, else the model that run.sh packed last, here or in the checkout, else models/mini_ko.zip of the checkout.

    ModelError when $AVSR_MODEL names no file, or there is none of them.
    """
    named = os.environ.get("AVSR_MODEL")
    if named:
        if not Path(named).is_file():
            raise ModelError(f"AVSR_MODEL is {named}, which is no file; set it to a packed model, or unset it.")
        return Path(named)
    for root in dict.fromkeys((Path.cwd(), CHECKOUT)):
        model = _last_packed(root)
        if model is not None:
            return model
    if (CHECKOUT / SHIPPED).is_file():
        return CHECKOUT / SHIPPED
    if (CHECKOUT / "run.sh").is_file():
        raise ModelError("no model is named and none was trained here; give --model MODEL.zip, or train one with ./run.sh.")
    # Installed from a wheel, which holds the code alone.
    raise ModelError(
        f"no model is named, and this installation brings none; give --model {SHIPPED} of a checkout of the project, "
        "or train one there with ./run.sh."
    )


def found_words(found: Path) -> str | None:
    """Which model `find_model` found, in a sentence for a person who named none; None for the checkout's own, which says itself what it is.

    After the quick start it is one that knows 60 words, and its captions alone would not tell.
    """
    if found.resolve() == (CHECKOUT / SHIPPED).resolve():
        return None
    here = Path.cwd()
    name = found.relative_to(here) if found.is_relative_to(here) else found
    why = "AVSR_MODEL names it" if os.environ.get("AVSR_MODEL") else "it was packed last here"
    return f"Model: {name}, as {why}; --model takes another, such as {SHIPPED} of the checkout."


def remember_model(model: Path, experiments: Path) -> None:
    """Write into `experiments` (run.sh's exp folder) that `model` was packed last; called when it has been packed."""
    # Relative, so that a checkout can be moved.
    replace_file(experiments / POINTER, f"{os.path.relpath(model, experiments)}\n".encode())


def _last_packed(root: Path) -> Path | None:
    """What the youngest pointer below `root` names, else the youngest exp/*/*.zip."""
    folders = [folder for pattern in _EXPERIMENTS for folder in root.glob(pattern) if folder.is_dir()]
    pointers = [folder / POINTER for folder in folders if (folder / POINTER).is_file()]
    for pointer in sorted(pointers, key=_age):
        model = pointer.parent / pointer.read_text(encoding="utf-8").strip()
        if model.is_file():
            return model.resolve()
    packed = sorted((model for folder in folders for model in folder.glob("*/*.zip")), key=_age)
    return packed[0] if packed else None


def _age(path: Path) -> tuple[float, str]:
    """Sorts the youngest first, and by name where two are equally young."""
    return -path.stat().st_mtime, str(path)
