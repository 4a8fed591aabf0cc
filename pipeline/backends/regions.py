"""Where a person is in the picture, and the pose that a model sees there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from crossdiff.pipeline.tracks.boxes import box_iou

# (left, top, right, bottom) in pixels of the frame.
View = tuple[int, int, int, int]

# Distances are in sizes of the region, which is 1.25 times the body's length.
_SAME_REGION = 0.25  # between the centres of two regions of the same person
_SAME_POSE = 0.15  # mean over keypoints, between two poses of the same person
_SAME_BOX = 0.6  # or the overlap of their boxes (intersection over union)
_PART = 1.3  # ratio of the sizes of two regions, beyond which one may show a part of the other's body
_HIDDEN = 0.5  # share of the smaller box that another covers, beyond which both may be of one person
# BlazePose's filter of the region: seconds from frame to frame, and cut-offs in hertz.
_PERIOD, _MIN_CUTOFF, _BETA, _SPEED_CUTOFF = 0.033333, float(np.float32(0.01)), 10.0, 1.0
_MIN_VIEW = 16  # pixels, side of the smallest view


@dataclass(frozen=True, eq=False)
class Region:
    """A square of the picture that holds a person.

    points: shape (2, 2), pixels: between the hips, and where the line from there through the shoulders meets the
    circle around the body.
    """

    points: Float[ndarray, "2 2"]

    @property
    def centre(self) -> Float[ndarray, "2"]:
        return self.points[0]

    @property
    def size(self) -> float:
        """Side of the square in pixels: the circle's diameter and a quarter, as in BlazePose's own graph."""
        return 2.5 * math.dist(*self.points)

    def scaled(self, factor: float) -> Region:
        return Region(self.centre + factor * (self.points - self.centre))

    def shows_same(self, other: Region) -> bool:
        """Whether both are of one person."""
        smaller, larger = sorted((self.size, other.size))
        return larger < 2 * smaller and math.dist(self.centre, other.centre) < _SAME_REGION * smaller

    def view(self, scale: float, width: int, height: int, shift: float = 0.0) -> View:
        """The part of a picture around the region: a square of `scale` sizes, `shift` sizes to the right."""
        centre, half = self.centre + np.array([shift * self.size, 0]), scale * self.size / 2
        low = np.clip(centre - half, 0, np.array([width, height]) - _MIN_VIEW).astype(int)
        high = np.clip(centre + half, low + _MIN_VIEW, [width, height]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


@dataclass(frozen=True, eq=False)
class Pose:
    """What the model sees in a region.

    xy: pixels, shape (K, 2); visibility: shape (K,), in [0, 1], 0 outside the frame; world: metres, shape (K, 3);
    region: where the person is.
    """

    xy: Float[ndarray, "k 2"]
    visibility: Float[ndarray, " k"]
    world: Float[ndarray, "k 3"]
    region: Region

    @property
    def box(self) -> Float[ndarray, "4"]:
        """(left, top, right, bottom) of the keypoints in pixels."""
        return np.concatenate([self.xy.min(axis=0), self.xy.max(axis=0)])

    def distance(self, other: Pose) -> float:
        """Mean distance of the keypoints, in sizes of the smaller region."""
        return self._relative(other, self.xy - other.xy)

    def deformation(self, other: Pose) -> float:
        """The same after the shift that most keypoints agree on."""
        moved = self.xy - other.xy
        return self._relative(other, moved - np.median(moved, axis=0))

    def shows_same(self, other: Pose) -> bool:
        """Whether both are of one person, one of them perhaps of a part of the body."""
        if self.distance(other) < _SAME_POSE or box_iou(self.box[None], other.box[None])[0, 0] > _SAME_BOX:
            return True
        sizes = sorted((self.region.size, other.region.size))
        return sizes[1] > _PART * sizes[0] and self.region.shows_same(other.region) and self.overlaps(other)

    def overlaps(self, other: Pose) -> bool:
        """Whether one covers so much of the other that both may be of one person."""
        shared = np.minimum(self.box[2:], other.box[2:]) - np.maximum(self.box[:2], other.box[:2])
        smaller = min(float(np.prod(box[2:] - box[:2])) for box in (self.box, other.box))
        return bool(np.prod(np.maximum(shared, 0)) > _HIDDEN * smaller)

    def _relative(self, other: Pose, difference: Float[ndarray, "k 2"]) -> float:
        return float(np.linalg.norm(difference, axis=1).mean()) / min(self.region.size, other.region.size)


@dataclass(frozen=True, eq=False)
class SteadyRegion:
    """A region that rests while the person does: the One-Euro filter with the settings of BlazePose's own graph.

    MediaPipe's LandmarksSmoothingCalculator to the bit, single precision included, because the keypoints of blurred
    pictures move by centimetres where their region moves by a hundredth of a pixel.
    """

    raw: Float32[ndarray, "2 2"]
    filtered: Float32[ndarray, "2 2"]
    speed: Float32[ndarray, "2 2"]

    @classmethod
    def begin(cls, region: Region) -> SteadyRegion:
        points = region.points.astype(np.float32)
        return cls(points, points, np.zeros((2, 2), np.float32))

    @property
    def region(self) -> Region:
        return Region(self.filtered.astype(float))

    def then(self, region: Region) -> SteadyRegion:
        """After one more frame."""
        raw = region.points.astype(np.float32)
        diameter = max(np.float32(2) * np.sqrt(np.square(raw[1] - raw[0]).sum()), np.float32(1e-6))
        change = (raw.astype(float) - self.raw) * float(np.float32(1) / diameter) / _PERIOD
        speed = _low_pass(change, self.speed, _SPEED_CUTOFF)
        return SteadyRegion(
            raw, _low_pass(raw, self.filtered, _MIN_CUTOFF + _BETA * np.abs(speed.astype(float))), speed
        )


def _low_pass(value: ndarray, before: ndarray, cutoff: Any) -> Float32[ndarray, "2 2"]:
    """A low pass of the first order, in MediaPipe's precision."""
    weight = np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff) / _PERIOD), np.float32)
    new = weight * value.astype(np.float32)
    return (new.astype(float) + (1 - weight.astype(float)) * before.astype(float)).astype(np.float32)
