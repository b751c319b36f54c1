"""A video to mouth clips: with a stand-in for the face model that knows where the faces are, and with the real one."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from avsr.errors import MediaError, NoFaceError
from avsr.lips import extract
from avsr.lips.crop import TEMPLATE, fill_gaps, smooth, warp
from avsr.lips.extract import STRIDE, extract_mouth_clips
from avsr.lips.landmarks import Face
from avsr.media.video import Frame, VideoReader
from tests.media_maker import spoil

WIDTH, HEIGHT = 320, 240


def write_video(path: Path, frames: list[np.ndarray], fps: int = 25) -> Path:
    """RGB frames to an H.264 file."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def drawn(total: int, x: float = 160.0) -> list[np.ndarray]:
    """A grey scene whose brightness tells the frame, with a dark mouth at (x, 120)."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    frames = []
    for index in range(total):
        picture = np.full((HEIGHT, WIDTH, 3), 100 + index % 80, np.uint8)
        picture[(abs(columns - x) < 20) & (abs(rows - 120) < 8)] = 20
        frames.append(picture)
    return frames


def face_at(x: float, scale: float = 0.6) -> Face:
    """A face whose mouth (74 pixels wide in the template, centred at 48, 46) is at (x, 120)."""
    points = (TEMPLATE - (48, 46)) * scale + (x, 120)
    return Face(points, np.array([x - 50, 20, x + 50, 160]))


class KnowingDetector:
    """Gives the faces that the test wrote down, by frame number; else works as the real one is worked."""

    where: dict[int, list[Face]] = {}
    looks: list[int] = []

    def __init__(self, max_faces: int = 1) -> None:
        self.max_faces = max_faces

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        assert image.flags["C_CONTIGUOUS"] and image.dtype == np.uint8
        index = round(time * 25)
        self.looks.append(index)
        return self.where.get(index, [])[: self.max_faces]


@pytest.fixture
def knowing(monkeypatch):
    monkeypatch.setattr(extract, "FaceDetector", KnowingDetector)
    monkeypatch.setattr(KnowingDetector, "where", {})
    monkeypatch.setattr(KnowingDetector, "looks", [])
    return KnowingDetector


def test_one_face_throughout(tmp_path, knowing):
    knowing.where = {index: [face_at(160)] for index in range(60)}
    video = write_video(tmp_path / "v.mp4", drawn(60))
    (clip,) = extract_mouth_clips(video)
    assert clip.frames.shape == (60, 96, 96) and clip.start == 0 and (clip.confidence == 1).all()
    assert knowing.looks == list(range(0, 60, STRIDE))
    assert (clip.frames[:, 46, 48] < 45).all()  # the mouth is where it should be
    assert np.allclose(clip.frames[:, 5, 5], 100 + np.arange(60), atol=6)  # and every frame is its own


def test_a_part_of_the_file(tmp_path, knowing):
    knowing.where = {index: [face_at(160)] for index in range(60)}
    video = write_video(tmp_path / "v.mp4", drawn(60))
    (clip,) = extract_mouth_clips(video, start=1.0, end=2.0)
    assert len(clip.frames) == 25 and clip.start == 1.0
    assert np.allclose(clip.frames[:, 5, 5], 125 + np.arange(25), atol=6)


def test_cutting_as_frames_come_equals_cutting_with_all_known(tmp_path, knowing):
    """The delay is long enough: gaps short and long, at any place, give what a second pass would give."""
    rng = np.random.default_rng(5)
    total = 150
    path = 160 + np.cumsum(rng.normal(0, 1.0, total))
    lost = np.zeros(total, bool)
    for first, count in ((0, 8), (31, 3), (60, 10), (90, 14), (120, 5)):
        lost[first : first + count] = True
    looked = [index for index in range(0, total, STRIDE) if not lost[index]]
    knowing.where = {index: [face_at(path[index])] for index in looked}
    frames = drawn(total)
    (clip,) = extract_mouth_clips(write_video(tmp_path / "v.mp4", frames))

    points = np.full((total, 5, 2), np.nan)
    points[looked] = [face_at(path[index]).points for index in looked]
    filled, trust = fill_gaps(points, np.where(np.isnan(points[:, 0, 0]), 0, 1.0), stride=STRIDE)
    filled = smooth(filled)
    assert np.allclose(clip.confidence, trust, atol=1e-6)
    for index in range(total):
        if np.isnan(filled[index, 0, 0]):
            assert (clip.frames[index] == 0).all()
        else:
            wanted = warp(frames[index][..., 0], filled[index])
            assert np.abs(clip.frames[index].astype(int) - wanted).mean() < 3
    assert (clip.confidence == 0).sum() == 15  # the long gap, with the unlooked frame beside it


def test_a_change_of_shot_is_joined_without_smoothing_over_it(tmp_path, knowing):
    knowing.where = {index: [face_at(80 if index < 30 else 240)] for index in range(60)}
    frames = drawn(30, 80) + drawn(60, 240)[30:]
    (clip,) = extract_mouth_clips(write_video(tmp_path / "v.mp4", frames))
    sure = clip.confidence > 0
    assert sure.sum() >= 59 and (clip.frames[sure][:, 46, 48] < 45).all()


def test_two_people_give_two_clips_best_first(tmp_path, knowing):
    knowing.where = {index: [face_at(80)] if index < 20 else [face_at(240), face_at(80)] for index in range(60)}
    video = write_video(tmp_path / "v.mp4", drawn(60, 240))
    longer, shorter = extract_mouth_clips(video, max_faces=2)
    assert longer.start == 0 and len(longer.frames) == 60
    assert shorter.start == pytest.approx(0.8) and len(shorter.frames) == 40
    assert (shorter.frames[-30:, 46, 48] < 45).all()


def test_no_face_is_one_sentence(tmp_path, knowing):
    video = write_video(tmp_path / "empty.mp4", drawn(30))
    with pytest.raises(NoFaceError, match=r"empty\.mp4: no face was found"):
        extract_mouth_clips(video)
    knowing.where = {10: [face_at(160)], 12: [face_at(160)]}  # two looks are not a person
    with pytest.raises(NoFaceError):
        extract_mouth_clips(video)


def test_damaged_pictures_count_for_nothing(tmp_path, knowing):
    """What the file does not give is the last good picture, at confidence 0, and nobody looks for a face in it."""
    knowing.where = {index: [face_at(160)] for index in range(75)}
    rng = np.random.default_rng(6)
    scene = rng.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    whole = write_video(tmp_path / "v.mp4", [np.roll(scene, index, 0) for index in range(75)])
    reader = VideoReader(spoil(whole, "video", 1.0, 1.6))
    damaged = np.array([frame.damaged for frame in reader])
    assert 10 < damaged.sum() < 65
    (clip,) = extract_mouth_clips(reader.path)
    assert np.array_equal(clip.confidence == 0, damaged)
    assert not damaged[knowing.looks].any()


def test_frames_wait_only_as_long_as_needed(tmp_path, knowing, monkeypatch):
    knowing.where = {index: [face_at(160)] for index in range(300)}
    most = []
    add = extract._Collector.add

    def watched(self, *args, **kwargs):
        add(self, *args, **kwargs)
        most.append(len(self._waiting))

    monkeypatch.setattr(extract._Collector, "add", watched)
    extract_mouth_clips(write_video(tmp_path / "long.mp4", drawn(300)))
    assert max(most) < 40


def test_what_fails_while_reading_fails_here(tmp_path, knowing):
    (tmp_path / "no.mp4").write_bytes(b"not media at all")
    with pytest.raises(MediaError, match=r"no\.mp4"):
        extract_mouth_clips(tmp_path / "no.mp4")


def test_reading_ahead_hands_on_errors_and_stops_early():
    frames = [Frame(index, index / 25, np.zeros((4, 6, 3), np.uint8), False) for index in range(3)]

    def failing():
        yield from frames
        raise MediaError("broken off")

    seen = []
    with pytest.raises(MediaError, match="broken off"):
        for item in extract._ahead(failing()):
            seen.append(item.index)
    assert seen == [0, 1, 2]

    for _ in extract._ahead(itertools.repeat(frames[0])):
        break  # must not hang on the full queue


def test_mouths_already_cut_are_fitted(tmp_path):
    frames = [np.full((50, 100, 3), 40 + index, np.uint8) for index in range(30)]
    (clip,) = extract_mouth_clips(write_video(tmp_path / "m.mp4", frames), mouth_only=True)
    assert clip.frames.shape == (30, 96, 96) and (clip.confidence == 1).all()
    assert np.allclose(clip.frames.mean((1, 2)), 40 + np.arange(30), atol=3)


def test_a_large_picture_is_halved_first():
    assert extract.shrunk(np.zeros((2160, 3840, 3), np.uint8)).shape == (1080, 1920, 3)
    assert extract.shrunk(np.zeros((480, 640, 3), np.uint8)).shape == (480, 640, 3)


def test_real_faces(face_model, shared_data, capfd):
    """The real face model on real clips: steady, sure, and the mouth in the middle; nothing said on stderr."""
    for pattern in ("grid_s1/video/*.mp4", "aihub_538/clips/*.mp4"):
        video = sorted(shared_data.glob(pattern))[0]
        (clip,) = extract_mouth_clips(video)
        (again,) = extract_mouth_clips(video)
        assert np.array_equal(clip.frames, again.frames)  # the same file gives the same bits
        assert len(clip.frames) > 50 and clip.confidence.mean() > 0.9
        motion = np.abs(np.diff(clip.frames.astype(float), axis=0)).mean(0)
        assert motion[30:66, 20:76].mean() > 1.5 * motion[:12].mean()  # what moves is the mouth, not the nose
    assert capfd.readouterr().err == ""


def test_real_clip_that_opens_with_grey(face_model, shared_data):
    """GRID's bbizzn shows nothing for its first 12 frames."""
    video = shared_data / "grid_s1/video/bbizzn.mp4"
    if not video.is_file():
        pytest.skip(f"{video} is absent")
    (clip,) = extract_mouth_clips(video)
    assert (clip.confidence[:12] < 0.5).all() and (clip.confidence[12:] > 0.9).all()
