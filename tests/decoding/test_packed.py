"""A packed model: what goes in comes out, the same bytes each time, quickly, and every fault is a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from avsr.decoding import default_model
from avsr.decoding.default_model import find_model, found_words, remember_model
from avsr.decoding.packed import load_packed, pack
from avsr.errors import ModelError


def test_what_goes_in_comes_out(run, packed):
    import torch

    loaded = load_packed(packed)
    state = torch.load(run[1], weights_only=True)
    assert not loaded.model.training
    assert loaded.meta["name"] == "tiny"
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("안녕하세요 내일")) == "안녕하세요 내일"
    assert all(torch.equal(value, state[name]) for name, value in loaded.model.state_dict().items())


def test_the_same_run_gives_the_same_bytes(run, packed, tmp_path):
    again = tmp_path / "again.zip"
    pack(*run, again, load_packed(packed).meta)
    assert again.read_bytes() == packed.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_loading_is_quiet_and_without_tasks(packed):
    """In a process of its own; espnet2.tasks alone takes 12 to 30 seconds to import."""
    script = (
        "import sys\n"
        "import torch\n"
        "from avsr.decoding.recognizer import Recognizer\n"
        f"Recognizer.load({str(packed)!r})\n"
        "import avsr.decoding.search as s, logging\n"
        "s.search(None, torch.zeros(3, 4), torch.zeros(3, 9).log_softmax(-1), s.DecodeOptions(2, 1.0))\n"
        "assert not logging.getLogger().handlers\n"
        "assert not [name for name in sys.modules if name.startswith('espnet2.tasks')]\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize("member", ["config.yaml", "model.pth", "tokens.txt", "token_type", "meta.yaml"])
def test_a_missing_member_is_named(packed, tmp_path, member):
    broken = rewritten(packed, tmp_path, {member: None})
    with pytest.raises(ModelError, match=f"broken.zip.*{member}"):
        load_packed(broken)


def test_a_wrong_vocabulary_is_named(packed, tmp_path):
    tokens = zipfile.ZipFile(packed).read("tokens.txt").decode()
    broken = rewritten(packed, tmp_path, {"tokens.txt": tokens.replace("<unk>\n", "<unk>\nX\n").encode()})
    with pytest.raises(ModelError, match="tokens where config.yaml says"):
        load_packed(broken)


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("model.pth", b"nonsense", "holds no weights"),
        ("config.yaml", b"- a list", "table"),
        ("config.yaml", b"format: 99", "format is 99"),
        ("config.yaml", b"a: [", "YAML"),
        ("token_type", b"morse", "tokens cannot be used"),
    ],
)
def test_broken_members_are_sentences(packed, tmp_path, member, content, words):
    with pytest.raises(ModelError, match=words) as caught:
        load_packed(rewritten(packed, tmp_path, {member: content}))
    assert "\n" not in str(caught.value)


def test_an_unknown_field_of_the_model_is_named(run, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("model_conf: {size: 32, wings: 2}")
    with pytest.raises(ModelError, match="model_conf.wings"):
        pack(config, run[1], run[2], tmp_path / "out.zip", {})
    config.write_text("model_conf: {size: 64}")
    with pytest.raises(ModelError, match="do not fit"):
        pack(config, run[1], run[2], tmp_path / "out.zip", {})
    assert not (tmp_path / "out.zip").exists()


def test_weights_of_another_token_list_are_refused(run, tmp_path):
    from avsr.text.tokens import build_token_list

    build_token_list(["가나다"], "jamo", out_dir=tmp_path / "tokens")
    with pytest.raises(ModelError, match="token list that the model was trained with"):
        pack(run[0], run[1], tmp_path / "tokens", tmp_path / "out.zip", {})


def test_no_file_no_zip_and_a_torn_zip(packed, tmp_path):
    with pytest.raises(ModelError, match="nowhere.zip: cannot be read"):
        load_packed(tmp_path / "nowhere.zip")
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(ModelError, match="text.zip: is no packed model"):
        load_packed(tmp_path / "text.zip")
    (tmp_path / "torn.zip").write_bytes(packed.read_bytes()[:20000])
    with pytest.raises(ModelError, match="torn.zip"):
        load_packed(tmp_path / "torn.zip")


def test_a_zip_packed_again_with_damage_or_a_password(packed, tmp_path):
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(damaged, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        start = target.getinfo("model.pth").header_offset
    data = bytearray(damaged.read_bytes())
    data[start + 200 : start + 400] = bytes(range(200))
    damaged.write_bytes(data)
    locked, data = tmp_path / "locked.zip", bytearray(packed.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1  # the first member is encrypted, says the directory
    locked.write_bytes(data)
    for path in (damaged, locked):
        with pytest.raises(ModelError, match=f"{path.name}: is no packed model, or damaged"):
            load_packed(path)


def rewritten(packed: Path, folder: Path, changes: dict[str, bytes | None]) -> Path:
    out = folder / "broken.zip"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = changes.get(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
    return out


def test_the_model_to_use_when_none_is_named(tmp_path, monkeypatch):
    here, checkout = tmp_path / "here", tmp_path / "checkout"
    here.mkdir()
    checkout.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(default_model, "CHECKOUT", checkout)
    monkeypatch.delenv("AVSR_MODEL", raising=False)
    with pytest.raises(ModelError, match="this installation brings none; give --model models/mini_ko.zip of a checkout"):
        find_model()
    touched(checkout / "run.sh", 0)
    with pytest.raises(ModelError, match="give --model MODEL.zip, or train one"):
        find_model()
    shipped = touched(checkout / "models/mini_ko.zip", 0)
    assert find_model() == shipped and found_words(shipped) is None
    old, new = (touched(checkout / f"recipes/grid/avsr1/exp/{name}/{name}.zip", age) for name, age in (("a", 50), ("b", 10)))
    assert find_model() == new
    remember_model(old, checkout / "recipes/grid/avsr1/exp")
    assert find_model() == old
    old.unlink()
    assert find_model() == new
    mine = touched(here / "exp/mine/mine.zip", 90)
    assert find_model() == mine
    assert found_words(mine) == "Model: exp/mine/mine.zip, as it was packed last here; --model takes another, such as models/mini_ko.zip of the checkout."
    assert f"Model: {new}, as it was" in found_words(new)
    monkeypatch.setenv("AVSR_MODEL", str(old))
    with pytest.raises(ModelError, match="AVSR_MODEL"):
        find_model()
    monkeypatch.setenv("AVSR_MODEL", str(new))
    assert "as AVSR_MODEL names it;" in found_words(new)
    assert find_model() == new


def touched(path: Path, seconds_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (path.stat().st_mtime - seconds_ago,) * 2)
    return path
