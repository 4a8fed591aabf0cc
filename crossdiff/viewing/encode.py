"""Writing video files, one frame at a time: H.264 that browsers play, and GIF."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from crossdiff.errors import CrossDiffError, InputError
from crossdiff.files import write_atomically

Image = UInt8[ndarray, "h w 3"]

# The palette of a GIF is made from this many frames, which ffmpeg holds in memory.
_PALETTE_FRAMES = 200
_GIF_FPS = 25.0  # browsers show a GIF of more than 50 frames/s at 10


@dataclass(frozen=True)
class _Format:
    """Settings of ffmpeg, by its names."""

    codec: str
    input_pixels: str
    """Pixel format of the frames that it is given."""
    pixels: str
    """Pixel format of the file."""
    options: list[str]
    """Further arguments."""


_FORMATS = {
    # Constant quality 20 hides no line of a drawn figure; `veryfast` keeps the encoder ahead of the drawing.
    ".mp4": _Format("libx264", "yuv420p", "yuv420p", ["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"]),
    # One palette for all frames and no dither: plain areas stay plain, do not flicker, and pack well.
    ".gif": _Format(
        "gif",
        "rgb24",
        "pal8",
        [
            "-vf",
            f"split[seen][all];[seen]trim=end_frame={_PALETTE_FRAMES},palettegen=max_colors=128[palette];"
            "[all][palette]paletteuse=dither=none",
        ],
    ),
}


def write_video(frames: Iterable[Image], path: Path, fps: float) -> Path:
    """Encode RGB frames of one size, shape (H, W, 3), as H.264 in yuv420p (.mp4) or as a GIF that loops (.gif).

    An odd side grows by one pixel. A GIF shows 25 frames a second at most: of faster ones every second or third is
    taken. The file appears under its name only when it is complete.
    """
    if not np.isfinite(fps) or fps <= 0:
        raise InputError(f"{path}: frame rate must be positive, got {fps}")
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: videos are written as {' or '.join(_FORMATS)}; change the name")
    if path.suffix.lower() == ".gif":
        every = math.ceil(fps / _GIF_FPS)
        frames, fps = islice(frames, 0, None, every), fps / every
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise InputError(f"{path}: no frames to write; give at least one")
    write_atomically(path, lambda temporary: _encode(first, source, temporary, fps))
    return path


def _encode(first: Image, rest: Iterator[Image], path: Path, fps: float) -> None:
    shape, kind = first.shape, _FORMATS[path.suffix.lower()]
    height, width = _even(first).shape[:2]
    # Absolute: ffmpeg takes `take:1.mp4` for a protocol, and what begins with `-` for an option.
    writer = imageio_ffmpeg.write_frames(
        path.absolute(), (width, height), fps=fps, codec=kind.codec, pix_fmt_in=kind.input_pixels,
        pix_fmt_out=kind.pixels, quality=None, macro_block_size=2, output_params=list(kind.options),
        ffmpeg_log_level="error",
    )  # fmt: skip
    writer.send(None)
    try:
        writer.send(_converted(first, kind.input_pixels))
        for number, frame in enumerate(rest, start=1):
            if frame.shape != shape:
                raise InputError(f"{path}: frame {number} has shape {frame.shape}, the first has {shape}")
            writer.send(_converted(frame, kind.input_pixels))
    except OSError as error:
        raise CrossDiffError(f"{path}: ffmpeg stopped ({error}); is the disk full?") from error
    finally:
        writer.close()
    # imageio-ffmpeg does not look at ffmpeg's exit status.
    if not path.is_file() or path.stat().st_size == 0:
        raise CrossDiffError(f"{path}: ffmpeg wrote nothing; is the folder writable and the disk not full?")


def _converted(frame: Image, pixels: str) -> ndarray:
    """A frame in the pixel format. OpenCV converts to yuv420p faster than ffmpeg, and half as many bytes are passed."""
    frame = _even(frame)
    return cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420) if pixels == "yuv420p" else frame


def _even(frame: Image) -> Image:
    """H.264 in yuv420p stores colour for 2 x 2 pixels, so both sizes must be even."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise InputError(f"video frame: expected (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)
