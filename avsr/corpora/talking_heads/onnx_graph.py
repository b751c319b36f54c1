"""Cuts out of an ONNX model what one of its results needs, without the `onnx` package.

An ONNX file is a Protocol Buffers message (onnx.proto). What is needed of it: ModelProto 7 graph; GraphProto 1 node, 5 initializer,
11 input, 12 output, 13 value_info; NodeProto 1 input, 2 output; TensorProto 8 name; ValueInfoProto 1 name.
"""

from __future__ import annotations

from collections.abc import Iterator

GRAPH = 7
NODE, INITIALIZER, INPUT, OUTPUT, VALUE = 1, 5, 11, 12, 13


def cut_out(model: bytes, output: str) -> bytes:
    """The model with ``output`` as its only one, and only the nodes, weights and inputs that lead to it.

    onnxruntime runs every node of a graph, whatever it is asked for; so what is not wanted has to be cut off. Nodes
    with graphs inside (If, Loop) are not looked into: what those take from outside must be needed by others too.
    """
    parts = [part for number, graph, _ in fields(model) if number == GRAPH for part in fields(graph)]
    makers = {}
    for number, node, _ in parts:
        if number == NODE:
            takes = [bytes(text) for field, text, _ in fields(node) if field == 1]
            makers |= {bytes(text): takes for field, text, _ in fields(node) if field == 2}
    needed, waiting = set(), [output.encode()]
    while waiting:
        name = waiting.pop()
        if name and name not in needed:
            needed.add(name)
            waiting += makers.get(name, [])
    names = {NODE: 2, INITIALIZER: 8, INPUT: 1, OUTPUT: 1, VALUE: 1}  # the field that says what a part is called
    kept = []
    for number, content, whole in parts:
        own = {bytes(text) for field, text, _ in fields(content) if field == names[number]} if number in names else set()
        if number not in names or own & (needed if number != OUTPUT else {output.encode()}):
            kept.append(whole)
    rest = [whole for number, _, whole in fields(model) if number != GRAPH]
    return b"".join(rest) + message(GRAPH, b"".join(kept))


def fields(data: bytes | memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """The number, content and whole bytes of each field of a message, in their order."""
    view, place = memoryview(data), 0
    while place < len(view):
        start = place
        key, place = _read_varint(view, place)
        if key & 7 == 2:
            size, place = _read_varint(view, place)
            end = place + size
        elif key & 7 == 0:
            _, end = _read_varint(view, place)
        else:
            end = place + {1: 8, 5: 4}[key & 7]
        yield key >> 3, view[place:end], view[start:end]
        place = end


def message(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _read_varint(view: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while view[place] & 128:
        number |= (view[place] & 127) << shift
        place, shift = place + 1, shift + 7
    return number | view[place] << shift, place + 1
