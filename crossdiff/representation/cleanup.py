"""Making predicted features consistent: one smooth motion of one body, from which every value is derived again."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.representation.features3d import features_to_joints_and_next, joints_to_features, retarget
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.skeleton import HUMANML3D, Skeleton


def rebuild(features: Float[Tensor, "t d"], sigma: float, skeleton: Skeleton = HUMANML3D) -> Float[Tensor, "t d"]:
    """Smooth the joints of one clip (zero phase, Gaussian of `sigma` frames; 0 = not at all) and derive features anew.

    Bones get the constant lengths of the skeleton's body, and positions, velocities, rotations and contacts agree
    with each other afterwards. Differs from the paper's causal filter over features, which shifts motion in time,
    carries its state from clip to clip, and blurs contacts and rotations.
    """
    joints = features_to_joints_and_next(features, skeleton)
    if sigma > 0:
        joints = gaussian_in_time(joints.flatten(-2), sigma).unflatten(-1, (skeleton.num_joints, 3))
    if skeleton.body is not None:
        joints = retarget(joints, torch.tensor(skeleton.body, device=joints.device), skeleton)
    return joints_to_features(joints, skeleton, parity=False)
