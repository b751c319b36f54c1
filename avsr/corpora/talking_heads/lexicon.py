"""Reads the word lists of the made corpus, the YAML files in `lexicon/`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any


@cache
def read_lexicon(name: str) -> dict[str, Any]:
    """The content of ``lexicon/<name>.yaml``, as it is there; read once, not to be changed by the caller."""
    import yaml

    file = resources.files("avsr.corpora.talking_heads") / "lexicon" / f"{name}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))
