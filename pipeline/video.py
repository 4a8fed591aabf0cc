"""Frames of a video, one at a time, with the checks that OpenCV leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError

# Their own lines about damaged files would land between ours; what they mean is in the ledger.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

_FPS_RANGE = (1.0, 1000.0)
# Seconds by which containers round time stamps: within that of an even rate they say no more than the rate.
_ROUNDING = 1.1e-3
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


@dataclass(frozen=True)
class VideoInfo:
    """What a header says. frames: 0 where it does not say; size: (width, height) in pixels, as displayed."""

    frames: int
    fps: float
    size: tuple[int, int]


class FrameSource(Protocol):
    """What gives a video's frames, once: a `Video`, or a process elsewhere that reads one."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def times(self) -> Float[ndarray, " f"]: ...

    def frames(self) -> Iterator[np.ndarray]: ...


class Video:
    """A video file being read: `info`, then `frames()`, once, and their `times`."""

    def __init__(self, path: Path) -> None:
        import cv2

        self.path = path
        with _readable(path) as file:
            self._shown = mp4_seconds(file)
        self._stamps: list[float] = []
        # Absolute: ffmpeg takes `take:1.mp4` for a protocol.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise InputError("not a video that can be decoded (wrong or damaged format, or cut before its index)")
        get = self._capture.get
        size = (int(get(cv2.CAP_PROP_FRAME_WIDTH)), int(get(cv2.CAP_PROP_FRAME_HEIGHT)))
        self.info = VideoInfo(max(0, int(get(cv2.CAP_PROP_FRAME_COUNT))), get(cv2.CAP_PROP_FPS), size)
        low, high = _FPS_RANGE
        if not low <= self.info.fps <= high:
            raise InputError(f"header gives {self.info.fps:g} frames per second; re-encode the video")

    def frames(self) -> Iterator[np.ndarray]:
        """RGB frames, uint8, shape (height, width, 3); at the end an `InputError` where frames are missing."""
        import cv2

        try:
            while True:
                more, frame = self._capture.read()
                if not more:
                    break
                self._stamps.append(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            self._capture.release()
        declared, fps = self.info.frames, self.info.fps
        decoded = len(self._stamps)
        if self._shown is not None:  # an MP4 file may hold frames that its edit list leaves out
            declared = min(declared, round(self._shown * fps))
        elif decoded and self.path.suffix.lower() != ".avi":  # the header gives a duration, not a number of frames
            decoded = max(decoded, round(self.times[-1] * fps) + 1)
        check_complete(decoded, declared, counted=self.path.suffix.lower() == ".avi")

    @property
    def times(self) -> Float[ndarray, " f"]:
        """Seconds since the first frame of every frame read so far."""
        return times(np.array(self._stamps), self.info.fps)


def times(stamps: Float[ndarray, " f"], fps: float) -> Float[ndarray, " f"]:
    """Seconds since the first frame, increasing, from the time stamps that a file gives.

    Stamps that do not increase are not believed: those frames come evenly between their neighbours, or at `fps` at
    the end. Where more than one in ten is like that, or all are those of an even rate, rounded, every frame comes
    at `fps`.
    """
    even = np.arange(len(stamps)) / fps
    highest = np.maximum.accumulate(stamps)
    good = np.concatenate([[True], stamps[1:] > highest[:-1]])[: len(stamps)]
    off = np.abs(stamps - stamps[:1] - even)[good]
    if good.sum() < 2 or good.mean() < 0.9 or off.max() <= _ROUNDING:
        return even
    frames = np.flatnonzero(good)
    seconds = np.interp(np.arange(len(stamps)), frames, stamps[frames]) - stamps[0]
    return seconds + np.maximum(np.arange(len(stamps)) - frames[-1], 0) / fps


def check_complete(decoded: int, declared: int, counted: bool) -> None:
    """Raise where fewer frames were decoded than the header declares. declared: 0 where it is unknown.

    counted: the header counts the frames, though it may count one too many; otherwise it only has a duration.
    """
    if decoded == 0:
        raise InputError("no frame could be decoded")
    missing = declared - decoded
    if missing > (1 if counted else max(1, declared // 20)):
        raise InputError(f"truncated or damaged: decoded {decoded} of {declared} frames")


def mp4_seconds(file: BinaryIO) -> float | None:
    """Duration of an MP4 or QuickTime file, None for other formats; raises where the file ends inside a box."""
    end, at, seconds = file.seek(0, os.SEEK_END), 0, None
    while at + 8 <= end:
        file.seek(at)
        header = file.read(64)
        if header[4:8] not in _MP4_BOXES and at == 0:
            return None
        if header[4:8] == b"moov" and header[12:16] == b"mvhd":
            seconds = _movie_seconds(header[16:])
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        at = end if size == 0 else at + max(size, 8)
    if at > end:
        raise InputError(f"truncated: {end} of {at} bytes are there")
    return seconds


def _movie_seconds(header: bytes) -> float | None:
    """From the content of a movie header box: version, flags, two dates, ticks per second, ticks."""
    wide = header[0] == 1
    per_second, ticks = (header[20:24], header[24:32]) if wide else (header[12:16], header[16:20])
    rate = int.from_bytes(per_second, "big")
    return int.from_bytes(ticks, "big") / rate if rate else None


def _readable(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        if not file.read(1):
            file.close()
            raise InputError("empty file")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    return file
