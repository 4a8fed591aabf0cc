"""3D joints <-> the 3D motion features of HumanML3D (263 values) and KIT-ML (251), batched in torch.

Lengths are in the skeleton's feature unit: metres for HumanML3D, `skeleton.metres_per_unit` for KIT-ML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.moved import moved_names
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.rotations import between, inverse, multiply, rotate, to_6d, unit, yaw_quaternion
from crossdiff.skeleton import HUMANML3D, Skeleton

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

_UP, _FORWARD = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
# HumanML3D smooths the facing direction along time with this sigma, in frames, cut at 4 sigma.
_FACING_SIGMA = 20.0


def bone_lengths(joints: Float[Tensor, "*b j 3"], skeleton: Skeleton = HUMANML3D) -> Float[Tensor, "*b j"]:
    """Length of the bone that ends in each joint; 0 for the root."""
    parents = [0 if p < 0 else p for p in skeleton.parents]
    return (joints - joints[..., parents, :]).norm(dim=-1)


def retarget(
    joints: Float[Tensor, "*b t j 3"], target_lengths: Float[Tensor, " j"], skeleton: Skeleton = HUMANML3D
) -> Float[Tensor, "*b t j 3"]:
    """Put the motion on a body with these bone lengths: same bone directions, root path scaled by leg length.

    Equal to HumanML3D's inverse and forward kinematics, whose rotations map each rest direction to the bone's
    direction. The source's leg length is that of frame 0.
    """
    shin = list(skeleton.scaling)
    legs = bone_lengths(joints[..., 0, :, :], skeleton)[..., shin].sum(-1)
    scale = target_lengths[shin].sum() / legs.clamp_min(1e-8)
    root = joints[..., 0, :] * scale[..., None, None]
    placed: dict[int, Tensor] = {0: root}
    for parent, joint in skeleton.bones:
        direction = unit(joints[..., joint, :] - joints[..., parent, :])
        placed[joint] = placed[parent] + direction * target_lengths[joint]
    return torch.stack([placed[j] for j in range(skeleton.num_joints)], dim=-2)


def canonicalise(joints: Float[Tensor, "*b t j 3"], skeleton: Skeleton = HUMANML3D) -> Float[Tensor, "*b t j 3"]:
    """Lowest point of the clip on the floor, frame 0's root over the origin, frame 0 facing +Z."""
    floor = joints[..., 1].amin(dim=(-2, -1))
    origin = joints[..., :1, :1, :] * joints.new_tensor([1.0, 0.0, 1.0])
    moved = joints - origin - floor[..., None, None, None] * joints.new_tensor(_UP)
    r_hip, l_hip, r_shoulder, l_shoulder = skeleton.facing
    first = moved[..., 0, :, :]
    across = first[..., r_hip, :] - first[..., l_hip, :] + first[..., r_shoulder, :] - first[..., l_shoulder, :]
    forward = unit(torch.linalg.cross(joints.new_tensor(_UP).expand_as(across), unit(across)))
    turn = between(forward, joints.new_tensor(_FORWARD).expand_as(forward), axis=_UP)
    return rotate(turn[..., None, None, :], moved)


def joints_to_features_3d(
    joints: Float[Tensor, "*b t j 3"], skeleton: Skeleton = HUMANML3D, parity: bool = True
) -> Float[Tensor, "*b t-1 d"]:
    """Features of T - 1 frames from T frames of joints (Y up; any position and heading).

    Row t: [yaw velocity (half angle per frame), root x and z velocity in the root frame, root height | local
    positions | local 6D rotations | joint velocities | foot contacts], as in HumanML3D's published features.

    parity: keep a flaw of the published features: in the frame where the heading passes exactly opposite the first one,
    the yaw velocity has the wrong sign, so that the reconstructed path bends there. Without it, all motions are
    reconstructed exactly.
    """
    joints = canonicalise(joints, skeleton)
    root_turn = _root_rotations(joints, skeleton)
    now, then = root_turn[..., :-1, :], root_turn[..., 1:, :]
    step = joints[..., 1:, :, :] - joints[..., :-1, :, :]

    velocity = rotate(then, step[..., 0, :])[..., [0, 2]]
    turn = multiply(then, inverse(now))
    if not parity:
        # Of the two quaternions of this rotation, the one whose arcsin has the right sign.
        turn = torch.where(turn[..., :1] < 0, -turn, turn)
    yaw = turn[..., 2:3].clamp(-1.0, 1.0).asin()
    height = joints[..., :-1, 0, 1:2]
    over_ground = joints[..., :-1, :1, :] * joints.new_tensor([1.0, 0.0, 1.0])
    local = rotate(now[..., None, :], joints[..., :-1, :, :] - over_ground)
    turned = rotate(now[..., None, :], step)
    rotations = to_6d(_local_rotations(joints[..., :-1, :, :], now, skeleton))
    contact = (step[..., list(skeleton.feet), :].square().sum(-1) < skeleton.contact_threshold).to(joints.dtype)
    return torch.cat(
        [
            yaw,
            velocity,
            height,
            local[..., 1:, :].flatten(-2),
            rotations.flatten(-2),
            turned.flatten(-2),
            contact,
        ],
        dim=-1,
    )


def _root_rotations(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Rotation per frame that makes the smoothed facing direction +Z; the identity in frame 0.

    As in HumanML3D's code, the hips are swapped (left minus right), and the direction is smoothed before it is
    normalised; both are needed to match the published data.
    """
    r_hip, l_hip, r_shoulder, l_shoulder = skeleton.facing
    across = unit(
        joints[..., l_hip, :] - joints[..., r_hip, :] + joints[..., r_shoulder, :] - joints[..., l_shoulder, :]
    )
    forward = torch.linalg.cross(joints.new_tensor(_UP).expand_as(across), across)
    forward = unit(gaussian_in_time(forward, _FACING_SIGMA))
    turn = between(forward, joints.new_tensor(_FORWARD).expand_as(forward), axis=_UP)
    identity = turn.new_tensor([1.0, 0.0, 0.0, 0.0]).expand_as(turn[..., :1, :])
    return torch.cat([identity, turn[..., 1:, :]], dim=-2)


def _local_rotations(joints: Tensor, root_turn: Tensor, skeleton: Skeleton) -> Tensor:
    """Rotation of each bone relative to the bone before it; every chain starts from the root's rotation."""
    up, down = zip(*skeleton.bones, strict=True)
    direction = unit(joints[..., list(down), :] - joints[..., list(up), :])
    rest = joints.new_tensor([skeleton.rest[j] for j in down]).expand_as(direction)
    world = dict(zip(down, between(rest, direction).unbind(-2), strict=True))
    local = {}
    for chain in skeleton.chains:
        before = root_turn
        for joint in chain[1:]:
            local[joint] = multiply(inverse(before), world[joint])
            before = world[joint]
    return torch.stack([local[j] for j in range(1, skeleton.num_joints)], dim=-2)


def features_to_joints(features: Float[Tensor, "*b t d"], skeleton: Skeleton = HUMANML3D) -> Float[Tensor, "*b t j 3"]:
    """Joints of the T frames that the features describe: Y up, frame 0's root over the origin, facing +Z."""
    slices = layout_3d(skeleton)
    root = features[..., slices.root]
    yaw, velocity, height = root[..., 0], root[..., 1:3], root[..., 3]
    half_angle = _exclusive_sum(yaw[..., None])[..., 0]
    unturn = inverse(yaw_quaternion(half_angle))

    ground = torch.stack([velocity[..., 0], torch.zeros_like(height), velocity[..., 1]], dim=-1)
    # The velocity of row t is that of the step to t + 1, in the root frame of t + 1.
    arrived = rotate(unturn[..., 1:, :], ground[..., :-1, :])
    path = torch.cat([torch.zeros_like(ground[..., :1, :]), arrived.cumsum(-2)], dim=-2)
    position = path + height[..., None] * height.new_tensor(_UP)

    local = features[..., slices.positions].unflatten(-1, (skeleton.num_joints - 1, 3))
    joints = rotate(unturn[..., None, :], local) + path[..., None, :]
    return torch.cat([position[..., None, :], joints], dim=-2)


def features_to_joints_and_next(
    features: Float[Tensor, "*b t d"], skeleton: Skeleton = HUMANML3D
) -> Float[Tensor, "*b t+1 j 3"]:
    """Joints of the T frames, and of the one that the last row's velocities lead to: the inverse of the features."""
    slices = layout_3d(skeleton)
    joints = features_to_joints(features, skeleton)
    turned = yaw_quaternion(features[..., :-1, slices.root.start].sum(-1))
    velocity = features[..., -1, slices.velocities].unflatten(-1, (skeleton.num_joints, 3))
    step = rotate(inverse(turned)[..., None, :], velocity)
    return torch.cat([joints, (joints[..., -1, :, :] + step)[..., None, :, :]], dim=-3)


def _exclusive_sum(x: Tensor) -> Tensor:
    """Cumulative sum along time, exclusive."""
    return torch.cat([torch.zeros_like(x[..., :1, :]), x[..., :-1, :].cumsum(-2)], dim=-2)
