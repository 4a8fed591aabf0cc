"""The pose in which an exported skeleton rests: a person in a T-pose, facing +Z, Y up, left at +X."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.skeleton import HUMANML3D, Skeleton

# Way from the parent in hundredths of a body of about 1.7 m, to the joint's own side where it has one; rounded, and the
# same on both sides. Only directions count: lengths are those of the motion, or of a body.
_WAYS = {
    "hip": (6, -8, -1), "knee": (4, -38, 0), "ankle": (-2, -43, -4), "foot": (4, -6, 12), "spine1": (0, 12, -3),
    "spine2": (0, 14, 2), "spine3": (0, 6, 0), "neck": (0, 21, -3), "head": (0, 9, 5), "collar": (8, 11, -2),
    "shoulder": (12, 4, -1), "elbow": (26, -1, -3), "wrist": (26, 1, -1),
}  # fmt: skip
# From the last joint of a limb to where the body ends, metres of the same body.
_ENDS = {"head": (0.0, 0.18, 0.02), "l_foot": (0.0, -0.01, 0.07), "r_foot": (0.0, -0.01, 0.07)}
_ENDS |= {"l_wrist": (0.17, 0.0, 0.0), "r_wrist": (-0.17, 0.0, 0.0)}
# Thigh and shin of that body, metres.
_LEG = 0.82


def rest_directions(skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "j 3"]:
    """Unit direction of the bone that ends in each joint; zero for the root."""
    directions = np.zeros((skeleton.num_joints, 3))
    for _, joint in skeleton.bones:
        name = skeleton.joint_names[joint]
        side = {"l_": 1.0, "r_": -1.0}.get(name[:2])
        way = np.multiply(_WAYS[name if side is None else name[2:]], (1.0 if side is None else side, 1.0, 1.0))
        directions[joint] = way / np.linalg.norm(way)
    return directions


def rest_offsets(lengths: Float[ndarray, " j"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "j 3"]:
    """Offsets from the parents in the T-pose, metres, for bones of these lengths (as in `Skeleton.body`)."""
    return rest_directions(skeleton) * np.asarray(lengths, dtype=np.float64)[:, None]


def end_offsets(offsets: Float[ndarray, "j 3"], skeleton: Skeleton = HUMANML3D) -> dict[int, Float[ndarray, " 3"]]:
    """From each last joint to the end of the body (crown, finger tips, tips of the toes), sized by the legs."""
    leg = float(np.linalg.norm(offsets[list(skeleton.scaling)], axis=-1).sum())
    return {skeleton.index(name): np.array(end) * leg / _LEG for name, end in _ENDS.items()}
