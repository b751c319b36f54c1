"""A table left on disk is read as one that is read whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import LabelError
from avsr.large_tables import LargeTable, common_keys
from avsr.tables import read_table, write_table

ids = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=12)
values = st.text(st.characters(exclude_categories=("Zl", "Zp", "C")), max_size=20).map(lambda text: " ".join(text.split()))


@settings(deadline=None)
@given(st.dictionaries(ids, values, max_size=30), st.booleans(), st.booleans(), st.randoms())
def test_it_is_what_read_table_reads(tmp_path_factory, rows, sorted_lines, last_newline, random):
    path = tmp_path_factory.mktemp("table") / "text"
    if sorted_lines:
        write_table(path, rows)
    else:
        lines = [f"{key} {value}".rstrip(" ") for key, value in rows.items()]
        random.shuffle(lines)
        path.write_bytes(("\n".join(lines) + "\n" * last_newline).encode())
    table = LargeTable(path)
    assert dict(table.items()) == read_table(path) == {key: table[key] for key in table}
    assert list(table) == sorted(rows) and len(table) == len(rows)
    assert "no such" not in table and table.get("no such") is None
    assert all(key in table for key in rows)


def test_what_is_wrong_is_a_sentence(tmp_path):
    path = tmp_path / "text"
    with pytest.raises(LabelError, match="is missing: run the stages"):
        LargeTable(path)
    path.write_bytes(b"b 1\na 2\nb 3\n")
    with pytest.raises(LabelError, match="line 3: b is there twice"):
        LargeTable(path)
    path.write_bytes(b"a 1\n 2\n")
    with pytest.raises(LabelError, match="line 2: begins with a space"):
        LargeTable(path)
    path.write_bytes(b"a \xff\n")
    with pytest.raises(LabelError, match=r"is not UTF-8 \(byte 2\)"):
        LargeTable(path)["a"]
    path.write_bytes(b"")
    assert not len(LargeTable(path)) and "a" not in LargeTable(path)


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=0), min_size=1, max_size=4))
def test_common_keys_are_those_that_all_have(tmp_path_factory, sets):
    folder = tmp_path_factory.mktemp("common")
    for number, keys in enumerate(sets):
        write_table(folder / str(number), dict.fromkeys(keys, "x"))
    tables = [LargeTable(folder / str(number)) for number in range(len(sets))]
    assert list(common_keys(tables)) == sorted(set.intersection(*sets))
