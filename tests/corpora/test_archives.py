"""Archives in one file or in parts, read as they lie; what is broken in them is named."""

from __future__ import annotations

import errno
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.archives import find_archives, list_members
from avsr.errors import LabelError
from tests.corpora.aihub538_miniature import write_parts


def _zip(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["가/a.mp4", "b.wav", "다/라/c.json", "d"]), st.binary(max_size=3000), min_size=1),
    st.integers(1, 7), st.sampled_from(["stored", "deflated", "tar"]), st.data(),
)  # fmt: skip
def test_what_went_in_comes_out(files, parts, how, data):
    """Whole, by seeking, and with nothing left beside the archive."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        packed = _tar(files) if how == "tar" else _zip(files, zipfile.ZIP_DEFLATED if how == "deflated" else zipfile.ZIP_STORED)
        write_parts(root / ("TS1.tar" if how == "tar" else "TS1.zip"), packed, parts)
        before = sorted(root.iterdir())
        (archive,), others = find_archives(root)
        assert not others
        members = {member.name: member for member in list_members(archive)}
        assert {name: member.read() for name, member in members.items()} == files
        member = members[data.draw(st.sampled_from(sorted(files)))]
        member.check()
        with member.seekable(root) as opened, opened() as file, opened() as other:
            content = io.BytesIO(files[member.name])
            for _ in range(5):
                place = data.draw(st.integers(0, member.size))
                count = data.draw(st.integers(0, 900))
                assert file.seek(place) == content.seek(place)
                assert file.read(count) == content.read(count) and file.tell() == content.tell()
            assert other.read() == files[member.name]
            assert sorted(root.iterdir()) == before, "an unpacked member has no name"


def test_parts_beside_what_was_joined_of_them_are_not_taken_twice(tmp_path):
    data = _zip({"a.json": b"x"})
    (tmp_path / "TL1.zip").write_bytes(data)
    write_parts(tmp_path / "TL1.zip", data, 2)
    (archive,), others = find_archives(tmp_path)
    assert archive.parts == (tmp_path / "TL1.zip",) and not others


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda parts: parts[1].unlink(), "so TS1.zip.part1060 is missing"),
        (lambda parts: parts[0].unlink(), "so TS1.zip.part0 is missing"),
        (lambda parts: parts[-1].unlink(), "no whole archive"),
        (lambda parts: parts[-1].write_bytes(parts[-1].read_bytes()[:-40]), "no whole archive"),
        (lambda parts: parts[0].write_bytes(parts[0].read_bytes()[:-1]), "TS1.zip.part1059 is missing or the part before is cut"),
    ],
)
def test_a_broken_archive_is_named(tmp_path, spoil, says):
    write_parts(tmp_path / "TS1.zip", _zip({"a.mp4": bytes(range(256)) * 12}), 3)
    parts = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.rpartition("part")[2]))
    spoil(parts)
    (archive,), _ = find_archives(tmp_path)
    with pytest.raises(LabelError, match=says) as caught:
        list_members(archive)
    assert str(tmp_path / "TS1.zip") in str(caught.value)


def test_a_cut_tar_is_named(tmp_path):
    (tmp_path / "VS1.tar").write_bytes(_tar({"a.mp4": b"x" * 5000})[:3000])
    (archive,), _ = find_archives(tmp_path)
    with pytest.raises(LabelError, match="cut short|no whole archive"):
        list_members(archive)


@pytest.mark.parametrize("place", [0, 40])  # in its header, in its bytes
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_checksum_is_found_before_anything_is_made_of_it(tmp_path, compression, place):
    data = bytearray(_zip({"a.mp4": b"abc" * 500, "b.json": b"{}"}, compression))
    data[place] ^= 255
    (tmp_path / "TS1.zip").write_bytes(data)
    (archive,), _ = find_archives(tmp_path)
    member, sound = list_members(archive)
    for read in (member.check, member.read):
        with pytest.raises(LabelError, match="TS1.zip: a.mp4: cannot be read") as caught:
            read()
        assert "\n" not in str(caught.value)
    assert sound.read() == b"{}"


def test_no_archive_at_all_and_a_locked_one(tmp_path):
    (tmp_path / "TS1.zip").write_bytes(b"not a zip")
    (archive,), _ = find_archives(tmp_path)
    with pytest.raises(LabelError, match="no whole archive"):
        list_members(archive)
    data = bytearray(_zip({"a.mp4": b"x"}))
    for place in (6, data.index(b"PK\1\2") + 8):  # flags, in the member's header and in the directory
        data[place] |= 1
    archive.path.write_bytes(data)
    with pytest.raises(LabelError, match="locked with a password"):
        list_members(archive)


def test_no_room_to_unpack_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    (tmp_path / "TS1.zip").write_bytes(_zip({"a.mp4": b"abc" * 500}, zipfile.ZIP_DEFLATED))
    (archive,), _ = find_archives(tmp_path)
    (member,) = list_members(archive)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left") as caught, member.seekable(tmp_path):
        pass
    assert not isinstance(caught.value, LabelError)
