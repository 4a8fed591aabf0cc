"""The camera's movement, from corners in the background that are tracked from frame to frame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from crossdiff.config import Config

# Lucas-Kanade: side of the window in pixels, and levels of the pyramid above the frame.
_WINDOW, _LEVELS = (11, 11), 3
_QUALITY, _APART = 0.01, 7  # corners: share of the strongest one's response, least distance in pixels
_MIN_CONTRAST = 1e-3  # smallest eigenvalue of a window's gradients (OpenCV's units) that can be followed
_MOST_ZOOM = 4.0  # since the key frame; more is a mistake


class CameraConfig(Config):
    """How the background must move for the camera's movement to count as known."""

    corners: PositiveInt = 60
    """Most corners that are tracked."""
    min_corners: PositiveInt = 12
    """Fewest corners that must agree on one movement."""
    min_share: float = Field(0.5, gt=0, le=1)
    """Lowest fraction of all corners that must agree on it."""
    max_error: PositiveFloat = 1.0
    """Largest error of a corner that agrees, in pixels of the small frame (longer side up to 320)."""
    min_spread: NonNegativeFloat = 0.08
    """Smallest spread of these corners: standard deviation as a fraction of the frame's width or height, the larger."""
    margin: NonNegativeFloat = 0.1
    """Margin around people in which no corners are tracked, as a fraction of the size of their boxes."""


class CameraTracker:
    """Fed small grey frames one by one, with the boxes of their people.

    Corners are followed from a key frame for as long as enough of them stay, so that errors do not add up from
    frame to frame. A movement is a similarity: shift, zoom, roll.
    """

    def __init__(self, cfg: CameraConfig) -> None:
        self.cfg = cfg
        self.to_first: list[ndarray] = []
        self.known: list[bool] = []
        self._key_to_first = np.eye(3)
        self._wanted = cfg.min_corners  # with fewer of the key frame's corners left, the last frame becomes the key
        self._last: ndarray | None = None
        self._last_boxes = np.zeros((0, 4))
        self._at_key = self._at = np.zeros((0, 2), np.float32)

    def add(self, grey: UInt8[ndarray, "h w"], boxes: Float[ndarray, "n 4"]) -> None:
        """Follow the camera into this frame. boxes: (left, top, right, bottom) in pixels of `grey`."""
        boxes = _widened(boxes, self.cfg.margin)
        if self._last is None:
            self._note(np.eye(3), True)
        else:
            fresh = len(self._at) < self._wanted
            if fresh:
                self._start_key_frame(self._last, self._last_boxes)
            movement = self._follow(grey, boxes)
            if movement is None and not fresh:  # the key frame is out of reach: try from the last frame
                self._start_key_frame(self._last, self._last_boxes)
                movement = self._follow(grey, boxes)
            if movement is None:
                self._at = self._at[:0]
                self._note(self.to_first[-1], False)
            else:
                self._note(self._key_to_first @ np.linalg.inv(movement), True)
        self._last, self._last_boxes = grey, boxes

    def _note(self, to_first: ndarray, known: bool) -> None:
        self.to_first.append(to_first)
        self.known.append(known)

    def _start_key_frame(self, grey: ndarray, boxes: ndarray) -> None:
        """Make the last frame the key frame: find corners outside of its people."""
        import cv2

        free = np.full(grey.shape, 255, np.uint8)
        for left, top, right, bottom in np.maximum(boxes, 0).astype(int):
            free[top : bottom + 1, left : right + 1] = 0
        found = cv2.goodFeaturesToTrack(grey, self.cfg.corners, _QUALITY, _APART, mask=free)
        self._at_key = self._at = np.zeros((0, 2), np.float32) if found is None else found[:, 0]
        self._wanted = max(self.cfg.min_corners, len(self._at) // 2)
        self._key_to_first = self.to_first[-1]

    def _follow(self, grey: ndarray, boxes: ndarray) -> Float[ndarray, "3 3"] | None:
        """The movement of pixels from the key frame to this one; None where the corners do not agree on one."""
        import cv2

        assert self._last is not None
        cfg = self.cfg
        if len(self._at) < cfg.min_corners:
            return None
        at, found, _ = cv2.calcOpticalFlowPyrLK(
            self._last, grey, self._at, None, winSize=_WINDOW, maxLevel=_LEVELS, minEigThreshold=_MIN_CONTRAST
        )
        kept = (found[:, 0] == 1) & outside(at, boxes)
        at_key, at = self._at_key[kept], at[kept]
        if len(at) < max(cfg.min_corners, cfg.min_share * len(self._at)):
            return None
        movement, agree = cv2.estimateAffinePartial2D(at_key, at, ransacReprojThreshold=cfg.max_error)
        if movement is None or not 1 / _MOST_ZOOM < np.hypot(*movement[0, :2]) < _MOST_ZOOM:
            return None
        agree = agree[:, 0] == 1
        height, width = grey.shape
        spread = (at[agree] / (width, height)).std(axis=0).max() if agree.any() else 0.0
        if agree.sum() < max(cfg.min_corners, cfg.min_share * len(at)) or spread < cfg.min_spread:
            return None
        self._at_key, self._at = at_key[agree], at[agree]
        return np.vstack([movement, [0, 0, 1]])


def outside(points: Float[ndarray, "p 2"], boxes: Float[ndarray, "n 4"]) -> Bool[ndarray, " p"]:
    """Which points lie in none of the boxes."""
    inside = (points[:, None] >= boxes[:, :2]) & (points[:, None] <= boxes[:, 2:])
    return ~inside.all(axis=-1).any(axis=-1)


def _widened(boxes: Float[ndarray, "n 4"], margin: float) -> Float[ndarray, "n 4"]:
    grow = margin * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:] + grow], axis=1)
