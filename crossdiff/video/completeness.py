"""How many frames a video should give, so that a damaged file is recognised."""

from __future__ import annotations

import re

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

# Codecs with one displayed frame per packet, unless it is interlaced.
_FRAME_EACH = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "vp9", "libdav1d", "av1"})
_CHUNK_BYTES = 8  # least size of a frame in an AVI file: the header of its chunk
# A file ends early where the time missing is longer than both: intervals between frames, and seconds.
_MISSING_INTERVALS, _MISSING_SECONDS = 2.0, 0.1
# Largest difference between the ends of the tracks of a file that was cut, in seconds.
_INTERLEAVING = 1.0
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class Completeness:
    """Counts a video's packets and frames; `share` compares them with what the file declares of the video stream.

    size: of the file, in bytes.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, size: int) -> None:
        self._stream = stream
        self._is_avi = container.format.name == "avi"
        self._is_mov = container.format.name.startswith("mov")
        self._of_stream = _stream_seconds(stream)
        # An AVI header that was written before its frames may declare more than fit into the file.
        plausible = not self._is_avi or stream.frames <= size // _CHUNK_BYTES
        of_file = (container.duration or 0) / av.time_base if plausible else 0.0
        self._seconds = self._of_stream or of_file
        self._indexed = len(stream.index_entries)
        self.declared = _shown_entries(stream) if self._is_mov else stream.frames if plausible else 0
        self.frames = 0
        self._lost = self._packets = self._last_dts = 0
        self._interlaced = False
        self._first = self._end = self._others_end = 0.0

    def see(self, packet: Packet) -> None:
        """Count a packet of any stream."""
        time = packet.pts if packet.pts is not None else packet.dts
        end = 0.0 if time is None else float((time + (packet.duration or 0)) * packet.time_base)
        if packet.stream is not self._stream:
            self._others_end = max(self._others_end, end)
        elif packet.size and not packet.is_discard:
            self._first = end if not self._packets else min(self._first, end)
            self._end = max(self._end, end)
            self._packets += 1
            self._last_dts = max(self._last_dts, packet.dts or 0)

    def frame(self, frame: av.VideoFrame) -> bool:
        """Count a decoded frame; returns False if it is damaged."""
        self._interlaced |= frame.interlaced_frame
        if frame.is_corrupt:
            self._lost += 1
        else:
            self.frames += 1
        return not frame.is_corrupt

    def error(self) -> None:
        """Count a packet that could not be decoded."""
        self._lost += 1

    def ended(self) -> None:
        """Call before the container is closed: only now the index of a fragmented file is complete."""
        if self._is_mov:
            self.declared = max(self.declared, _shown_entries(self._stream))

    def about(self, fps: float) -> int:
        """Frames that the file declares, or that its duration gives at a frame rate; 0 if it declares neither."""
        return self.declared or round(self._seconds * fps)

    @property
    def expected(self) -> int:
        """Number of frames of the whole video."""
        seen = self.frames + self._lost
        packets = self._packets if self._stream.name in _FRAME_EACH and not self._interlaced else 0
        return max(seen, self._by_header(), packets, self._by_duration())

    @property
    def share(self) -> float:
        """Fraction of the frames that could be decoded."""
        return self.frames / self.expected if self.frames else 0.0

    def _by_header(self) -> int:
        """Frames that the file declares; 0 of an AVI file that is read to its end.

        An AVI header also counts empty chunks, each of which repeats the frame before it. They take time, but are not
        in the index and give no packets.
        """
        if not self._is_avi:
            return self.declared
        if self._indexed >= self._packets:
            return self._indexed
        chunks = self._last_dts + 1
        # The header may count one too many.
        return self.declared * self._packets // chunks if self.declared > chunks + 1 else 0

    def _by_duration(self) -> int:
        """Frames of the declared duration at the rate until the end; 0 where the video ends when it should."""
        if self.declared or self._packets < 2:
            return 0
        interval = (self._end - self._first) / (self._packets - 1)
        if not self._of_stream and self._others_end > self._end + _INTERLEAVING:
            return 0  # another track continues, so the video ends there
        missing = self._seconds - (self._end if self._of_stream else max(self._end, self._others_end))
        if not interval or missing <= max(_MISSING_INTERVALS * interval, _MISSING_SECONDS):
            return 0
        return self.frames + self._lost + round((self._seconds - self._end) / interval)


def _shown_entries(stream: VideoStream) -> int:
    """Frames in the index of an MP4 file, without those that its edit list leaves out."""
    return sum(not entry.is_discard for entry in stream.index_entries)


def _stream_seconds(stream: VideoStream) -> float:
    """End of the video stream in seconds, from Matroska's tag; 0 without one."""
    clock = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
    hours, minutes, seconds = map(float, clock.groups()) if clock else (0.0, 0.0, 0.0)
    return 3600 * hours + 60 * minutes + seconds
