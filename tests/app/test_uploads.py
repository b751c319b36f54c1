"""Uploads: what many who come at once may take together, and what is left of a video."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from starlette.responses import Response

from avsr.app.jobs import CAPTIONS, SqliteJobs
from avsr.app.settings import Settings
from avsr.app.store import Store, StoredCue, set_cues
from avsr.app.supervisor import remove_expired
from avsr.app.uploads import Uploads
from avsr.app.videos import caption_file


@pytest.mark.parametrize(("limits", "taken"), [({"max_waiting": 5}, 5), ({"max_store": 3500}, 3)])
def test_of_many_at_once_no_more_are_taken_than_there_is_room_for(tmp_path, limits, taken):
    settings = Settings(tmp_path, **limits)
    store = Store(settings.database)
    uploads = Uploads(settings, store, SqliteJobs(store))
    together = Barrier(16)

    def begin(number: int):
        together.wait()
        return uploads.begin("somebody", f"{number}.mp4", "auto", 1000)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(begin, range(16)))
    refused = [one for one in found if isinstance(one, Response)]
    assert len(store.videos()) == len(found) - len(refused) == taken
    assert len(list((tmp_path / "videos").iterdir())) == taken
    assert {one.status_code for one in refused} == {429} and all("retry-after" in one.headers for one in refused)


def test_of_a_video_that_has_failed_the_media_go_and_the_reason_stays(tmp_path):
    settings = Settings(tmp_path)
    store = Store(settings.database)
    jobs = SqliteJobs(store)
    video = Uploads(settings, store, jobs).begin("somebody", "a.mp4", "auto", 5)
    folder = settings.folder(video.id)
    for name in ("media", "part.jsonl", "thumbnail.jpg"):
        (folder / name).write_bytes(b"12345")
    jobs.add(video.id, CAPTIONS)
    for _ in range(3):  # it ends its workers
        remove_expired(settings, store)
        assert (folder / "media").exists()
        jobs.claim("one")
        jobs.give_back("one", 1.0)
    remove_expired(settings, store)
    assert [path.name for path in folder.iterdir()] == ["thumbnail.jpg"]
    assert store.video(video.id).state == "failed" and store.video(video.id).error_message


def test_captions_to_take_away_are_made_without_a_file(tmp_path):
    import shutil

    settings = Settings(tmp_path)
    store = Store(settings.database)
    uploads = Uploads(settings, store, SqliteJobs(store))
    video = uploads.begin("somebody", "a.mp4", "auto", 5)
    with store.change() as database:
        set_cues(database, video.id, [StoredCue(1, 0.0, 1.0, "가\n나", "both", None, None), StoredCue(2, 1.0, 2.0, "", "both", None, None, True)])
    store.update_video(video.id, state="done")
    shutil.rmtree(settings.folder(video.id))
    video = store.video(video.id)
    assert caption_file(uploads, video, "srt").decode() == "1\n00:00:00,000 --> 00:00:01,000\n가\n나\n"
    assert caption_file(uploads, video, "vtt").decode() == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n가\n나\n"
    assert caption_file(uploads, video, "txt").decode() == "가 나\n" and b"Dialogue: 0,0:00:00.00" in caption_file(uploads, video, "ass")
