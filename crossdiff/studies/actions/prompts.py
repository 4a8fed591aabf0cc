"""Prompts that name a side, a place or a beginning, and whether a motion keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.diffusion.named_side import NamedLimb
from crossdiff.representation.limbs import travelled
from crossdiff.skeleton import HUMANML3D

_IN_PLACE = 0.5  # metres
# A pelvis this high above the lower ankle, relative to the length of the leg, is that of somebody who stands.
_STANDING = 0.85
_BEGINNING = 5  # frames


class PromptCheck(NamedTuple):
    """A prompt and what must hold for its motion."""

    prompt: str
    holds: Callable[[Float[ndarray, "f 22 3"]], bool]


def travels_farther(joint: str, side: str) -> Callable[[ndarray], bool]:
    """Whether the wrist or ankle of one side travels farther than the other one. side: left or right."""
    own, other = NamedLimb(side, joint).joints(HUMANML3D)
    return lambda joints: travelled(joints, own) > travelled(joints, other)


def stays_in_place(joints: Float[ndarray, "f 22 3"]) -> bool:
    """Whether the root stays within half a metre of its first place, on the floor."""
    return bool(np.linalg.norm(joints[:, 0, [0, 2]] - joints[0, 0, [0, 2]], axis=-1).max() <= _IN_PLACE)


def begins_standing(joints: Float[ndarray, "f 22 3"]) -> bool:
    """Whether the pelvis is high above the lower ankle in the first frames."""
    assert HUMANML3D.body is not None
    leg = sum(HUMANML3D.body[HUMANML3D.index(f"l_{part}")] for part in ("knee", "ankle"))
    ankles = joints[:_BEGINNING, [HUMANML3D.index("l_ankle"), HUMANML3D.index("r_ankle")], 1].min(axis=1)
    return bool((joints[:_BEGINNING, 0, 1] - ankles).mean() >= _STANDING * leg)


_ARMS = ("waves with the {} hand", "raises the {} arm", "throws a ball with the {} hand", "punches with the {} fist")
_LEGS = ("kicks with the {} leg", "lifts the {} knee")


def prompt_checks() -> list[PromptCheck]:
    """All prompts that are checked: four of each arm, two of each leg, running in place, sitting down."""
    checks = []
    for joint, actions in (("wrist", _ARMS), ("ankle", _LEGS)):
        for action in actions:
            for side in ("right", "left"):
                checks.append(PromptCheck(f"a person {action.format(side)}.", travels_farther(joint, side)))
    checks.append(PromptCheck("a person runs in place.", stays_in_place))
    checks.append(PromptCheck("a person sits down on a chair.", begins_standing))
    return checks
