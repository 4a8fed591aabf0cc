"""Decoded frames as a player shows them: upright, of square pixels, deinterlaced, in RGB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter
from jaxtyping import UInt8
from numpy import ndarray

Picture = UInt8[ndarray, "h w 3"]

# One thread, as several workers share the cores. Bilinear stretching, the default, would blur.
_CONVERSION: dict[str, Any] = {"threads": 1, "interpolation": Interpolation.BICUBIC}
_MOST_ASPECT = 10  # of a pixel, either way; the widest in use, anamorphic film, has 2
# Transfer functions of high dynamic range (PQ and HLG), which swscale maps to a screen of standard range.
_HDR = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
_STANDARD = {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}


class Display:
    """Turns decoded frames into pictures of one size, that of the first.

    size: (width, height) as displayed.
    """

    def __init__(self, first: av.VideoFrame, pixel_aspect: Fraction | None) -> None:
        self._turn = _turn_of(first)
        width, height = _square_pixels(first.width, first.height, pixel_aspect)
        self._coded = (width, height)
        self.size = (height, width) if self._turn.swap else (width, height)
        self._reformatter = VideoReformatter()

    def show(self, frame: av.VideoFrame) -> Picture:
        """RGB, uint8, shape (height, width, 3)."""
        has_alpha = any(component.is_alpha for component in frame.format.components)
        width, height = self._coded
        options = _CONVERSION | (_STANDARD if frame.color_trc in _HDR else {})
        plain = self._reformatter.reformat(frame, width, height, "rgba" if has_alpha else "rgb24", **options)
        picture = np.ascontiguousarray(plain.to_ndarray())  # rows of some widths are padded
        return self._turn.apply(_on_black(picture) if has_alpha else picture)


class _Turn:
    """A turn by right angles, mirrored or not: rows and columns change places first, then each may be flipped."""

    def __init__(self, swap: bool, flip_x: bool, flip_y: bool) -> None:
        self.swap = swap
        self._flip = {(True, True): -1, (True, False): 1, (False, True): 0}.get((flip_x, flip_y))

    def apply(self, picture: Picture) -> Picture:
        if self.swap:
            picture = cv2.transpose(picture)
        return picture if self._flip is None else cv2.flip(picture, self._flip)


def _turn_of(frame: av.VideoFrame) -> _Turn:
    """The display matrix (FFmpeg, libavutil/display.h) rounded to right angles.

    It takes the pixel (p, q), y down, to (a p + c q, b p + d q); it is stored as a, b, u, c, d, v, x, y, w.
    """
    data: Iterable[Any] = frame.side_data  # PyAV types it as a dictionary of one kind
    matrices = [one for one in data if one.type is Type.DISPLAYMATRIX]
    if not matrices:
        return _Turn(False, False, False)
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrices[0]), dtype=np.int32).astype(np.int64)
    swap = bool(abs(b) + abs(c) > abs(a) + abs(d))
    return _Turn(swap, bool((c if swap else a) < 0), bool((b if swap else d) < 0))


def _square_pixels(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Size with square pixels; the side that grows is stretched, so that no detail is lost. aspect: width / height.

    An aspect beyond `_MOST_ASPECT` is an error of the header, which would make frames of gigabytes; it is ignored.
    """
    if not aspect or not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _on_black(picture: UInt8[ndarray, "h w 4"]) -> Picture:
    """Blend RGBA with black, as a player does."""
    if picture[..., 3].min() == 255:
        return np.ascontiguousarray(picture[..., :3])
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 127) // 255).astype(np.uint8)


class Deinterlacer:
    """Deinterlaces the frames that are flagged as interlaced; passes on the others unchanged, one frame late.

    threads: of the filter.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Frames that are complete; until the first interlaced frame each comes back at once."""
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and kind != self._kind:
            yield from self.flush()
        if self._graph is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self._start(frame)
            self._kind = kind
        assert self._graph is not None
        self._graph.vpush(frame)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """The frames that the filter still holds."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pull()
            self._graph = None

    def _start(self, frame: av.VideoFrame) -> None:
        graph = self._graph = Graph()
        graph.threads = self._threads
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
        )
        # One frame for each, and only those flagged as interlaced.
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()

    def _pull(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
