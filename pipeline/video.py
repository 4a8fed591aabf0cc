"""Frames of a video, one at a time, with the checks that OpenCV leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossdiff.errors import InputError

# Their own lines about damaged files would land between ours; what they mean is in the ledger.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

# These containers count their frames; of the others the header's number is an estimate from the duration.
_COUNTED = frozenset({".avi", ".mp4", ".mov", ".m4v"})
_FPS_RANGE = (1.0, 1000.0)


@dataclass(frozen=True)
class VideoInfo:
    """What a header says. frames: 0 where it does not say; size: (width, height) in pixels, as displayed."""

    frames: int
    fps: float
    size: tuple[int, int]


class Video:
    """A video file being read: `info`, then `frames()`, once."""

    def __init__(self, path: Path) -> None:
        import cv2

        self.path = path
        _check_readable(path)
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise InputError("not a video that can be decoded (wrong or damaged format, or cut before its index)")
        get = self._capture.get
        size = (int(get(cv2.CAP_PROP_FRAME_WIDTH)), int(get(cv2.CAP_PROP_FRAME_HEIGHT)))
        self.info = VideoInfo(max(0, int(get(cv2.CAP_PROP_FRAME_COUNT))), get(cv2.CAP_PROP_FPS), size)
        low, high = _FPS_RANGE
        if not low <= self.info.fps <= high:
            raise InputError(f"header gives {self.info.fps:g} frames per second; re-encode the video")

    def frames(self) -> Iterator[np.ndarray]:
        """RGB frames, uint8, shape (height, width, 3); at the end an `InputError` where frames are missing.

        A file that ends early, or has damaged frames that the decoder dropped, is refused whole: its frame
        numbers no longer tell the time. One missing frame is let pass (some AVI headers count one too many).
        """
        import cv2

        decoded = 0
        try:
            while True:
                more, frame = self._capture.read()
                if not more:
                    break
                decoded += 1
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            self._capture.release()
        check_complete(decoded, self.info.frames, counted=self.path.suffix.lower() in _COUNTED)


def check_complete(decoded: int, declared: int, counted: bool) -> None:
    """Raise where fewer frames were decoded than the header declares. declared: 0 where it is unknown."""
    if decoded == 0:
        raise InputError("no frame could be decoded")
    missing = declared - decoded
    if missing > (1 if counted else max(1, declared // 20)):
        raise InputError(f"truncated or damaged: decoded {decoded} of {declared} frames")


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            if not handle.read(1):
                raise InputError("empty file")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
