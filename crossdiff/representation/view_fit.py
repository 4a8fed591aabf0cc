"""Moving lifted joints to their observed positions in the picture, across and upwards."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.projection import rotate_y
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.skeleton import Skeleton

# Frames over which the offsets are smoothed, which leaves out the detector's noise.
_SIGMA = 2.0
# Median second difference between frames of recorded motion, metres; and the factor that makes the square of a larger
# one comparable with that of the difference between two ways of lifting.
_OF_MOTION, _NOISE = 0.0042, 5.8


def fit_to_view(
    joints3d: Float[Tensor, "t j 3"],
    joints2d: Float[Tensor, "t j 2"],
    valid: Bool[Tensor, "t j"],
    path_known: Bool[Tensor, " t"],
    skeleton: Skeleton,
    share: float = 1.0,
) -> Float[Tensor, "t j 3"]:
    """Joints (metres, Y up) of one clip whose orthographic projection from the best yaw is nearer to the 2D joints.

    Across the picture and upwards, joints get their observed positions relative to the root, or go a `share` of the way
    there; their depth is kept. Left and right hip, collar and shoulder move across together, so that the body keeps its
    heading. Where the path is known (`path_known`: the root's movement since the frame before), the root follows it in
    the picture, at the mean lifted height. Invisible joints move with their parents. Bones change their lengths: see
    `features3d.retarget`.
    """
    yaw, error = fit_yaw(joints3d, joints2d, valid)
    if not torch.isfinite(error):  # no joint is visible
        return joints3d
    placed = rotate_y(joints3d, yaw)
    off = _differences(placed, joints2d, valid, skeleton) * share
    root = placed[:, :1].clone()
    path = follow(joints2d[:, 0], root[:, 0, :2], path_known)[:, None]
    root[..., :2] = path + (root[..., :2] - path).mean(0)
    local = placed - placed[:, :1]
    local[..., :2] += off
    return rotate_y(local + root, -yaw)


def follow(path: Float[Tensor, "t 2"], lifted: Float[Tensor, "t 2"], known: Bool[Tensor, " t"]) -> Float[Tensor, "t 2"]:
    """A path with the steps of `path` where they are known, since the frame before, and those of `lifted` elsewhere."""
    steps = torch.where(known[1:, None], path.diff(dim=0), lifted.diff(dim=0))
    return torch.cat([lifted[:1], lifted[:1] + steps.cumsum(0)])


def trust_in_picture(
    apart: Float[Tensor, "t j"], joints2d: Float[Tensor, "t j 2"], valid: Bool[Tensor, "t j"]
) -> float:
    """The share of the way from the lifted joints to the observed ones at which the errors of both balance.

    apart: distance of each joint as lifted from that of the lifted mirror image (metres), which grows with the error of
    lifting, most of all for poses unlike those of the training. The error of the observed joints (metres) is judged by
    their median second difference, beyond that of recorded motion.
    """
    lifting = float(apart.square().mean())
    local = joints2d - joints2d[:, :1]
    steady = valid[2:] & valid[1:-1] & valid[:-2] & valid[1:-1, :1]
    bends = (local[2:] - 2 * local[1:-1] + local[:-2]).norm(dim=-1)[steady]
    if not len(bends):
        return 1.0
    noise = _NOISE * max(0.0, float(bends.median()) ** 2 - _OF_MOTION**2)
    return lifting / max(lifting + noise, 1e-12)


def _differences(placed: Tensor, joints2d: Tensor, valid: Tensor, skeleton: Skeleton) -> Float[Tensor, "t j 2"]:
    """Offset of each joint in the picture, relative to the root, smoothed over the frames that show it."""
    off = (joints2d - joints2d[:, :1]) - (placed - placed[:, :1])[..., :2]
    seen = (valid & valid[:, :1])[..., None].to(off.dtype).expand_as(off)
    off = torch.where(seen > 0, off, 0.0)
    weight = gaussian_in_time(seen.flatten(-2), _SIGMA).unflatten(-1, seen.shape[-2:])
    total = gaussian_in_time(off.flatten(-2), _SIGMA).unflatten(-1, off.shape[-2:])
    known = weight > 0.05
    smooth = torch.where(known, total / weight.clamp_min(0.05), 0.0)
    for parent, joint in skeleton.bones:
        smooth[:, joint] = torch.where(known[:, joint], smooth[:, joint], smooth[:, parent])
    for joint, other in enumerate(skeleton.mirror):
        if joint < other and skeleton.joint_names[joint][2:] in ("hip", "collar", "shoulder"):
            both = (smooth[:, joint, 0] + smooth[:, other, 0]) / 2
            smooth[:, joint, 0] = smooth[:, other, 0] = both
    return smooth
