"""Detector keypoints to the 22 joints of HumanML3D: weighted sums, with a table of weights per detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.skeleton import HUMANML3D

# Positions of SMPL's joints in HumanML3D's target body, upright and seen from the front. Heights are relative to the
# distance between the midpoint of the hips and that of the shoulders.
PELVIS_LIFT = 0.16  # of the pelvis joint above the hip joints
NECK_LIFT = 0.17  # of the neck joint above the shoulder joints
SPINE = {"spine1": 0.24, "spine2": 0.50, "spine3": 0.60}  # from the pelvis (0) to the neck (1)
COLLAR = 0.33  # from the midpoint of the shoulders (0) to the shoulder (1)
# Detectors place the hips at the sides of the body (0.64 of the shoulders' width in a clip of squats), SMPL at the hip
# joints (0.34): the distance of a hip from the middle is multiplied by this factor.
HIP_WIDTH = 0.55
# Weight up to which an error of a keypoint does not matter to a joint: that of a shoulder in the pelvis is 0.08.
_SMALL_WEIGHT = 0.1
# How well a keypoint's position is known: estimated to within the trunk's length or the body's width, or visible.
ROUGH, CLOSE, _VISIBLE = 1, 2, 3

JointWeights = dict[str, float]


@dataclass(frozen=True)
class KeypointSet:
    """A detector's keypoints."""

    name: str
    names: tuple[str, ...]
    """Names of the keypoints, in order."""
    head: tuple[str, ...]
    """Keypoints whose mean is the head joint."""
    toes: tuple[str, str] | None
    """Left and right toe, if there are any."""
    is_skeleton: bool = False
    """Whether the keypoints are the joints of HumanML3D, in its order."""
    neck: str | None = None
    """Keypoint at the neck joint, if there is one."""
    hip_width: float = HIP_WIDTH
    """See `HIP_WIDTH`."""
    shin: float = 1.0
    """Distance of the ankle joint from the knee, relative to that of the ankle's keypoint."""

    @cached_property
    def body(self) -> list[int]:
        """Indices of the shoulders, elbows, wrists, hips, knees and ankles."""
        parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        return [self.names.index(f"{side}_{part}") for part in parts for side in ("left", "right")]

    @property
    def trunk(self) -> list[int]:
        """Indices of the shoulders and the hips."""
        return [*self.body[:2], *self.body[6:8]]

    @cached_property
    def mirror(self) -> list[int]:
        """For each keypoint the index of its counterpart on the other side of the body."""
        swap = {"left": "right", "right": "left"}
        others = ("_".join(swap.get(word, word) for word in _mirrored(name).split("_")) for name in self.names)
        return [self.names.index(other) for other in others]

    @cached_property
    def joint_weights(self) -> dict[str, JointWeights]:
        """Weights of keypoints for each joint that the set determines."""
        if self.is_skeleton:
            return {joint: {name: 1.0} for joint, name in zip(HUMANML3D.joint_names, self.names, strict=True)}
        hips, shoulders = _mean("left_hip", "right_hip"), _mean("left_shoulder", "right_shoulder")
        pelvis = _mix(hips, shoulders, PELVIS_LIFT)
        neck = {self.neck: 1.0} if self.neck else _mix(hips, shoulders, 1 + NECK_LIFT)
        joints = {"pelvis": pelvis, "neck": neck, "head": _mean(*self.head)}
        joints |= {name: _mix(pelvis, neck, share) for name, share in SPINE.items()}
        for short, side in (("l", "left"), ("r", "right")):
            joints[f"{short}_hip"] = _mix(hips, {f"{side}_hip": 1.0}, self.hip_width)
            joints[f"{short}_collar"] = _mix(shoulders, {f"{side}_shoulder": 1.0}, COLLAR)
            for part in ("knee", "ankle", "shoulder", "elbow", "wrist"):
                joints[f"{short}_{part}"] = {f"{side}_{part}": 1.0}
            if self.shin != 1:
                joints[f"{short}_ankle"] = _mix({f"{side}_knee": 1.0}, {f"{side}_ankle": 1.0}, self.shin)
        if self.toes:
            joints |= {"l_foot": {self.toes[0]: 1.0}, "r_foot": {self.toes[1]: 1.0}}
        return joints

    @cached_property
    def weights(self) -> Float[ndarray, "j k"]:
        """Joints = weights @ keypoints; the row of a joint that the set lacks is zero."""
        table = np.zeros((HUMANML3D.num_joints, len(self.names)))
        for joint, weights_of in self.joint_weights.items():
            for keypoint, weight in weights_of.items():
                table[HUMANML3D.index(joint), self.names.index(keypoint)] = weight
        return table

    @cached_property
    def same_side(self) -> Bool[ndarray, "j k"]:
        """Whether a joint and a keypoint are of one side of the body."""
        sides = [{"l": "left", "r": "right"}.get(joint.partition("_")[0]) for joint in HUMANML3D.joint_names]
        return np.array([[side is not None and name.startswith(side) for name in self.names] for side in sides])


def to_joints(
    xy: Float[ndarray, "f k c"],
    visible: Bool[ndarray, "f k"],
    keypoint_set: str,
    estimated: Int[ndarray, "f k"] | None = None,
) -> tuple[Float[ndarray, "f 22 c"], Bool[ndarray, "f 22"]]:
    """HumanML3D joints in the units and axes of the keypoints, and which of them are visible.

    A joint is visible if all keypoints of its weighted sum are. Joints that the set lacks are put on their parent and
    are not visible.

    estimated: of keypoints that are not visible, `CLOSE` or `ROUGH` if their position is estimated (see
    `hidden.estimate_hidden`), else 0. A close estimate is good enough for joints that are not of the keypoint's own
    side, a rough one for those in which its weight is small besides.
    """
    table = keypoint_set_named(keypoint_set)
    if xy.shape[1] != len(table.names):
        raise ClipError(f"{keypoint_set}: expected {len(table.names)} keypoints, got {xy.shape[1]}")
    weights = table.weights
    joints = np.einsum("jk,fkc->fjc", weights, xy)
    used = weights != 0
    needed = np.where(table.same_side, _VISIBLE, np.where(np.abs(weights) > _SMALL_WEIGHT, CLOSE, ROUGH)) * used
    known = np.where(visible, _VISIBLE, 0 if estimated is None else estimated)
    valid = used.any(axis=1) & (known[:, None] >= needed).all(axis=2)
    for joint, parent in enumerate(HUMANML3D.parents):
        if not used[joint].any():
            joints[:, joint] = joints[:, parent]
    return joints, valid


def keypoint_set_named(name: str) -> KeypointSet:
    if name not in KEYPOINT_SETS:
        raise ClipError(f"no keypoint set {name!r}; there are: {', '.join(KEYPOINT_SETS)}")
    return KEYPOINT_SETS[name]


def _mean(*names: str) -> JointWeights:
    return {name: 1 / len(names) for name in names}


def _mix(start: JointWeights, end: JointWeights, share: float) -> JointWeights:
    """Linear interpolation: `start` at 0, `end` at 1, extrapolated above 1."""
    names = dict.fromkeys([*start, *end])
    return {n: (1 - share) * start.get(n, 0.0) + share * end.get(n, 0.0) for n in names}


def _mirrored(name: str) -> str:
    """The name with the number of a facial landmark's counterpart; other names are unchanged.

    Contour 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67.
    """
    number = name.removeprefix("face_")
    return f"face_{_FACE_MIRROR[int(number)]}" if number != name else name


# Counterparts of the 68 facial landmarks, in their usual order.
_FACE_MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37,
    36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip

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

_COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", *_ARMS, *_LEGS)

COCO17 = KeypointSet(
    name="coco17",
    names=_COCO,
    # The far ear is rarely detected, the nose nearly always.
    head=("nose",),
    toes=None,
)

HALPE26 = KeypointSet(
    name="halpe26",
    names=(
        *_COCO, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
        "left_heel", "right_heel",
    ),
    # Top of the head and neck: their midpoint is at the height of the ears, also in a view from the side.
    head=("head", "neck"),
    toes=("left_big_toe", "right_big_toe"),
)  # fmt: skip

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")

WHOLEBODY133 = KeypointSet(
    name="wholebody133",
    names=(
        *_COCO,
        *(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")),
        *(f"face_{i}" for i in range(68)),
        *(
            name
            for side in ("left", "right")
            for name in (f"{side}_hand_root", *(f"{side}_{finger}{i}" for finger in _FINGERS for i in range(1, 5)))
        ),
    ),
    head=("nose",),
    toes=("left_big_toe", "right_big_toe"),
)

# OpenPose's neck and mid-hip are midpoints of the shoulders and of the hips, so they add nothing to these.
_OPENPOSE_ARMS = (
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_OPENPOSE_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_OPENPOSE_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_OPENPOSE_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))

BODY25 = KeypointSet(
    name="body25",
    names=("nose", "neck", *_OPENPOSE_ARMS, "hip", *_OPENPOSE_LEGS, *_OPENPOSE_FACE, *_OPENPOSE_FEET),
    head=("nose",),
    toes=("left_big_toe", "right_big_toe"),
)

BODY25B = KeypointSet(
    name="body25b",
    names=(*_COCO, "neck", "head", *_OPENPOSE_FEET),
    head=("nose",),
    toes=("left_big_toe", "right_big_toe"),
)

COCO18 = KeypointSet(
    name="coco18",
    names=("nose", "neck", *_OPENPOSE_ARMS, *_OPENPOSE_LEGS, *_OPENPOSE_FACE),
    head=("nose",),
    toes=None,
)

HALPE136 = KeypointSet(
    name="halpe136",
    names=(*HALPE26.names, *WHOLEBODY133.names[len(_COCO) + len(_OPENPOSE_FEET) :]),  # then the face and the hands
    head=HALPE26.head,
    toes=HALPE26.toes,
)

_SIDES = {"l_": "left_", "r_": "right_"}

HUMANML3D22 = KeypointSet(
    name="humanml3d22",
    names=tuple(_SIDES.get(n[:2], n[:2]) + n[2:] for n in HUMANML3D.joint_names),
    head=("head",),
    toes=("left_foot", "right_foot"),
    is_skeleton=True,
)

# Annotated by people, who fitted a puppet to the picture. Compared with HumanML3D's body seen from all sides, in trunk
# lengths (from the midpoint of the hips to that of the shoulders; 90th percentile of a clip, median over the clips of
# golf, running, walking and catching that show the whole body): thigh 0.74 (HumanML3D 0.73), upper arm 0.50 (0.48),
# forearm 0.45 (0.49), head joint 1.38 (1.36) and neck 1.14 (1.17) above the hips: used unchanged. Shin 0.70 (0.79),
# because the ankle is annotated above its joint. The hips are 0.53 times as far apart as the shoulders (SMPL 0.34).
# The belly is not used: from frame to frame, its distance from the line of the trunk changes about twenty times as
# much as that of SMPL's spine.
JHMDB15 = KeypointSet(
    name="jhmdb",
    names=(
        "neck", "belly", "face", "right_shoulder", "left_shoulder", "right_hip", "left_hip", "right_elbow",
        "left_elbow", "right_knee", "left_knee", "right_wrist", "left_wrist", "right_ankle", "left_ankle",
    ),
    head=("face",),
    toes=None,
    neck="neck",
    hip_width=0.64,
    shin=1.13,
)  # fmt: skip

_DETECTORS = (BLAZEPOSE33, COCO17, HALPE26, WHOLEBODY133)
# The first set with a number of keypoints is the usual one: for 25, BODY_25 and not the experimental BODY_25B.
_IN_FILES = (*_DETECTORS, BODY25, BODY25B, COCO18, HALPE136)
KEYPOINT_SETS = {s.name: s for s in (*_IN_FILES, JHMDB15, HUMANML3D22)}


def keypoint_set_of(count: int) -> KeypointSet:
    """The set with this many points that pose networks are trained for (weights do not record which)."""
    known = {len(s.names): s for s in _DETECTORS}
    if count not in known:
        choices = ", ".join(f"{n} ({s.name})" for n, s in sorted(known.items()))
        raise ClipError(f"{count} keypoints: expected one of {choices}; use a network that was trained for these")
    return known[count]


def keypoint_set_in_file(count: int, names: Sequence[str] = ()) -> KeypointSet:
    """The set of the keypoints in a file: the one that matches their names, or without names the usual one.

    A set matches if the keypoints that its joints are computed from have the same names and indices.
    """
    candidates = [s for s in _IN_FILES if len(s.names) == count]
    if len(names) == count:
        plain = [name.lower().replace(" ", "_").replace("-", "_") for name in names]
        candidates = [s for s in candidates if all(plain[k] == s.names[k] for k in np.flatnonzero(s.weights.any(0)))]
    if not candidates:
        known = ", ".join(f"{len(s.names)} ({s.name})" for s in _IN_FILES)
        named = f" named {', '.join(names[:6])} ..." if names else ""
        raise ClipError(
            f"{count} keypoints{named} match no known set ({known}); give the set with --keypoint-set "
            f"({', '.join(KEYPOINT_SETS)})"
        )
    return candidates[0]
