"""Prompts that are shown to users, and measures of sampled motions that say whether they do what the prompt says."""

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
_HIPS = _AT("l_hip"), _AT("r_hip")
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


def _only_raised(left: bool, right: bool) -> Callable[[Float[ndarray, "f 22 3"], float], float]:
    """Percentage of the frames in which these wrists, and no others, are higher than the head."""
    return lambda joints, _: 100 * float((_raised(joints) == (left, right)).all(axis=1).mean())


def _turned_left(joints: Float[ndarray, "f 22 3"], _: float) -> float:
    """Degrees from the first heading of the hips to the last."""
    across = (joints[:, _HIPS[0]] - joints[:, _HIPS[1]])[:, [0, 2]]
    angles = np.unwrap(np.arctan2(-across[:, 1], across[:, 0]))
    return float(np.degrees(angles[-1] - angles[0]))


def _backward_speed(joints: Float[ndarray, "f 22 3"], fps: float) -> float:
    """Against the direction that the hips face at the start."""
    across = joints[0, _HIPS[0]] - joints[0, _HIPS[1]]
    facing = np.array([-across[2], across[0]]) / np.hypot(across[0], across[2])
    return float(-(joints[-1, 0, [0, 2]] - joints[0, 0, [0, 2]]) @ facing * fps / (len(joints) - 1))


def _lean(joints: Float[ndarray, "f 22 3"], _: float) -> float:
    """Largest angle between the line from pelvis to neck and the vertical, degrees."""
    trunk = joints[:, _AT("neck")] - joints[:, 0]
    return float(np.degrees(np.arccos(trunk[:, 1] / np.linalg.norm(trunk, axis=-1))).max())


JACKS = Count("jumping jacks", lambda joints, _: jumping_jacks(joints), 0)
_SPEED = Count("speed of the pelvis", _speed, 2, " m/s")
_LEFT = Count("left hand above the head", _only_raised(True, False), 0, " % of the frames")
_RIGHT = Count("right hand above the head", _only_raised(False, True), 0, " % of the frames")
_BOTH = Count("both hands above the head", _only_raised(True, True), 0, " % of the frames")
_LEAN = Count("lean of the trunk", _lean, 0, "°")


@dataclass(frozen=True)
class ShownPrompt:
    """A prompt that is shown to users, and what shows that the shipped models make its motion."""

    prompt: str
    count: Count
    least: float
    most: float = float("inf")

    def is_shown_by(self, motion: Motion3D) -> bool:
        """Whether a motion of the prompt does what it says."""
        return self.least <= self.count.of(motion.joints, motion.fps) <= self.most


# Every prompt in README, docs, --help and the app that the shipped models are asked for; tests sample each.
EXAMPLES = {
    one.prompt: one
    for one in (
        ShownPrompt("a person walks", _SPEED, 0.5, 1.4),
        ShownPrompt("a person walks forward", _SPEED, 0.5, 1.4),
        ShownPrompt("a person runs", _SPEED, 1.6),
        ShownPrompt("a person runs forward", _SPEED, 1.6),
        ShownPrompt("a person walks backwards", Count("backward speed", _backward_speed, 2, " m/s"), 0.2),
        ShownPrompt("a person walks forward and turns left", Count("turn to the left", _turned_left, 0, "°"), 45),
        ShownPrompt("a person walks like an elderly person", _LEAN, 18),
        ShownPrompt("a person waves with both hands", _BOTH, 60),
        ShownPrompt("a person waves the left hand", _LEFT, 60),
        ShownPrompt("a person waves with the right hand", _RIGHT, 60),
        ShownPrompt("a person raises both hands", _BOTH, 50),
        ShownPrompt("a person raises the right hand", _RIGHT, 50),
    )
}
# Those that the demo samples before and after it learns an action.
KNOWN = {
    prompt: EXAMPLES[prompt].count
    for prompt in ("a person walks forward", "a person waves with the right hand", "a person raises both hands")
}
