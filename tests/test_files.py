"""YAML that is read from a file: a table, or one sentence."""

from __future__ import annotations

import pytest

from avsr.errors import AvsrError, ModelError
from avsr.files import parse_yaml, read_yaml


def test_a_table_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("글: [1, 2]\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"글": [1, 2]}


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"a: [", "is not YAML"), (b"\xff\xfe\x00", "is not YAML"), (b"- a", "is not a table"), (b"", "is not a table")],
)
def test_what_is_none_is_one_sentence_of_the_kind_asked_for(tmp_path, data, said):
    (tmp_path / "a.yaml").write_bytes(data)
    for error in (AvsrError, ModelError):
        with pytest.raises(error, match=f"a.yaml: {said}") as caught:
            read_yaml(tmp_path / "a.yaml", error=error)
        assert "\n" not in str(caught.value)
        with pytest.raises(error, match=f"inside: {said}"):
            parse_yaml(data, "inside", error=error)


def test_no_file_and_no_plain_file(tmp_path):
    with pytest.raises(ModelError, match="gone.yaml: there is no such file"):
        read_yaml(tmp_path / "gone.yaml", error=ModelError)
    with pytest.raises(AvsrError, match="cannot be read"):
        read_yaml(tmp_path)
