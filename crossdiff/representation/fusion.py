"""The mean of lifted joints and of those that a detector itself places in space, and the tilt of the camera."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.representation.alignment import turns
from crossdiff.representation.body_fit import fit_body
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.projection import rotate_y, turn_to_up
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.representation.upright import up_direction
from crossdiff.representation.view_fit import follow
from crossdiff.skeleton import Skeleton

# Frames over which the turn from the lifted body to the detector's is smoothed: their headings drift apart slowly.
_TURN_SIGMA = 10.0
# Frames over which the detector's joints are faded in and out.
_FADE_SIGMA = 2.0
# Frames over which the root's path is smoothed at least, before feet that move are told from those that stand.
_PATH_SIGMA = 1.5
# Weight of the detector's joints in the mean; both have errors of the same size on film with measured 3D.
_SHARE = 0.5


def fuse(
    lifted: Float[Tensor, "t j 3"],
    flat: Float[Tensor, "t j 2"],
    visible: Bool[Tensor, "t j"],
    world: Float[Tensor, "t j 3"],
    path_known: Bool[Tensor, " t"],
    sigma: float,
    skeleton: Skeleton,
) -> Float[Tensor, "t j 3"]:
    """Joints of one clip of the skeleton's body (metres), upright, smoothed by a Gaussian of `sigma` frames.

    lifted: Y up, as lifted. flat: joints in the picture, y up; visible: where they are known. world: the detector's
    joints as in `Motion2D.world`, NaN in frames without; at least one frame has some. path_known: where the
    root's movement in the picture since the frame before is known, which the joints then follow.

    In the picture, the mean is of the detector's joints in space and those that it sees in the picture; in depth, of
    the former and the lifted ones, turned to them. The body is fitted to the mean (`fit_body`). It leans with the
    camera, of whose tilt the lifted one takes over a part only: that and its balance give the tilt (`up_direction`).
    """
    known = torch.isfinite(world).all(-1).all(-1)
    world = torch.where(known[:, None, None], world, 0.0)
    yaw, _ = fit_yaw(lifted, flat, visible)
    turned = rotate_y(lifted, yaw.nan_to_num())
    root, upright = turned[:, :1], turned - turned[:, :1]
    body = _turn_to(upright, world, known)
    across = torch.where(known[:, None, None], world[..., :2], body[..., :2])
    shown = torch.where((visible & visible[:, :1])[..., None], flat - flat[:, :1], across)
    estimate = torch.cat([shown, body[..., 2:]], dim=-1)
    share = _SHARE * gaussian_in_time(known.to(world)[:, None], _FADE_SIGMA)[..., None]
    share = torch.where(known[:, None, None], share, 0.0)
    mean = (1 - share) * estimate + share * world
    if sigma > 0:
        mean = gaussian_in_time(mean.flatten(-2), sigma).unflatten(-1, mean.shape[-2:])
        root = gaussian_in_time(root.flatten(-2), sigma).unflatten(-1, root.shape[-2:])
    fitted = fit_body(mean, mean.new_tensor(skeleton.body), skeleton=skeleton)
    shown = gaussian_in_time(follow(flat[:, 0], root[:, 0, :2], path_known), max(sigma, _PATH_SIGMA))
    lifted_up = turns(upright.flatten(0, 1).T @ fitted.flatten(0, 1))[0][1]
    level = turn_to_up(up_direction(fitted, shown, lifted_up, skeleton))
    axes = level[:, :2]  # those of the picture, turned upright
    across = (root @ axes)[:, 0]
    path = follow(flat[:, 0], across, path_known)
    missing = (gaussian_in_time(path, sigma) if sigma > 0 else path) - across
    root = root + ((missing - missing.mean(0)) @ axes.T)[:, None]
    return (fitted - fitted[:, :1]) @ level.T + root


def _turn_to(upright: Tensor, world: Tensor, known: Bool[Tensor, " t"]) -> Float[Tensor, "t j 3"]:
    """The lifted joints, relative to the root, turned and scaled to the detector's by what changes slowly."""
    kept = known.to(world)[:, None, None]
    products = (upright * kept).transpose(1, 2) @ world
    # A little of the whole clip's, for frames far from any with the detector's joints.
    near = gaussian_in_time(products.flatten(1), _TURN_SIGMA).unflatten(1, (3, 3)) + 1e-3 * products.mean(0)
    turn, agreement = turns(near)
    squares = (upright * kept).square().sum((1, 2))
    size = gaussian_in_time(squares[:, None], _TURN_SIGMA)[:, 0] + 1e-3 * squares.mean()
    return (agreement / size.clamp_min(1e-9))[:, None, None] * (upright @ turn)
