"""GIFs read back with Pillow, which had no part in making them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from crossdiff.viewing.encode import write_video


def moving_bar(count: int, size: int = 48) -> list[np.ndarray]:
    """Frames with an orange bar that is one pixel further right in each."""
    frames = np.full((count, size, size, 3), (252, 252, 253), dtype=np.uint8)
    for n in range(count):
        frames[n, :, n : n + 4] = (222, 112, 58)
    return list(frames)


def read_back(path: Path) -> tuple[list[np.ndarray], list[int], int | None]:
    """Pictures, how long each is shown in milliseconds, and how often they loop (0: for ever)."""
    with Image.open(path) as gif:
        frames = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]
        return [picture for picture, _ in frames], [shown for _, shown in frames], gif.info.get("loop")


@pytest.mark.parametrize(
    ("fps", "every", "duration"), [(20.0, 1, 50), (12.5, 1, 80), (30.0, 2, 66.7), (60.0, 3, 50), (100.0, 4, 40)]
)
def test_frames_their_times_and_their_colours(tmp_path: Path, fps: float, every: int, duration: float) -> None:
    frames = moving_bar(24)
    pictures, durations, loop = read_back(write_video(frames, tmp_path / "a.gif", fps))
    assert len(pictures) == 24 // every and loop == 0
    assert np.mean(durations) == pytest.approx(duration, abs=1) and np.ptp(durations) <= 10
    for picture, frame in zip(pictures, frames[::every], strict=True):
        assert np.abs(picture.astype(int) - frame).max() < 12


def test_colours_that_come_late_are_kept(tmp_path: Path) -> None:
    frames = [np.full((32, 32, 3), 250, dtype=np.uint8)] * 150 + moving_bar(3, 32)
    pictures, _, _ = read_back(write_video(frames, tmp_path / "a.gif", 20.0))
    assert np.abs(pictures[-1].astype(int) - frames[-1]).max() < 12


def test_of_one_frame_and_of_odd_size(tmp_path: Path) -> None:
    pictures, _, _ = read_back(write_video(moving_bar(1, 33), tmp_path / "a.gif", 20.0))
    assert [p.shape for p in pictures] == [(34, 34, 3)]
