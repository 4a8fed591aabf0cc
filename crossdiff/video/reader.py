"""The reader of video files. It opens the file that it is given and no other."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self
from weakref import finalize

import av
import numpy as np
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import VideoError
from crossdiff.threads import num_threads
from crossdiff.video.completeness import Completeness
from crossdiff.video.display import Deinterlacer, Display, Picture
from crossdiff.video.timeline import frame_times, increases

# FFmpeg's demuxers of files that hold the video themselves. None of them opens another file.
_DEMUXERS = (
    "apng,asf,avi,dv,flv,gif,gxf,h264,hevc,ivf,matroska,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,wtv,yuv4mpegpipe"
)
# Those whose header declares a duration; in others FFmpeg estimates it.
_DECLARING = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"}
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_FPS_RANGE = (1.0, 1000.0)
_MOST_THREADS = 4
_BUFFER = 1 << 18  # bytes read at once


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video.

    frames: about how many the file declares, 0 where it declares none.
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
    except Exception:  # FFmpeg and the disk raise many kinds
        return False


def read_header(path: Path) -> VideoInfo | None:
    """What a file says about its video, without decoding a frame; None if it does not say enough, or is no video.

    Its frames are those of the longest duration that it declares, its size is that before any rotation. Never raises.
    """
    try:
        with path.open("rb", buffering=0) as file, _open(file) as container:
            stream = _video_stream(container)
            rate = None if stream is None else _header_rate(stream)
            if stream is None or rate is None or not container.duration or container.format.name not in _DECLARING:
                return None
            # The index of a fragmented file may be incomplete, so the number of frames alone does not count.
            seconds = max(container.duration / av.time_base, stream.frames / rate)
            return VideoInfo(round(seconds * rate), rate, (stream.width, stream.height))
    except Exception:  # as in `holds_video`
        return None


class VideoReader:
    """A video file that is read once: `info`, then `frames()`, then their `times` and the share `decoded`.

    fps: the true rate of a file whose time stamps are wrong; frame n is then at n / fps seconds. Closes its file after
    the last frame, or as a context manager.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        file = _readable(path)
        self._close_file = finalize(self, file.close)
        try:
            container = _open(file)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(path, _NOT_A_VIDEO) from error
        stream = _video_stream(container)
        if stream is None:
            raise VideoError(path, "holds no video stream; give a video")
        self._count = Completeness(container, stream, path.stat().st_size)
        rate = fps or _header_rate(stream)
        if rate is None:
            raise VideoError(path, "the header gives no frame rate from 1 to 1000; give the true one with --fps")
        self._clock = _Clock(container, stream, rate, is_given=fps is not None)
        self._decoded = self._decode(container, stream)
        self._next = next(self._decoded, None)
        if self._next is None:
            raise VideoError(path, "no frame could be decoded; give another file, or re-encode it")
        self._display = Display(self._next, stream.sample_aspect_ratio)
        self.info = VideoInfo(self._count.about(self._clock.fps), self._clock.fps, self._display.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoded.close()

    def frames(self) -> Iterator[Picture]:
        """RGB frames, uint8, shape (height, width, 3)."""
        deinterlacer = Deinterlacer(_threads())
        with self:
            while self._next is not None:
                frame, self._next = self._next, None
                yield from map(self._display.show, deinterlacer.push(frame))
                self._next = next(self._decoded, None)
            yield from map(self._display.show, deinterlacer.flush())

    @property
    def times(self) -> Float[ndarray, " f"]:
        """Seconds of every frame, once all are read, on the timeline that a player shows."""
        return self._clock.times()

    @property
    def decoded(self) -> float:
        """Fraction of the video's frames that could be decoded, once all are read."""
        return self._count.share

    def _decode(self, container: InputContainer, stream: VideoStream) -> Generator[av.VideoFrame]:
        """The frames that decode without an error; the others are counted."""
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _threads()
        try:
            for packet in _packets(container):
                self._count.see(packet)
                if packet.stream is not stream:
                    continue
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    self._count.error()
                    continue
                for frame in frames:
                    if self._count.frame(frame):
                        self._clock.add(frame)
                        yield frame
            self._count.ended()
        finally:
            container.close()
            self._close_file()


class _Clock:
    """The time of every frame, from the time stamps of the file or from a given frame rate."""

    def __init__(self, container: InputContainer, stream: VideoStream, fps: float, is_given: bool) -> None:
        self._is_given = is_given
        self.fps = fps
        # The clocks of broadcast formats start anywhere; players start at the first track.
        runs_free = container.format.flags & Flags.ts_discont.value  # type: ignore[operator]
        self._zero = (container.start_time or 0) / av.time_base if runs_free else 0.0
        # AVI has no times of presentation: frames are shown as evenly as their packets come.
        self._only_dts = container.format.name == "avi"
        self._start = float((stream.start_time or 0) * (stream.time_base or 0)) - self._zero
        self._pts: list[float] = []
        self._dts: list[float] = []

    def add(self, frame: av.VideoFrame) -> None:
        base = float(frame.time_base or 0)
        self._pts.append(np.nan if frame.pts is None else frame.pts * base)
        self._dts.append(np.nan if frame.dts is None else frame.dts * base)

    def times(self) -> Float[ndarray, " f"]:
        """Seconds of the frames added so far, increasing."""
        if self._is_given:
            return np.arange(len(self._pts)) / self.fps
        pts, dts = np.array(self._pts), np.array(self._dts)
        if not self._only_dts and increases(pts):
            return frame_times(pts - self._zero, self.fps)
        return self._start + frame_times(dts - np.nanmin(dts, initial=np.inf), self.fps)


_NOT_A_VIDEO = "not a video that can be decoded (wrong or damaged format, or cut before its index)"


def _open(file: BinaryIO) -> InputContainer:
    """FFmpeg reads this file through Python, and can open no other."""
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
    # Titles of old files may have any encoding; the default raises if they are not UTF-8.
    return av.open(
        file, "r", container_options=options, buffer_size=_BUFFER, io_open=_refuse, metadata_errors="replace"
    )


def _refuse(url: str, *_: Any) -> Any:
    raise PermissionError(f"{url}: a video may not name other files")


def _video_stream(container: InputContainer) -> VideoStream | None:
    """The stream that a player shows; no cover and no still."""
    moving = [s for s in container.streams.video if s.codec_context and s.width and not s.disposition & _STILLS]
    best = container.streams.best("video")
    return best if best in moving else next(iter(moving), None)


def _packets(container: InputContainer) -> Iterator[Packet]:
    """All packets up to the end of the file, or to where FFmpeg cannot read on."""
    with suppress(av.error.FFmpegError):
        yield from container.demux()


def _header_rate(stream: VideoStream) -> float | None:
    """Frames per second; None where the header gives no rate that a video can have."""
    declared = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    low, high = _FPS_RANGE
    for rate in declared:
        if low <= rate <= high:
            return rate
    return None


def _threads() -> int:
    """Threads of a decoder."""
    return min(num_threads(), _MOST_THREADS)


def _readable(path: Path) -> BinaryIO:
    try:
        file = path.open("rb", buffering=0)
        if not file.read(1):
            file.close()
            raise VideoError(path, "empty file")
        file.seek(0)
    except OSError as error:
        raise VideoError(path, f"cannot be read ({error.strerror}); check that it is there and readable") from None
    return file
