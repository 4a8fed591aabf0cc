from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossdiff.errors import InputError
from crossdiff.types import Keypoints2D
from crossdiff.video import VideoReader
from crossdiff.viewing.encode import write_video
from crossdiff.viewing.overlay import DRAWINGS, draw_keypoints, render_overlay

GREY = 90
COUNTS = {"coco17": 17, "halpe26": 26, "wholebody133": 133, "blazepose33": 33, "jhmdb": 15, "humanml3d22": 22}


def person(frames: list[int], keypoint_set: str = "coco17", score: float = 0.9, size: tuple[int, int] = (160, 120)):  # type: ignore[no-untyped-def]
    count = COUNTS[keypoint_set]
    rng = np.random.default_rng(3)
    xy = np.repeat(rng.uniform((40, 20), (120, 100), (1, count, 2)), len(frames), axis=0)
    return Keypoints2D(xy, np.full((len(frames), count), score), np.array(frames), 10.0, size, keypoint_set)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video([np.full((120, 160, 3), GREY, dtype=np.uint8)] * 5, tmp_path / "v.mp4", fps=10)


def changed(frame: np.ndarray) -> int:
    return int((np.abs(frame.astype(int) - GREY).max(axis=-1) > 25).sum())


def test_only_frames_with_keypoints_are_drawn_on(
    video: Path, tmp_path: Path, frames_of: Callable[[Path], list[np.ndarray]]
) -> None:
    path = render_overlay(video, [person([1, 3]), person([3])], tmp_path / "o.mp4", height=60)
    info = VideoReader(path).info
    assert (*info.size, info.frames, info.fps) == (80, 60, 5, pytest.approx(10))
    assert [changed(frame) > 50 for frame in frames_of(path)] == [False, True, False, True, False]


def test_nobody_found_gives_the_plain_video(video: Path, tmp_path: Path) -> None:
    assert VideoReader(render_overlay(video, [], tmp_path / "o.mp4", height=120)).info.frames == 5


@pytest.mark.parametrize("keypoint_set", sorted(DRAWINGS))
def test_weak_points_fade_and_missing_ones_vanish(keypoint_set: str) -> None:
    strength = []
    for score in (0.9, 0.45, 0.1):
        canvas = np.full((120, 160, 3), GREY, dtype=np.uint8)
        found = person([0], keypoint_set, score)
        draw_keypoints(canvas, found.xy[0], found.score[0], DRAWINGS[keypoint_set])
        strength.append(np.abs(canvas.astype(int) - GREY).sum())
    assert strength[0] > 1.5 * strength[1] > 0
    assert strength[2] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_points_that_are_nowhere_do_no_harm(bad: float) -> None:
    canvas = np.full((120, 160, 3), GREY, dtype=np.uint8)
    draw_keypoints(canvas, np.full((17, 2), bad), np.ones(17), DRAWINGS["coco17"])


@pytest.mark.parametrize(("name", "drawing"), DRAWINGS.items())
def test_tables_are_symmetric_and_in_range(name: str, drawing) -> None:  # type: ignore[no-untyped-def]
    points = {k for bone in drawing.bones for k in bone}
    assert max(points) < COUNTS[name]
    assert not drawing.left & drawing.right
    assert len(drawing.left) == len(drawing.right)
    # Every bone of one side has its counterpart; neighbours in the tables differ by one, eyes of BlazePose by three.
    lefts = sum(drawing.left.issuperset(bone) for bone in drawing.bones)
    rights = sum(drawing.right.issuperset(bone) for bone in drawing.bones)
    assert lefts == rights >= 5


def test_bad_requests_are_explained(video: Path, tmp_path: Path) -> None:
    unknown = Keypoints2D(np.zeros((1, 3, 2)), np.zeros((1, 3)), np.array([0]), 10.0, (160, 120), "paws")
    with pytest.raises(InputError, match=r"'paws'.*known: blazepose33, coco17"):
        render_overlay(video, [unknown], tmp_path / "o.mp4")
    with pytest.raises(InputError, match="100 x 500"):
        render_overlay(video, [person([0], size=(100, 500))], tmp_path / "o.mp4")
    with pytest.raises(InputError, match="No such file"):
        render_overlay(tmp_path / "none.mp4", [], tmp_path / "o.mp4")
