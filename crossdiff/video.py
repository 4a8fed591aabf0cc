"""Video files, read frame by frame as a player shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Float
from numpy import ndarray

from crossdiff.display import Deinterlacer, Display, Picture
from crossdiff.errors import InputError
from crossdiff.timeline import frame_times

SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

# FFmpeg's demuxers of files that hold the video themselves. None of them opens another file.
_DEMUXERS = (
    "apng,asf,avi,dv,flv,gif,gxf,h264,hevc,ivf,matroska,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,wtv,yuv4mpegpipe"
)
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_FPS_RANGE = (1.0, 1000.0)
_MOST_THREADS = 4
_BUFFER = 1 << 18  # bytes read at once
_FRAME_BYTES = 8  # that a frame takes in an AVI file at least: the header of its chunk


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video.

    frames: number that the file declares, 0 where it declares none.
    fps: frames per second.
    size: (width, height) in pixels, as displayed.
    """

    frames: int
    fps: float
    size: tuple[int, int]


class FrameSource(Protocol):
    """Gives the frames of a video once: a `VideoReader`, or a process elsewhere that reads one."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def times(self) -> Float[ndarray, " f"]: ...

    @property
    def decoded(self) -> float: ...

    def frames(self) -> Iterator[Picture]: ...


def holds_video(path: Path) -> bool:
    """Whether a file holds moving pictures, by its content: no still, no cover of an audio file, no playlist.

    Opens that file alone and never raises.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb", buffering=0) as file, _open(file) as container:
            stream = _video_stream(container)
            # Pictures of formats for video (AVIF, GIF) declare one frame.
            return stream is not None and stream.frames != 1
    except Exception:  # whatever FFmpeg and the disk make of it
        return False


class VideoReader:
    """A video file that is read once: `info`, then `frames()` and their `times`.

    fps: the true rate of a file whose time stamps are wrong; frame n is then at n / fps seconds.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        self._rate = fps
        file = _readable(path)
        try:
            self._container = _open(file)
            stream = _video_stream(self._container)
        except Exception as error:
            file.close()
            raise InputError(_NOT_A_VIDEO) from error
        self._file = file
        if stream is None:
            self.close()
            raise InputError("holds no video stream; give a video")
        self._stream = stream
        self._declared = _declared_frames(self._container, stream)
        self._stamps: list[float] = []
        self._shown = self._lost = 0
        self._decoded = self._decode()
        first = next(self._decoded, None)
        if first is None:
            self.close()
            raise InputError("no frame could be decoded; re-encode the video")
        self._first: av.VideoFrame | None = first
        self._display = Display(first, stream.sample_aspect_ratio)
        self.info = VideoInfo(self._declared, self._fps(), self._display.size)

    def close(self) -> None:
        self._container.close()
        self._file.close()

    def frames(self) -> Iterator[Picture]:
        """RGB frames, uint8, shape (height, width, 3)."""
        deinterlacer = Deinterlacer(_threads())
        try:
            while self._first is not None:
                frame, self._first = self._first, None
                for whole in deinterlacer.push(frame):
                    self._shown += 1
                    yield self._display.show(whole)
                self._first = next(self._decoded, None)
            for whole in deinterlacer.flush():
                self._shown += 1
                yield self._display.show(whole)
        finally:
            self.close()

    @property
    def times(self) -> Float[ndarray, " f"]:
        """Seconds of every frame read so far, on the timeline that a player shows."""
        if self._rate is not None:
            return np.arange(self._shown) / self._rate
        return frame_times(np.array(self._stamps[: self._shown], dtype=float), self.info.fps)

    @property
    def decoded(self) -> float:
        """Share of the video's frames that could be decoded, once all are read."""
        return 1.0

    def _decode(self) -> Iterator[av.VideoFrame]:
        stream = self._stream
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _threads()
        for packet in self._container.demux(stream):
            for frame in packet.decode():
                self._stamps.append(np.nan if frame.time is None else frame.time)
                yield frame

    def _fps(self) -> float:
        low, high = _FPS_RANGE
        if self._rate is not None:
            return self._rate
        found = [float(rate) for rate in (self._stream.average_rate, self._stream.guessed_rate) if rate]
        for rate in found:
            if low <= rate <= high:
                return rate
        self.close()
        raise InputError(f"header gives {found[0] if found else 0:g} frames per second; give the true rate with --fps")


_NOT_A_VIDEO = "not a video that can be decoded (wrong or damaged format, or cut before its index)"


def _open(file: BinaryIO) -> InputContainer:
    """FFmpeg reads this file through Python, and can open no other."""
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
    return av.open(file, "r", container_options=options, buffer_size=_BUFFER, io_open=_refuse)


def _refuse(url: str, *_: Any) -> Any:
    raise PermissionError(f"{url}: a video may not name other files")


def _video_stream(container: InputContainer) -> VideoStream | None:
    """The stream that a player shows; no cover and no still."""
    moving = [s for s in container.streams.video if s.codec_context and s.width and not s.disposition & _STILLS]
    best = container.streams.best("video")
    return best if best in moving else next(iter(moving), None)


def _declared_frames(container: InputContainer, stream: VideoStream) -> int:
    return stream.frames


def _threads() -> int:
    """Threads of a decoder: those of a worker, or all cores, up to a few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(wanted) if wanted.isdecimal() and int(wanted) else cores, _MOST_THREADS)


def _readable(path: Path) -> BinaryIO:
    try:
        file = path.open("rb", buffering=0)
        if not file.read(1):
            file.close()
            raise InputError("empty file")
        file.seek(0)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    return file
