"""The table of jobs: whoever dies, a job is done once, in its turn, and the tables stay whole."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from avsr.app.jobs import BURN, CAPTIONS, LEASE, Jobs, SqliteJobs
from avsr.app.store import Store, StoredCue, Video
from avsr.errors import AvsrError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_video(id: str, owner: str = "somebody") -> Video:
    return Video(id, owner, f"{id}.mp4", "auto", 10, time.time(), time.time() + 99, "uploading", 60.0, True, True, None, "", None, None, None)


def a_cue(n: int, text: str = "가") -> StoredCue:
    return StoredCue(n, n - 1.0, float(n), text, "both", 0.5, None)


@pytest.fixture
def table(tmp_path) -> tuple[Store, SqliteJobs, Clock]:
    clock = Clock()
    store = Store(tmp_path / "jobs.sqlite")
    for id in ("a", "b", "c"):
        store.add_video(a_video(id))
    return store, SqliteJobs(store, clock), clock


def test_jobs_are_claimed_in_turn_and_finished(table):
    store, jobs, _ = table
    assert all(jobs.add(id, CAPTIONS) for id in ("b", "a")) and not jobs.add("b", CAPTIONS)
    assert [jobs.progress(id, CAPTIONS).position for id in ("b", "a")] == [1, 2]
    job = jobs.claim("one")
    assert job.video == "b" and store.video("b").state == "running" and jobs.progress("a", CAPTIONS).position == 1
    assert jobs.beat(job, "reading", 10.0, 60.0, 5.0, [a_cue(1)]) and store.cues("b") == [a_cue(1)]
    assert jobs.finish(job, [a_cue(1, "나"), a_cue(2)], used="av")
    assert store.video("b").state == "done" and [cue.text for cue in store.cues("b")] == ["나", "가"]
    assert not jobs.finish(job, []) and not jobs.fail(job, "failed", "too late")
    assert jobs.claim("one").video == "a" and jobs.claim("two") is None


def test_a_worker_that_is_not_heard_of_loses_its_job_and_cannot_finish_it(table):
    store, jobs, clock = table
    jobs.add("a", CAPTIONS)
    late = jobs.claim("one")
    jobs.beat(late, "reading", 5.0, 60.0, None, [a_cue(1)])
    clock.now += LEASE + 1
    job = jobs.claim("two")
    assert job.id == late.id and store.cues("a") == []
    assert not jobs.beat(late, "reading", 6.0, 60.0, None, [a_cue(1)]) and not jobs.finish(late, [a_cue(1)])
    assert jobs.finish(job, [a_cue(1)]) and len(store.cues("a")) == 1


def test_a_video_that_ends_its_workers_is_given_up_but_not_one_that_gets_on(table):
    store, jobs, _ = table
    jobs.add("a", CAPTIONS)
    for turn in range(5):
        job = jobs.claim("one")
        jobs.beat(job, "reading", 11.0 * (turn + 1), 60.0)  # it gets further
        jobs.give_back("one", 1.0)
    assert store.video("a").state == "queued"
    for _ in range(2):  # with the last above that is three without progress
        job = jobs.claim("one")
        jobs.beat(job, "reading", 1.0, 60.0)
        jobs.beat(job, "reading", 55.0, 60.0)  # as far as before, and no further
        jobs.give_back("one", 1.0)
    assert store.video("a").state == "failed" and "ended the process" in store.video("a").error_message
    assert jobs.claim("one") is None and jobs.add("a", CAPTIONS)


def test_the_time_left_goes_down_between_two_signs_of_life(table):
    _, jobs, clock = table
    jobs.add("a", CAPTIONS)
    job = jobs.claim("one")
    jobs.beat(job, "reading", 0.0, 60.0)
    assert jobs.progress("a", CAPTIONS).left is None
    jobs.beat(job, "reading", 20.0, 60.0, 8.0)
    clock.now += 3
    assert jobs.progress("a", CAPTIONS).left == pytest.approx(5.0)


def test_jobs_that_take_too_long_are_told(table):
    _, jobs, clock = table
    jobs.add("a", CAPTIONS)
    jobs.claim("one")
    assert jobs.overdue(2.0, 10.0) == set()
    clock.now += 121
    assert jobs.overdue(2.0, 10.0) == {"one"} and jobs.overdue(2.0, 600.0) == set()


def test_a_changed_caption_makes_the_burned_video_an_old_one(table):
    store, jobs, _ = table
    jobs.add("a", CAPTIONS)
    jobs.finish(jobs.claim("one"), [a_cue(1)])
    jobs.add("a", BURN)
    jobs.finish(jobs.claim("one"), burned="burned.mp4")
    assert store.video("a").burned == "burned.mp4" and store.video("a").state == "done"
    assert store.edit_cue("a", 1, "다").edited and store.video("a").burned is None and jobs.progress("a", BURN) is None
    assert store.edit_cue("a", 9, "다") is None


def test_a_deleted_video_takes_its_jobs_and_captions_along(table):
    store, jobs, _ = table
    jobs.add("a", CAPTIONS)
    job = jobs.claim("one")
    jobs.beat(job, "reading", 1.0, 60.0, None, [a_cue(1)])
    assert store.remove_video("a") and not store.remove_video("a")
    assert not jobs.beat(job, "reading", 2.0, 60.0, None, [a_cue(2)]) and not jobs.finish(job, [a_cue(1)])
    assert store.cues("a") == [] and jobs.waiting() == 0


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    (tmp_path / "jobs.sqlite").write_bytes(b"something else entirely, and long enough" * 9)
    with pytest.raises(AvsrError, match="--data another folder"):
        Store(tmp_path / "jobs.sqlite")


class Table(RuleBasedStateMachine):
    """Workers that claim, beat, finish, die and go silent in any order, against what must always hold."""

    jobs_claimed = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "jobs.sqlite")
        self.jobs, self.clock = self.open_jobs()
        self.added: list[str] = []
        self.finished: list[str] = []

    def open_jobs(self) -> tuple[Jobs, Clock]:
        clock = Clock()
        return SqliteJobs(self.store, clock), clock

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.store.connection.close()
            self.folder.cleanup()

    @rule()
    def add(self) -> None:
        id = f"v{len(self.added)}"
        self.store.add_video(a_video(id))
        self.jobs.add(id, CAPTIONS)
        self.added.append(id)

    @rule(target=jobs_claimed, worker=st.sampled_from("xyz"))
    def claim(self, worker: str):
        return self.jobs.claim(worker)

    @rule(job=jobs_claimed, done=st.floats(0, 60))
    def beat(self, job, done: float) -> None:
        if job is not None:
            self.jobs.beat(job, "reading", done, 60.0)

    @rule(job=jobs_claimed)
    def finish(self, job) -> None:
        if job is not None and self.jobs.finish(job, [a_cue(1)]):
            self.finished.append(job.video)

    @rule(worker=st.sampled_from("xyz"), cost=st.sampled_from([0.0, 0.25]))
    def die(self, worker: str, cost: float) -> None:
        self.jobs.give_back(worker, cost)

    @rule(seconds=st.floats(0, 2 * LEASE))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def each_is_somewhere_once(self) -> None:
        if not hasattr(self, "store"):
            return
        states = {video.id: video.state for video in self.store.videos()}
        assert sorted(states) == sorted(self.added)
        assert len(self.finished) == len(set(self.finished))
        assert {id for id, state in states.items() if state == "done"} == set(self.finished)
        waiting = [id for id, state in states.items() if state in ("queued", "running")]
        assert self.jobs.waiting() == len(waiting)


Table.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_any_order_of_things = Table.TestCase
