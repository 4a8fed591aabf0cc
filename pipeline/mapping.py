"""Detector keypoints to the 22 joints of HumanML3D, as weighted sums that one table per detector gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.skeleton import HUMANML3D

# Where SMPL's joints lie in HumanML3D's target body standing upright, seen from the front. Lengths along the
# trunk are shares of the distance from between the hips to between the shoulders.
PELVIS_LIFT = 0.16  # the pelvis joint lies above the hip joints
NECK_LIFT = 0.17  # and the neck joint above the shoulder joints
SPINE = {"spine1": 0.24, "spine2": 0.50, "spine3": 0.60}  # shares of the way from pelvis to neck
COLLAR = 0.33  # share of the way from between the shoulders to the shoulder
# Detectors put the hips at the body's sides (hips : shoulders 0.64 in a clip of squats), SMPL at the hip joints
# (0.34); this share of the half-width leaves them there.
HIP_WIDTH = 0.55

Recipe = dict[str, float]


@dataclass(frozen=True)
class KeypointSet:
    """A detector's keypoints. head: the keypoints whose mean is the head joint; toes: left, right, if it has them."""

    name: str
    names: tuple[str, ...]
    head: tuple[str, ...]
    toes: tuple[str, str] | None

    @cached_property
    def body(self) -> list[int]:
        """Indices of the shoulders, elbows, wrists, hips, knees and ankles."""
        parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        return [self.names.index(f"{side}_{part}") for part in parts for side in ("left", "right")]

    @cached_property
    def mirror(self) -> list[int]:
        """Index of each keypoint's counterpart on the other side of the body; its own in the middle."""
        swap = {"left": "right", "right": "left"}
        swapped = ["_".join(swap.get(word, word) for word in name.split("_")) for name in self.names]
        return [self.names.index(name) for name in swapped]

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """For each joint that this set can give, the weights of keypoints."""
        hips, shoulders = _mean("left_hip", "right_hip"), _mean("left_shoulder", "right_shoulder")
        pelvis, neck = _mix(hips, shoulders, PELVIS_LIFT), _mix(hips, shoulders, 1 + NECK_LIFT)
        joints = {"pelvis": pelvis, "neck": neck, "head": _mean(*self.head)}
        joints |= {name: _mix(pelvis, neck, share) for name, share in SPINE.items()}
        for short, side in (("l", "left"), ("r", "right")):
            joints[f"{short}_hip"] = _mix(hips, {f"{side}_hip": 1.0}, HIP_WIDTH)
            joints[f"{short}_collar"] = _mix(shoulders, {f"{side}_shoulder": 1.0}, COLLAR)
            for part in ("knee", "ankle", "shoulder", "elbow", "wrist"):
                joints[f"{short}_{part}"] = {f"{side}_{part}": 1.0}
        if self.toes:
            joints |= {"l_foot": {self.toes[0]: 1.0}, "r_foot": {self.toes[1]: 1.0}}
        return joints

    @cached_property
    def weights(self) -> Float[ndarray, "j k"]:
        """Joints = weights @ keypoints; a row of zeros where the set cannot give the joint."""
        table = np.zeros((HUMANML3D.num_joints, len(self.names)))
        for joint, recipe in self.recipes.items():
            for keypoint, weight in recipe.items():
                table[HUMANML3D.index(joint), self.names.index(keypoint)] = weight
        return table


def to_joints(
    xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], keypoint_set: str
) -> tuple[Float[ndarray, "f 22 2"], Bool[ndarray, "f 22"]]:
    """HumanML3D joints in the units and axes of the keypoints, and which of them were seen.

    A joint is seen when all keypoints that make it up are. Joints that the set lacks lie on their parent, unseen.
    """
    table = keypoint_set_named(keypoint_set)
    if xy.shape[1] != len(table.names):
        raise ClipError(f"{keypoint_set}: expected {len(table.names)} keypoints, got {xy.shape[1]}")
    weights = table.weights
    joints = np.einsum("jk,fkc->fjc", weights, xy)
    needs = weights != 0
    valid = needs.any(axis=1) & ~((~seen)[:, None, :] & needs[None]).any(axis=2)
    for joint, parent in enumerate(HUMANML3D.parents):
        if not needs[joint].any():
            joints[:, joint] = joints[:, parent]
    return joints, valid


def keypoint_set_named(name: str) -> KeypointSet:
    if name not in KEYPOINT_SETS:
        raise ClipError(f"no keypoint set {name!r}; there are: {', '.join(KEYPOINT_SETS)}")
    return KEYPOINT_SETS[name]


def _mean(*names: str) -> Recipe:
    return {name: 1 / len(names) for name in names}


def _mix(start: Recipe, end: Recipe, share: float) -> Recipe:
    """The point that lies `share` of the way from start to end; beyond the end for shares above 1."""
    names = dict.fromkeys([*start, *end])
    return {n: (1 - share) * start.get(n, 0.0) + share * end.get(n, 0.0) for n in names}


_ARMS = (
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
_LEGS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")

BLAZEPOSE33 = KeypointSet(
    name="blazepose33",
    names=(
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
        "left_ear", "right_ear", "mouth_left", "mouth_right", *_ARMS, "left_pinky", "right_pinky",
        "left_index", "right_index", "left_thumb", "right_thumb", *_LEGS, "left_heel", "right_heel",
        "left_foot_index", "right_foot_index",
    ),
    head=("left_ear", "right_ear"),
    toes=("left_foot_index", "right_foot_index"),
)  # fmt: skip

COCO17 = KeypointSet(
    name="coco17",
    names=("nose", "left_eye", "right_eye", "left_ear", "right_ear", *_ARMS, *_LEGS),
    # The far ear is rarely found; the nose is, and so is one eye.
    head=("nose",),
    toes=None,
)

KEYPOINT_SETS = {s.name: s for s in (BLAZEPOSE33, COCO17)}
