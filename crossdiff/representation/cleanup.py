"""Making predicted features consistent: all values are derived again from one smooth motion of one body."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.representation.features3d import joints_to_features_3d, retarget
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.skeleton import HUMANML3D, Skeleton

# Fraction of frames whose lowest joint may be below the estimated floor.
_FLOOR = 0.25


def rebuild(
    joints: Float[Tensor, "t+1 j 3"], sigma: float, skeleton: Skeleton = HUMANML3D, placed: bool = False
) -> Float[Tensor, "t d"]:
    """Smooth the joints of one clip (zero phase, Gaussian of `sigma` frames; 0: none) and derive all features.

    Bones get the constant lengths of the skeleton's body; positions, velocities, rotations and contacts are consistent.
    placed: the joints are already of that body and in place: the path keeps its length, and the feet are put on the
    floor (see `stand_on_floor`). Differs from the paper's causal filter over features, which delays motion, carries its
    state from clip to clip, and blurs contacts and rotations.
    """
    if sigma > 0:
        joints = gaussian_in_time(joints.flatten(-2), sigma).unflatten(-1, (skeleton.num_joints, 3))
    if skeleton.body is not None:
        body = retarget(joints, torch.tensor(skeleton.body, device=joints.device), skeleton)
        joints = body - body[:, :1] + joints[:, :1] if placed else body
    if placed:
        joints = stand_on_floor(joints)
    return joints_to_features_3d(joints, skeleton, parity=False)


def stand_on_floor(joints: Float[Tensor, "t j 3"]) -> Float[Tensor, "t j 3"]:
    """Raise the frames of a clip (Y up) in which the body sinks below the floor.

    The floor is the lower quartile of the lowest joint's height. Features put the lowest point of the clip on the
    floor, so that a single frame with a foot too low would lift the body in all others.
    """
    lowest = joints[..., 1].amin(-1)
    floor = lowest.quantile(_FLOOR)
    return joints + (floor - lowest).clamp_min(0)[:, None, None] * joints.new_tensor([0.0, 1.0, 0.0])
