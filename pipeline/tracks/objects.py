"""Tracks of objects that a pose model takes for people, such as a tripod with a camera.

The keypoints of an object have nothing to hold on to: they wander although the picture around them stays as it is. The
keypoints of somebody who stands still rest, and where a body moves the picture changes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

# A limb is about a tenth of the body wide, so a body that moves by a hundredth of its size changes a tenth of its
# contrast around limbs; measured over whole boxes it was three to twelve times the movement. Less than half of the
# movement is no body's.
_LEAST_CHANGE = 0.5
_WANDERING = 0.005  # movement in body sizes from frame to frame (9 mm of an adult), below which keypoints rest
_MOST = 0.5  # share of frames with such movements, above which a track is an object's
_FEWEST = 8  # pairs of frames that tell


def picture_change(
    before: UInt8[ndarray, "h w"], now: UInt8[ndarray, "h w"], boxes: Float[ndarray, "p 4"]
) -> Float[ndarray, " p"]:
    """How much a grey picture changed in each box since the frame before: mean difference over standard deviation.

    NaN where a box lies outside the picture.
    """
    import cv2

    difference = cv2.absdiff(now, before)
    change = np.full(len(boxes), np.nan)
    for number, (left, top, right, bottom) in enumerate(np.maximum(boxes, 0).astype(int)):
        inside = np.s_[top : bottom + 1, left : right + 1]
        if now[inside].size:
            spread = float(cv2.meanStdDev(now[inside])[1][0, 0])
            change[number] = cv2.mean(difference[inside])[0] / max(spread, 1.0)
    return change


def is_object(frame: Int[ndarray, " f"], xy: Float[ndarray, "f k 2"], change: Float[ndarray, " f"]) -> bool:
    """Whether the keypoints of a track wander in a picture that does not change.

    change: of the picture around the person in each frame, see `picture_change`.
    """
    size = np.maximum(np.ptp(xy, axis=1).max(axis=-1), 1.0)
    moved = np.linalg.norm(np.diff(xy, axis=0), axis=-1).mean(axis=-1) / size[1:]
    known = (np.diff(frame) == 1) & ~np.isnan(change[1:])
    wanders = (moved > _WANDERING) & (change[1:] < _LEAST_CHANGE * moved)
    return bool(known.sum() >= _FEWEST and wanders[known].mean() > _MOST)
