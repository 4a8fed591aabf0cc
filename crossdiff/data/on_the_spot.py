"""Walking and running on the spot, made of walking and running ahead: motion capture hardly has any."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.signal import savgol_filter

from crossdiff.data.captions import Caption
from crossdiff.representation.foot_lock import legs, lock_feet
from crossdiff.representation.limbs import move_end, pelvis_facing
from crossdiff.skeleton import HUMANML3D, Skeleton

_WORDS = {"walks": ("walk",), "runs": ("run", "sprint", "dash"), "jogs": ("jog",)}
_TEMPLATES = ("a person {verb} in place", "someone {verb} on the spot", "a person {verb} without moving forward")
_OTHER_WAYS = re.compile(r"\b(left|right|back|backwards?|turns?|side|sideways|stairs?|climbs?|jumps?|place|spot)\b")
# Metres per second of the root: slower motion is no locomotion. Of its path, the end lies this share of it away.
_SLOWEST, _STRAIGHT = 0.6, 0.9
_WIDTH = 0.75  # seconds on either side over which the path is averaged, so that the sway of single steps stays
_STRIDE = 0.15  # of the steps' length that is left


def spot_caption(captions: list[Caption], seed: int) -> Caption | None:
    """The caption of a clip put on the spot; None unless a caption says that somebody walks, runs or jogs ahead."""
    for text in (caption.text.lower() for caption in captions):
        for verb, stems in _WORDS.items():
            if re.search(rf"\b({'|'.join(stems)})", text):
                if any(_OTHER_WAYS.search(caption.text.lower()) for caption in captions):
                    return None
                sentence = str(np.random.default_rng(seed).choice(_TEMPLATES)).format(verb=verb)
                return Caption(sentence, " ".join(f"{word}/OTHER" for word in sentence.split()))
    return None


def on_the_spot(joints: Float[ndarray, "f 22 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f 22 3"] | None:
    """The motion without its path over the floor, in metres; None unless it leads straight ahead.

    The root's smoothed path is taken away, and each foot stays nearly under its hip, at its height, by two-bone inverse
    kinematics; then feet are locked to the floor while they touch it.
    """
    if len(joints) < 2 * skeleton.fps:
        return None
    window = 2 * round(_WIDTH * skeleton.fps) + 1
    path = savgol_filter(joints[:, 0, [0, 2]].astype(np.float64), window, polyorder=1, axis=0)
    length = np.linalg.norm(np.diff(path, axis=0), axis=-1).sum()
    way = path[-1] - path[0]
    if length < _SLOWEST * len(joints) / skeleton.fps or np.linalg.norm(way) < _STRAIGHT * length:
        return None
    ahead = np.array([way[0], 0.0, way[1]]) / np.linalg.norm(way)
    facing = pelvis_facing(joints, skeleton)
    if (facing @ ahead).mean() < _STRAIGHT:
        return None
    still = joints.astype(np.float64)
    still[..., [0, 2]] -= (path - path[0])[:, None]
    for leg in legs(skeleton):
        stride = (still[:, leg.end] - still[:, leg.start]) @ ahead
        move_end(still, leg, -(1 - _STRIDE) * stride[:, None] * ahead, facing)
    return lock_feet(still, skeleton).astype(joints.dtype)
