from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crossdiff.errors import ClipError, InputError
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D
from crossdiff.viewing.render import render_sheet

Walking = Callable[..., Motion3D]


def picture_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def limbs(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture, axis=-1) > 60  # coloured: neither paper nor shadow


def test_a_row_for_each_motion_and_a_panel_for_each_moment(
    tmp_path: Path, skeleton: Skeleton, walking: Walking
) -> None:
    motions = [walking(21, 0.0, skeleton), walking(3, 0.1, skeleton, fps=30.0)]
    picture = picture_of(render_sheet(motions, tmp_path / "s.png", ["one", "two"], moments=4, size=96))
    assert picture.shape[1] == 4 * 96 + 3 * 2  # with a gap between panels
    found = limbs(picture)
    half = picture.shape[0] // 2
    for row, count in ((found[:half], 4), (found[half:], 3)):  # the second motion has three frames alone
        panels = [row[:, n * 98 : n * 98 + 96].any() for n in range(4)]
        assert panels == [n < count for n in range(4)]
    first, last = picture[half - 96 : half, :96], picture[half - 96 : half, -96:]
    assert np.abs(first - last).max() > 60, "the moments differ"


def test_titles_take_room_and_long_ones_wrap(tmp_path: Path, walking: Walking) -> None:
    heights = [
        picture_of(render_sheet([walking(5)], tmp_path / "s.png", titles, 2, 96)).shape
        for titles in ([], ["walks"], ["a person walks forward and then " * 8])
    ]
    assert heights[0][0] < heights[1][0] < heights[2][0] and len({width for _, width, _ in heights}) == 1


def test_bad_requests_to_a_sheet_are_explained(tmp_path: Path, walking: Walking) -> None:
    path = tmp_path / "s.png"
    for motions, titles, moments, size, word in (
        ([], (), 4, 96, "no motions"),
        ([walking(2)], ("a", "b"), 4, 96, "2 titles for 1"),
        ([walking(2)], (), 0, 96, "0 moments"),
        ([walking(2)], (), 4, 8, "too small"),
    ):
        with pytest.raises(InputError, match=word):
            render_sheet(motions, path, titles, moments, size)
    with pytest.raises(ClipError, match="no frames"):
        render_sheet([Motion3D(np.zeros((0, 22, 3)), 20.0)], path)
    assert not path.exists()
