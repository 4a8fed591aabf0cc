from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossdiff.errors import InputError
from crossdiff.video import VideoReader
from crossdiff.viewing.encode import write_video


def ramp(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    return [np.full((height, width, 3), (20 + 20 * n, 120, 60), dtype=np.uint8) for n in range(count)]


def test_frames_come_back_with_their_number_size_rate_and_colours(tmp_path: Path) -> None:
    path = write_video(ramp(7), tmp_path / "a.mp4", fps=12.5)
    info = VideoReader(path).info
    assert (*info.size, info.frames) == (64, 48, 7)
    assert info.fps == pytest.approx(12.5)
    for n, frame in enumerate(VideoReader(path).frames()):
        assert np.abs(frame.mean(axis=(0, 1)) - (20 + 20 * n, 120, 60)).max() < 6  # red stays red


@pytest.mark.parametrize("name", ["take:1.mp4", "-x/a.mp4", "take:1.gif"])
def test_names_that_ffmpeg_would_read_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(list(VideoReader(write_video(ramp(2), Path(name), fps=20)).frames())) == 2


def test_plays_in_browsers(tmp_path: Path) -> None:
    data = write_video(ramp(3), tmp_path / "a.mp4", fps=20).read_bytes()
    assert b"avc1" in data
    assert data.index(b"moov") < data.index(b"mdat"), "the index must come first, so that playing starts at once"


def test_odd_sizes_grow_to_even_ones(tmp_path: Path) -> None:
    info = VideoReader(write_video(ramp(2, 33, 41), tmp_path / "a.mp4", fps=20)).info
    assert info.size == (42, 34)


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 20.0, "no frames"),
        (ramp(2), 0.0, "frame rate"),
        (ramp(2), float("nan"), "frame rate"),
        ([*ramp(1), *ramp(1, 20, 20)], 20.0, "frame 1 has shape"),
        ([np.zeros((8, 8, 3))], 20.0, "uint8"),
        ([np.zeros((8, 8), np.uint8)], 20.0, "uint8"),
    ],
)
def test_bad_frames_are_named_and_leave_nothing(tmp_path: Path, frames: list, fps: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_video(frames, tmp_path / "a.mp4", fps)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_video(ramp(2), tmp_path / "a.mp4", fps=20)
    before = path.read_bytes()

    def broken():  # type: ignore[no-untyped-def]
        yield from ramp(3)
        raise RuntimeError("drawing failed")

    with pytest.raises(RuntimeError, match="drawing failed"):
        write_video(broken(), path, fps=20)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mp4"):
        write_video(ramp(1), tmp_path / "a.avi", fps=20)
