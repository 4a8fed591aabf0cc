"""The motion of one body that is nearest to given joints."""

from __future__ import annotations

from functools import cache

from jaxtyping import Float
from torch import Tensor

from crossdiff.representation.rotations import unit
from crossdiff.skeleton import HUMANML3D, Skeleton

# Few sweeps leave the bones nearer to where they began, which keeps noise out of the short ones.
_SWEEPS = 20


def fit_body(
    joints: Float[Tensor, "*b j 3"],
    lengths: Float[Tensor, " j"],
    depth_weight: float = 0.5,
    skeleton: Skeleton = HUMANML3D,
) -> Float[Tensor, "*b j 3"]:
    """Joints whose bones have these lengths, near to `joints` in the sum of squared distances.

    joints: along a camera's axes; depth_weight: weight of z in the distance, at most 1. Where the bones of `joints` are
    too short, as in a mean of several estimates, depth makes up for it. `features3d.retarget` keeps the directions of
    the bones instead, so that errors add up along the limbs.

    Starts with these directions and improves one bone at a time, the joints beyond it moving along, by the minimum of a
    bound of the sum (majorisation).
    """
    weight = joints.new_tensor([1.0, 1.0, depth_weight])
    direction = {j: unit(joints[..., j, :] - joints[..., p, :]) for p, j in skeleton.bones}
    placed = joints.clone()
    for parent, joint in skeleton.bones:
        placed[..., joint, :] = placed[..., parent, :] + lengths[joint] * direction[joint]
    for sweep in range(_SWEEPS):
        placed += (joints - placed).mean(-2, keepdim=True)
        for _, joint in skeleton.bones if sweep % 2 == 0 else reversed(skeleton.bones):
            moving, length = _beyond(skeleton)[joint], lengths[joint]
            missing = (joints[..., moving, :] - placed[..., moving, :]).sum(-2) * weight
            better = unit(len(moving) * length * direction[joint] + missing)
            placed[..., moving, :] += (length * (better - direction[joint]))[..., None, :]
            direction[joint] = better
    return placed


@cache
def _beyond(skeleton: Skeleton) -> dict[int, list[int]]:
    """For each joint, itself and the joints further out."""
    found = {joint: {joint} for joint in range(skeleton.num_joints)}
    for joint in range(skeleton.num_joints):
        at = joint
        while at >= 0:
            found[at].add(joint)
            at = skeleton.parents[at]
    return {joint: sorted(others) for joint, others in found.items()}
