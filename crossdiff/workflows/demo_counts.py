"""What the demo counts in sampled motions: jumping jacks, speed, raised hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D

_AT = HUMANML3D.joint_names.index
_HEAD, _HANDS, _FEET = _AT("head"), (_AT("l_wrist"), _AT("r_wrist")), (_AT("l_ankle"), _AT("r_ankle"))
# Metres between the ankles of somebody who stands with the feet apart, and together.
_APART, _TOGETHER = 0.45, 0.35


@dataclass(frozen=True)
class Count:
    """A number that shows whether a motion does what its prompt says."""

    title: str
    of: Callable[[Float[ndarray, "f 22 3"], float], float]
    """Joints in metres, Y up, and frames a second -> the number."""
    digits: int
    unit: str = ""

    def text(self, motion: Motion3D) -> str:
        return f"{self.of(motion.joints, motion.fps):.{self.digits}f}{self.unit}"


def jumping_jacks(joints: Float[ndarray, "f 22 3"]) -> int:
    """How often both wrists are above the head while the feet are apart, after a frame with arms down and feet
    together."""
    distance = np.linalg.norm(joints[:, _FEET[0]] - joints[:, _FEET[1]], axis=-1)
    raised = _raised(joints).all(axis=1)
    opened, closed = raised & (distance > _APART), ~raised & (distance < _TOGETHER)
    count, ready = 0, True
    for is_open, is_closed in zip(opened, closed, strict=True):
        count += bool(is_open and ready)
        ready = bool(is_closed or (ready and not is_open))
    return count


def _raised(joints: Float[ndarray, "f 22 3"]) -> Bool[ndarray, "f 2"]:
    """Whether each wrist is higher than the head."""
    return joints[:, _HANDS, 1] > joints[:, _HEAD, None, 1]


def _speed(joints: Float[ndarray, "f 22 3"], fps: float) -> float:
    return float(np.linalg.norm(np.diff(joints[:, 0][:, [0, 2]], axis=0), axis=-1).mean() * fps)


JACKS = Count("jumping jacks", lambda joints, _: jumping_jacks(joints), 0)
# Prompts that the shipped model knows, and what shows that it still does.
KNOWN = {
    "a person walks forward": Count("speed of the pelvis", _speed, 2, " m/s"),
    "a person waves with the right hand": Count(
        "right hand above the head", lambda joints, _: 100 * float(_raised(joints)[:, 1].mean()), 0, " % of the frames"
    ),
    "a person raises both hands": Count(
        "both hands above the head",
        lambda joints, _: 100 * float(_raised(joints).all(axis=1).mean()),
        0,
        " % of the frames",
    ),
}
