"""Frames are shown as a player shows them: upright, with square pixels, deinterlaced, in the right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorTrc
from clips import HEIGHT, QUARTERS, WIDTH, quarters, shades, write_clip

from crossdiff.video import VideoReader
from crossdiff.video.display import _square_pixels


def corners(picture: np.ndarray) -> np.ndarray:
    """Colours in the middles of the picture's quarters, shape (2, 2, 3)."""
    height, width = picture.shape[:2]
    return picture[np.ix_([height // 4, 3 * height // 4], [width // 4, 3 * width // 4])].astype(int)


def shown(path: Path) -> tuple[tuple[int, int], np.ndarray]:
    """Size that a video declares, and its first picture, which must have it."""
    reader = VideoReader(path)
    first, *_ = reader.frames()
    assert first.shape == (reader.info.size[1], reader.info.size[0], 3) and first.dtype == np.uint8
    assert first.flags.c_contiguous
    return reader.info.size, first


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("degrees", "mirrored", "upright"),
    [
        (90, False, np.rot90(QUARTERS)),
        (180, False, QUARTERS[::-1, ::-1]),
        (270, False, np.rot90(QUARTERS, 3)),
        (0, True, QUARTERS[:, ::-1]),
        (180, True, QUARTERS[::-1]),
    ],
)
def test_the_display_matrix_is_applied(tmp_path, suffix, degrees, mirrored, upright):
    path = write_clip(
        tmp_path / f"a.{suffix}", [quarters()], setup=lambda s: s.set_display_rotation(degrees, hflip=mirrored)
    )
    size, picture = shown(path)
    assert size == ((HEIGHT, WIDTH) if degrees % 180 else (WIDTH, HEIGHT))
    np.testing.assert_allclose(corners(picture), upright, atol=8)


def aspect(ratio: str):
    def setup(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)

    return setup


@pytest.mark.parametrize(
    ("coded", "ratio", "displayed"),
    [((64, 48), "2", (128, 48)), ((64, 48), "4/3", (85, 48)), ((64, 48), "64/51", (80, 48)),
     ((64, 48), "1/2", (64, 96)), ((72, 48), "32/27", (85, 48)), ((72, 48), "8/9", (72, 54)),
     ((72, 58), "64/45", (102, 58)), ((72, 58), "16/15", (77, 58))],
)  # fmt: skip
def test_pixels_become_square(tmp_path, coded, ratio, displayed):
    size, picture = shown(write_clip(tmp_path / "a.mp4", [quarters(*coded)], setup=aspect(ratio)))
    assert size == displayed
    np.testing.assert_allclose(corners(picture), QUARTERS, atol=8)


def test_stretching_keeps_detail(tmp_path):
    def waves(x):
        """Six pixels long; grey rows of 48."""
        return np.repeat(np.tile(128 + 80 * np.sin(x * np.pi / 3), (48, 1))[..., None], 3, axis=-1)

    coded = waves(np.arange(96)).astype(np.uint8)
    _, picture = shown(
        write_clip(tmp_path / "a.mp4", [coded], pixels="yuv444p", options={"qp": "0"}, setup=aspect("2"))
    )
    error = picture - waves((np.arange(192) - 0.5) / 2)
    assert np.abs(error[:, 8:-8]).max() < 5  # bilinear stretching is off by 8.3


def test_pixels_become_square_before_the_turn(tmp_path):
    def setup(stream):
        aspect("2")(stream)
        stream.set_display_rotation(90)

    size, picture = shown(write_clip(tmp_path / "a.mp4", [quarters()], setup=setup))
    assert size == (HEIGHT, 2 * WIDTH)
    np.testing.assert_allclose(corners(picture), np.rot90(QUARTERS), atol=8)


def moving_edge(time: float) -> np.ndarray:
    """An upright edge that goes to the right."""
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    picture[:, : 8 + round(8 * time)] = 200
    return picture


def test_interlaced_frames_are_deinterlaced(tmp_path):
    frames = []
    for n in range(6):
        frame = moving_edge(n)
        frame[1::2] = moving_edge(n + 0.5)[1::2]
        frames.append(frame)
    path = write_clip(tmp_path / "a.mpg", frames, "mpeg2video", options={"flags": "+ildct+ilme", "q": "2", "g": "1"})
    reader = VideoReader(path)
    pictures = list(reader.frames())
    assert len(pictures) == len(reader.times) == 6
    for n, picture in enumerate(pictures[1:-1], start=1):
        assert comb(frames[n]) > 9
        assert comb(picture) < 3


def test_frames_that_are_not_flagged_as_interlaced_stay(tmp_path):
    lines = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    lines[1::2] = 180
    _, picture = shown(write_clip(tmp_path / "a.mkv", [lines] * 3, "ffv1", "bgr0"))
    np.testing.assert_array_equal(picture, lines)


def comb(picture: np.ndarray) -> float:
    """Mean difference of a line from its two neighbours."""
    grey = picture.mean(axis=-1)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [("mkv", "libx264", "yuv444p"), ("mkv", "libx265", "yuv420p10le"), ("mkv", "ffv1", "bgr0"),
     ("mov", "png", "rgb24"), ("mov", "prores_ks", "yuv422p10le"), ("avi", "mjpeg", "yuvj420p")],
)  # fmt: skip
def test_pixel_formats(tmp_path, suffix, codec, pixels):
    options = {"x265-params": "log-level=none:pools=1"} if codec == "libx265" else {}
    _, picture = shown(write_clip(tmp_path / f"a.{suffix}", [quarters()], codec, pixels, options=options))
    np.testing.assert_allclose(corners(picture), QUARTERS, atol=12)


@pytest.mark.parametrize(("space", "full"), [(1, False), (1, True), (6, False)])
def test_the_colour_matrix_and_range_of_the_file_are_used(tmp_path, space, full):
    colour_range = 2 if full else 1

    def setup(stream):
        stream.codec_context.colorspace, stream.codec_context.color_range = space, colour_range

    def change(frame):
        rgb = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
        made = rgb.reformat(format="yuv420p", dst_colorspace=min(space, 5), dst_color_range=colour_range)
        made.pts, made.time_base = frame.pts, frame.time_base
        return made

    _, picture = shown(write_clip(tmp_path / "a.mp4", [quarters()], setup=setup, change=change))
    np.testing.assert_allclose(corners(picture), QUARTERS, atol=6)


@pytest.mark.parametrize(("signal", "level"), [(0.58, 253), (0.42, 130), (0.0, 0)])
def test_high_dynamic_range_is_shown_in_standard_range(tmp_path, signal, level):
    """PQ's signal of 0.58 is 203 cd/m2, the white of a standard screen (ITU-R BT.2408)."""

    def grey(frame):
        luma = np.full((HEIGHT, WIDTH), round(64 + 876 * signal), np.uint16)
        made = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
        chroma = np.full((HEIGHT // 2, WIDTH // 2), 512, np.uint16)
        for plane, values in zip(made.planes, (luma, chroma, chroma), strict=True):
            lines = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            lines[:, : values.shape[1]] = values
            plane.update(lines.tobytes())
        made.colorspace, made.color_range, made.color_trc, made.color_primaries = 9, 1, ColorTrc.SMPTE2084, 9
        made.pts, made.time_base = frame.pts, frame.time_base
        return made

    def setup(stream):
        stream.codec_context.color_trc = ColorTrc.SMPTE2084
        stream.codec_context.colorspace, stream.codec_context.color_range = 9, 1
        stream.codec_context.color_primaries = 9

    path = write_clip(tmp_path / "a.mkv", [quarters()], "ffv1", "yuv420p10le", setup=setup, change=grey)
    np.testing.assert_allclose(shown(path)[1], level, atol=6)


def test_grey_video(tmp_path):
    _, picture = shown(write_clip(tmp_path / "a.mkv", [shades(1, 150)[0]], "ffv1", "gray"))
    np.testing.assert_allclose(picture, 150, atol=2)


def test_transparent_parts_are_black(tmp_path):
    frame = np.dstack([quarters(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    frame[: HEIGHT // 2, : WIDTH // 2, 3] = 0
    frame[: HEIGHT // 2, WIDTH // 2 :, 3] = 128
    _, picture = shown(write_clip(tmp_path / "a.mov", [frame], "png", "rgba"))
    expected = QUARTERS.astype(int)
    expected[0, 0], expected[0, 1] = 0, expected[0, 1] // 2
    np.testing.assert_allclose(corners(picture), expected, atol=2)


def test_an_odd_size(tmp_path):
    size, picture = shown(write_clip(tmp_path / "a.mkv", [shades(1, 90)[0][:33, :41]], "ffv1", "bgr0"))
    assert size == (41, 33)
    np.testing.assert_array_equal(picture, 90)


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path):
    small = write_clip(tmp_path / "a.ts", [quarters()] * 3)
    large = write_clip(tmp_path / "b.ts", [quarters(128, 96)] * 3)
    both = tmp_path / "c.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    pictures = list(VideoReader(both).frames())
    assert {picture.shape for picture in pictures} == {(HEIGHT, WIDTH, 3)} and len(pictures) == 6
    np.testing.assert_allclose(corners(pictures[-1]), QUARTERS, atol=8)


def test_a_gif(tmp_path):
    pictures = list(VideoReader(write_clip(tmp_path / "a.gif", shades(4, step=60), "gif", "rgb8", fps=10)).frames())
    levels = [picture.mean() for picture in pictures]
    np.testing.assert_allclose(levels, [20, 80, 140, 200], atol=20)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(2), (640, 240)), (Fraction(1, 2), (320, 480)), (Fraction(65535), (320, 240)),
     (Fraction(1, 99), (320, 240)), (Fraction(0), (320, 240)), (None, (320, 240))],
)  # fmt: skip
def test_an_absurd_pixel_aspect_is_ignored(aspect, size):
    assert _square_pixels(320, 240, aspect) == size
