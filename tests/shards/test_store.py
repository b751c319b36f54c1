"""Shards of an object store: fetched once, checked, tried again, and no more kept than is allowed."""

from __future__ import annotations

import functools
import http.server
import os
import random
import shutil
import threading

import pytest

from avsr.errors import AvsrError, LabelError
from avsr.shards import store
from avsr.shards.store import ShardStore


class Server(http.server.SimpleHTTPRequestHandler):
    """Gives a folder; `broken` requests to come are cut off half-way."""

    broken = 0
    asked: list[str] = []

    def do_GET(self) -> None:
        Server.asked.append(self.path)
        if Server.broken and self.path.endswith(".tar"):
            Server.broken -= 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"half of it")
            return
        super().do_GET()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def address(shards, monkeypatch):
    monkeypatch.setattr(store, "_WAIT", 0.0)
    Server.broken, Server.asked = 0, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(shards))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_folder_is_used_as_it_is(shards):
    for where in (str(shards), f"file:{shards}", f"file://{shards}"):
        assert ShardStore(where, "train").path(0) == shards / "train" / "shard-000000.tar"


def test_over_http_it_is_fetched_once_by_all_and_is_the_same(shards, address, tmp_path):
    stores = [ShardStore(address, "train", cache=tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=one.path, args=(2,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].path(2).read_bytes() == (shards / "train" / "shard-000002.tar").read_bytes()
    assert Server.asked.count("/train/shard-000002.tar") == 1
    assert len(stores[0].index) == 30


def test_what_was_cut_off_is_fetched_again_and_what_stays_broken_is_a_sentence(shards, address, tmp_path):
    Server.broken = 2
    one = ShardStore(address, "train", cache=tmp_path)
    assert one.path(0).read_bytes() == (shards / "train" / "shard-000000.tar").read_bytes()
    Server.broken = 100
    with pytest.raises(AvsrError, match="shard-000001.tar: cannot be fetched .10 of .* bytes came.*tried 5 times"):
        one.path(1)
    Server.broken = 0
    assert one.path(1).exists()


def test_through_a_command(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_WAIT", 0.0)
    one = ShardStore(f"pipe:cat {shards}/{{}}", "train", cache=tmp_path)
    assert one.path(3).read_bytes() == (shards / "train" / "shard-000003.tar").read_bytes()
    with pytest.raises(AvsrError, match="cannot be fetched .the command ended with 1"):
        ShardStore("pipe:false {}", "train", cache=tmp_path)


def test_no_more_is_kept_than_is_allowed(shards, address, tmp_path):
    largest = max(shard.bytes for shard in ShardStore(str(shards), "train").manifest.shards)
    one = ShardStore(address, "train", cache=tmp_path, limit=3 * largest)
    for number in (0, 1, 2, 0, 3, 4, 0):
        assert one.path(number).exists()
        assert sum(path.stat().st_size for path in (tmp_path / "train").glob("*.tar")) <= 3 * largest
    assert Server.asked.count("/train/shard-000000.tar") < 3
    with pytest.raises(AvsrError, match="give a larger --shard_cache_gb"):
        ShardStore(address, "dev", cache=tmp_path, limit=10).path(0)


def test_a_cache_of_two_shards_serves_many_readers(shards, address, tmp_path):
    """Each removes what another is about to open; what is read is the shard all the same."""
    largest = max(shard.bytes for shard in ShardStore(str(shards), "train").manifest.shards)
    wanted = [(shards / "train" / f"shard-{number:06d}.tar").read_bytes() for number in range(8)]
    wrong: list[object] = []

    def read(seed: int) -> None:
        one = ShardStore(address, "train", cache=tmp_path, limit=2 * largest)
        for number in random.Random(seed).choices(range(8), k=12):
            try:
                file = one.open(number)
                if os.pread(file, 10**8, 0) != wanted[number]:
                    wrong.append(number)
                os.close(file)
            except Exception as error:  # noqa: BLE001  # a thread's own would be lost
                wrong.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("s3://bucket/x", "give a folder, file:PATH, http"),
        ("pipe:cat x", "names no {}"),
        ("/nowhere", "cannot be read .No such file.*avsr.stages.shards"),
        ("http://127.0.0.1:9/x", "need a folder to be kept in; give --shard_cache"),
    ],
)
def test_where_nothing_lies_is_a_sentence(where, said):
    with pytest.raises(AvsrError, match=said):
        ShardStore(where, "train")


def test_a_shard_that_is_not_whole_is_a_sentence(shards, tmp_path):
    copy = shutil.copytree(shards / "dev", tmp_path / "dev")
    (copy / "shard-000000.tar").write_bytes(b"x")
    with pytest.raises(LabelError, match="shard-000000.tar: is not there, or not of"):
        ShardStore(str(tmp_path), "dev").path(0)
