"""Small video files of every kind, made with PyAV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
# Top left, top right, bottom left, bottom right.
QUARTERS = np.array([[(220, 30, 30), (30, 200, 30)], [(30, 30, 220), (230, 230, 230)]], np.uint8)


def quarters(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture whose corners tell how it is turned."""
    return np.repeat(np.repeat(QUARTERS, height // 2, axis=0), width // 2, axis=1)


def shades(count: int, first: int = 20, step: int = 6) -> list[np.ndarray]:
    """Plain frames, each a little brighter: their means say which frame is which."""
    return [np.full((HEIGHT, WIDTH, 3), first + step * n, np.uint8) for n in range(count)]


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    fps: int = 25,
    audio: float = 0.0,
    setup: Callable[[Any], object] = lambda stream: None,
    change: Callable[[av.VideoFrame], av.VideoFrame] = lambda frame: frame,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write RGB frames. times: seconds of each; audio: seconds of silence beside them, from 0.

    setup: changes the stream before it is opened; change: each frame before it is encoded.
    """
    frames = list(frames)
    tick = Fraction(1, 1000) if times is not None else Fraction(1, fps)
    stamps = range(len(frames)) if times is None else [round(1000 * time) for time in times]
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = tick
        stream.codec_context.thread_count = 1
        setup(stream)
        silence = _silence(container, audio) if audio else []
        for picture, stamp in zip(frames, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.shape[-1] == 3 else "rgba")
            if frame.format.name != pixels:
                frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = stamp, tick
            container.mux(stream.encode(change(frame)))
        container.mux(stream.encode())
        container.mux(silence)
    return path


def _silence(container: Any, seconds: float) -> list[av.Packet]:
    codec = {"webm": "libopus", "mpeg": "mp2"}.get(container.format.name, "aac")
    rate, size, kind = 48000, 1152, "fltp" if codec == "aac" else "s16"
    stream = container.add_stream(codec, rate=rate, layout="stereo")
    packets = []
    for n in range(round(rate * seconds / size)):
        values = np.zeros((2, size), np.float32) if kind == "fltp" else np.zeros((1, 2 * size), np.int16)
        frame = av.AudioFrame.from_ndarray(values, kind, "stereo")
        frame.sample_rate, frame.pts = rate, n * size
        packets += stream.encode(frame)
    return packets + stream.encode()


def write_packed(path: Path, count: int = 31) -> Path:
    """MPEG-4 in AVI as old encoders pack it: a P-frame and the B-frame before it share a packet, a dummy follows."""
    plain = write_clip(
        path.with_name("plain.avi"), shades(count), "mpeg4", setup=_two_b_frames,
        options={"b_strategy": "0", "sc_threshold": "1000000000", "qmin": "1", "qmax": "2"},
    )  # fmt: skip
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        packets = [bytes(packet) for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        # By its name the decoder knows that the encoder packs.
        packets[0] = re.sub(rb"\x00\x00\x01\xb2Lavc[^\0]*", b"\0\0\1\xb2DivX503b1393p", packets[0])
        for number, data in enumerate(_packed(packets)):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), number == 0
            target.mux(packet)
    return path


def _two_b_frames(stream: Any) -> None:
    stream.codec_context.max_b_frames = 2


def _packed(packets: list[bytes]) -> list[bytes]:
    start = b"\0\0\1\xb6"
    kinds = [packet[packet.index(start) + 4] >> 6 for packet in packets]  # 0: I, 1: P, 2: B
    packed: list[bytes] = []
    for n, packet in enumerate(packets):
        after_p = n > 0 and kinds[n] == 2 and kinds[n - 1] == 1
        if after_p:
            packed[-1] += packet
        else:
            packed.append(packet)
        last_b = kinds[n] == 2 and (n + 1 == len(packets) or kinds[n + 1] != 2)
        if last_b and 1 in kinds[max(0, n - 2) : n]:
            packed.append(start + b"\x5f\xff")
    return packed
