from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from crossdiff.errors import ClipError, InputError
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D
from crossdiff.viewing.encode import write_video
from crossdiff.viewing.stills import contact_sheet, motion_strip

Walking = Callable[..., Motion3D]


def shades(count: int) -> list[np.ndarray]:
    return [np.full((40, 60, 3), 10 * n, dtype=np.uint8) for n in range(count)]


def cells(path: Path, columns: int, rows: int, width: int, height: int) -> list[int]:
    sheet = cv2.imread(str(path))
    assert sheet.shape == (rows * (height + 6) - 6, columns * (width + 6) - 6, 3)
    middles = [
        (r * (height + 6) + height // 2, c * (width + 6) + width // 2) for r in range(rows) for c in range(columns)
    ]
    return [int(sheet[place].mean()) for place in middles]


def test_sheet_of_frames_is_evenly_spread(tmp_path: Path) -> None:
    path = contact_sheet(shades(21), tmp_path / "s.png", columns=3, count=5, width=60)
    assert cells(path, 3, 2, 60, 40) == [0, 50, 100, 150, 200, 255]  # the sixth cell is empty


def test_sheet_of_a_video_is_the_same(tmp_path: Path) -> None:
    video = write_video(shades(21), tmp_path / "v.mp4", fps=20)
    got = cells(contact_sheet(video, tmp_path / "s.png", columns=5, count=5, width=60), 5, 1, 60, 40)
    assert np.abs(np.subtract(got, [0, 50, 100, 150, 200])).max() < 6


def test_short_sources_give_what_they_have(tmp_path: Path) -> None:
    assert cells(contact_sheet(shades(2), tmp_path / "s.png", count=8, width=60), 2, 1, 60, 40) == [0, 10]
    with pytest.raises(InputError, match="no frames"):
        contact_sheet([], tmp_path / "s.png")
    with pytest.raises(InputError, match="must be positive"):
        contact_sheet(shades(2), tmp_path / "s.png", columns=0)


@pytest.mark.parametrize("speed", [0.0, 0.05, -0.05, 0.6])
def test_strip_holds_all_poses_inside(tmp_path: Path, skeleton: Skeleton, speed: float, walking: Walking) -> None:
    path = motion_strip(walking(20, speed, skeleton), tmp_path / "s.png", poses=5, height=100)
    picture = cv2.imread(str(path)).astype(int)
    assert picture.shape[0] == 100
    assert 150 < picture.shape[1] < 900
    limb = np.ptp(picture, axis=-1) > 60  # coloured: neither paper nor shadow
    assert limb.any()
    assert not (limb[[0, -1]].any() or limb[:, [0, -1]].any())
    # Later poses are more solid: time runs from left to right.
    columns = np.flatnonzero(limb.any(axis=0))
    assert columns.mean() > picture.shape[1] * 0.45


def test_strip_of_one_frame_and_of_none(tmp_path: Path, walking: Walking) -> None:
    assert motion_strip(walking(1), tmp_path / "s.png", height=64).is_file()
    with pytest.raises(ClipError, match="no frames"):
        motion_strip(Motion3D(np.zeros((0, 22, 3)), 20.0), tmp_path / "s.png")
    with pytest.raises(InputError, match="0 poses"):
        motion_strip(walking(3), tmp_path / "s.png", poses=0)
    with pytest.raises(InputError, match=r"\.png"):
        motion_strip(walking(3), tmp_path / "s.gif", height=64)
