"""Detected keypoints drawn on the video that they came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D
from crossdiff.video import VideoReader
from crossdiff.viewing.encode import Image, write_video

_LEFT, _RIGHT, _MIDDLE, _RIM = (64, 150, 255), (255, 138, 64), (240, 242, 245), (28, 32, 40)
SHOWN, SURE = 0.3, 0.6  # scores: below the first a point is left out, below the second it is faint
_FAINT = 0.4
_BLANK = 90  # grey behind a skeleton without a video
_SHIFT = 4


@dataclass(frozen=True)
class Drawing:
    """How a keypoint set is drawn."""

    bones: tuple[tuple[int, int], ...]
    """Pairs of keypoints."""
    left: frozenset[int]
    right: frozenset[int]
    face: frozenset[int]
    """Keypoints of the face, drawn with thin lines and without dots."""

    @property
    def dots(self) -> list[int]:
        return sorted({k for bone in self.bones for k in bone} - self.face)

    def colour(self, *keypoints: int) -> tuple[int, int, int]:
        """RGB of a point, or of a bone between two points."""
        if self.left.issuperset(keypoints):
            return _LEFT
        return _RIGHT if self.right.issuperset(keypoints) else _MIDDLE


_COCO = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 11), (6, 12), (11, 12), (5, 7), (7, 9), (6, 8), (8, 10), (11, 13),
    (13, 15), (12, 14), (14, 16),
)  # fmt: skip

DRAWINGS = {
    "coco17": Drawing(
        bones=_COCO,
        left=frozenset(range(1, 17, 2)),
        right=frozenset(range(2, 17, 2)),
        face=frozenset(range(5)),
    ),
    "halpe26": Drawing(
        bones=(*_COCO, (17, 18), (15, 20), (15, 24), (20, 22), (16, 21), (16, 25), (21, 23)),
        left=frozenset({*range(1, 17, 2), 20, 22, 24}),
        right=frozenset({*range(2, 17, 2), 21, 23, 25}),
        face=frozenset(range(5)),
    ),
    # Without the face's outline and the fingers.
    "wholebody133": Drawing(
        bones=(*_COCO, (15, 17), (15, 19), (17, 18), (16, 20), (16, 22), (20, 21)),
        left=frozenset({*range(1, 17, 2), 17, 18, 19}),
        right=frozenset({*range(2, 17, 2), 20, 21, 22}),
        face=frozenset(range(5)),
    ),
    "blazepose33": Drawing(
        bones=(
            (0, 2), (0, 5), (2, 7), (5, 8), (11, 12), (11, 23), (12, 24), (23, 24), (11, 13), (13, 15), (15, 19),
            (12, 14), (14, 16), (16, 20), (23, 25), (25, 27), (27, 29), (27, 31), (29, 31), (24, 26), (26, 28),
            (28, 30), (28, 32), (30, 32),
        ),
        left=frozenset({1, 2, 3, *range(7, 33, 2)}),
        right=frozenset({4, 5, 6, *range(8, 33, 2)}),
        face=frozenset(range(11)),
    ),
    # As annotated: neck, belly and face, then right and left in turn.
    "jhmdb": Drawing(
        bones=(
            (0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (1, 6), (3, 5), (4, 6), (3, 7), (4, 8), (7, 11), (8, 12), (5, 9),
            (6, 10), (9, 13), (10, 14),
        ),
        left=frozenset(range(4, 15, 2)),
        right=frozenset(range(3, 15, 2)),
        face=frozenset(),
    ),
    "humanml3d22": Drawing(
        bones=tuple(HUMANML3D.bones),
        left=frozenset(j for j, name in enumerate(HUMANML3D.joint_names) if name.startswith("l_")),
        right=frozenset(j for j, name in enumerate(HUMANML3D.joint_names) if name.startswith("r_")),
        face=frozenset(),
    ),
}  # fmt: skip


def render_overlay(video: Path, keypoints: Sequence[Keypoints2D], path: Path, height: int = 480) -> Path:
    """Write `video`, `height` pixels high, with the skeleton of every person in `keypoints` drawn on its frames."""
    with VideoReader(video) as reader:
        wide, high = reader.info.size
        for person in keypoints:
            drawing_of(person.keypoint_set)
            width, tall = person.size
            if width <= 0 or tall <= 0 or abs(width / tall - wide / high) > 0.02:
                raise InputError(
                    f"{video}: is {wide} x {high}, but the keypoints are of a video of {width} x {tall}; "
                    "give the video that they were detected in"
                )
        size = max(2 * round(wide * height / high / 2), 2), height
        return write_video(_overlaid(reader.frames(), keypoints, size), path, reader.info.fps)


def overlaid_frames(video: Path, person: Keypoints2D, width: int, numbers: ndarray) -> Iterator[Image]:
    """Frames of a video, `width` pixels wide, with one person's skeleton. numbers: which frames, increasing."""
    wanted, last = {int(n) for n in numbers}, int(numbers[-1])
    frames = itertools.islice(VideoReader(video).frames(), last + 1)
    picked = (
        cv2.resize(f, _size(person, width), interpolation=cv2.INTER_AREA) for n, f in enumerate(frames) if n in wanted
    )
    return _with_skeleton(picked, person, numbers)


def blank_frames(person: Keypoints2D, width: int, numbers: ndarray) -> Iterator[Image]:
    """As `overlaid_frames`, on grey, for a video that is gone."""
    columns, rows = _size(person, width)
    return _with_skeleton((np.full((rows, columns, 3), _BLANK, np.uint8) for _ in numbers), person, numbers)


def _size(person: Keypoints2D, width: int) -> tuple[int, int]:
    return width, max(1, round(width * person.size[1] / person.size[0]))


def _with_skeleton(frames: Iterator[Image], person: Keypoints2D, numbers: ndarray) -> Iterator[Image]:
    rows = {int(frame): row for row, frame in enumerate(person.frame)}
    for number, canvas in zip(numbers, frames, strict=False):
        row = rows.get(int(number))
        if row is not None:
            zoom = canvas.shape[1] / person.size[0]
            draw_keypoints(canvas, person.xy[row] * zoom, person.score[row], drawing_of(person.keypoint_set))
        yield canvas


def drawing_of(keypoint_set: str) -> Drawing:
    """The bones of a keypoint set."""
    if keypoint_set not in DRAWINGS:
        raise InputError(f"keypoint set {keypoint_set!r} cannot be drawn; known: {', '.join(sorted(DRAWINGS))}")
    return DRAWINGS[keypoint_set]


def _overlaid(frames: Iterator[Image], people: Sequence[Keypoints2D], size: tuple[int, int]) -> Iterator[Image]:
    rows = [{int(frame): row for row, frame in enumerate(person.frame)} for person in people]
    for number, frame in enumerate(frames):
        canvas = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        for person, row_of in zip(people, rows, strict=True):
            row = row_of.get(number)
            if row is not None:
                zoom = np.array(size) / person.size
                draw_keypoints(canvas, person.xy[row] * zoom, person.score[row], drawing_of(person.keypoint_set))
        yield canvas


def draw_keypoints(canvas: Image, xy: ndarray, score: ndarray, drawing: Drawing) -> None:
    """Draw one person, in place. xy: (K, 2) pixels of the canvas, y down; score: (K,), weak points fade."""
    score = np.where(np.isfinite(xy).all(axis=-1), score, 0.0)
    bone_score = np.array([min(score[a], score[b]) for a, b in drawing.bones])
    if ((bone_score >= SHOWN) & (bone_score < SURE)).any():
        before = canvas.copy()
        _draw_scored(canvas, xy, score, drawing, SHOWN, SURE)
        cv2.addWeighted(canvas, _FAINT, before, 1 - _FAINT, 0, dst=canvas)
    _draw_scored(canvas, xy, score, drawing, SURE, np.inf)


def _draw_scored(canvas: Image, xy: ndarray, score: ndarray, drawing: Drawing, low: float, high: float) -> None:
    """Draw points and bones with scores in [low, high), a bone's being its lower one; lines scale with the person."""
    visible = xy[score >= SHOWN]
    width = int(np.clip(np.ptp(visible, axis=0).max() / 70, 2, 8)) if len(visible) else 2
    limit = 4 * 10**4  # far outside any picture, and safe in OpenCV's fixed-point numbers
    fixed = np.round(np.clip(np.nan_to_num(xy), -limit, limit) * 2**_SHIFT).astype(int)
    bones = [bone for bone in drawing.bones if low <= min(score[bone[0]], score[bone[1]]) < high]
    dots = [k for k in drawing.dots if low <= score[k] < high]
    for rim in (2, 0):  # first everything a little wider and dark, then the colours
        for bone in bones:
            start, end = (tuple(fixed[k].tolist()) for k in bone)
            thickness = max(width // 3, 1) if drawing.face.issuperset(bone) else width
            cv2.line(canvas, start, end, _RIM if rim else drawing.colour(*bone), thickness + rim, cv2.LINE_AA, _SHIFT)
        for k in dots:
            radius = round((0.95 * width + rim / 2) * 2**_SHIFT)
            colour = _RIM if rim else drawing.colour(k)
            cv2.circle(canvas, tuple(fixed[k].tolist()), radius, colour, -1, cv2.LINE_AA, _SHIFT)
