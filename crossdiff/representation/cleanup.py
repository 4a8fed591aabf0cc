"""Making predicted features consistent: one smooth motion of one body, from which every value is derived again."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.representation.features3d import joints_to_features_3d, retarget
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.skeleton import HUMANML3D, Skeleton

# Share of frames whose lowest joint may be below the floor that is taken.
_FLOOR = 0.25


def rebuild(
    joints: Float[Tensor, "t+1 j 3"], sigma: float, skeleton: Skeleton = HUMANML3D, placed: bool = False
) -> Float[Tensor, "t d"]:
    """Smooth the joints of one clip (zero phase, Gaussian of `sigma` frames; 0 = not at all) and derive features.

    Bones get the constant lengths of the skeleton's body, and positions, velocities, rotations and contacts agree
    with each other afterwards. placed: the joints are of that body already, as a clip shows them: the path keeps its
    length, and the feet stand on the floor (see `stand_on_floor`). Differs from the paper's causal filter over
    features, which shifts motion in time, carries its state from clip to clip, and blurs contacts and rotations.
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

    The floor is where the lowest joint is in most of the frames (the lower quartile). Features take the lowest point
    of all for it: one frame in which a foot is too low would leave the body in the air in all others.
    """
    lowest = joints[..., 1].amin(-1)
    floor = lowest.quantile(_FLOOR)
    return joints + (floor - lowest).clamp_min(0)[:, None, None] * joints.new_tensor([0.0, 1.0, 0.0])
