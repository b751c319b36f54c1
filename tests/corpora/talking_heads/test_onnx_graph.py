"""Cutting a small ONNX graph, built byte by byte: what leads to the output stays, the rest goes."""

from __future__ import annotations

import pytest

from avsr.corpora.talking_heads.onnx_graph import GRAPH, INITIALIZER, INPUT, NODE, OUTPUT, cut_out, fields, message, varint


def node(takes: list[str], gives: list[str]) -> bytes:
    return message(NODE, b"".join(message(1, t.encode()) for t in takes) + b"".join(message(2, g.encode()) for g in gives))


def named(number: int, name: str) -> bytes:
    return message(number, message(8 if number == INITIALIZER else 1, name.encode()))


def names(model: bytes, number: int) -> list[str]:
    """What the parts of that kind are called; of nodes, what they give."""
    which = {NODE: 2, INITIALIZER: 8}.get(number, 1)
    parts = [part for field, graph, _ in fields(model) if field == GRAPH for part in fields(graph)]
    return [bytes(t).decode() for field, part, _ in parts if field == number for f, t, _ in fields(part) if f == which]


def test_only_what_leads_to_the_output_stays():
    graph = node(["a", "w"], ["b"]) + node(["b", ""], ["c", "d"]) + node(["d", "e", "v"], ["f"]) + message(2, b"title")
    graph += b"".join(named(INPUT, x) for x in "ae") + b"".join(named(INITIALIZER, x) for x in "wv")
    # A message may come in pieces; what follows the graph's first one belongs to it too.
    model = b"\x08\x08" + message(GRAPH, graph + named(OUTPUT, "f")) + message(8, b"opset") + message(GRAPH, named(OUTPUT, "c"))
    cut = cut_out(model, "c")
    assert names(cut, NODE) == ["b", "c", "d"]
    assert (names(cut, INPUT), names(cut, INITIALIZER), names(cut, OUTPUT)) == (["a"], ["w"], ["c"])
    assert cut.startswith(b"\x08\x08" + message(8, b"opset")) and b"title" in cut
    assert names(cut_out(model, "f"), NODE) == ["b", "c", "d", "f"]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**40])
def test_numbers_come_back(number):
    (field,) = fields(varint(5 << 3) + varint(number))
    assert field[0] == 5 and bytes(field[1]) == varint(number)
