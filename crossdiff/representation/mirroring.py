"""Features of the mirrored motion, with left and right exchanged."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.representation.layouts import FeatureLayout
from crossdiff.skeleton import Skeleton

# Signs of the values of a point, a rotation and the root when x becomes -x.
_POINT = {2: (-1, 1), 3: (-1, 1, 1)}
# The first two columns of a rotation R become those of M R M, where M mirrors x.
_ROTATION_3D = (1, -1, -1, -1, 1, 1)
# (cos, -sin) of the angle between two bones; a chain's first bone is measured from the x axis, which is reversed.
_ROTATION_2D, _FIRST_2D = (1, -1), (-1, 1)
_ROOT = {2: (-1, 1), 3: (-1, -1, 1, 1)}


def mirror_features(
    features: Float[Tensor, "*b d"], layout: FeatureLayout, skeleton: Skeleton
) -> Float[Tensor, "*b d"]:
    """Features (not normalised) of the mirrored motion, of 2D or 3D motion by the layout.

    A mirrored 2D motion is a view of the mirrored 3D motion from the mirrored side.
    """
    places, signs = _tables(layout, skeleton)
    return features[..., torch.from_numpy(places)] * torch.from_numpy(signs).to(features)


def mirror_mask(mask: Bool[Tensor, "*b d"], layout: FeatureLayout, skeleton: Skeleton) -> Bool[Tensor, "*b d"]:
    """The mask of a motion's features, for those of its mirror image."""
    return mask[..., torch.from_numpy(_tables(layout, skeleton)[0])]


@cache
def _tables(layout: FeatureLayout, skeleton: Skeleton) -> tuple[ndarray, ndarray]:
    """For each mirrored value, the index of its source and its sign."""
    places, signs = np.arange(layout.dim), np.ones(layout.dim)
    dims = layout.position_dim
    signs[layout.root] = _ROOT[dims]
    first = {chain[1] for chain in skeleton.chains}
    joints = range(1, skeleton.num_joints)
    turns: dict[int, tuple[int, ...]] = dict.fromkeys(joints, _ROTATION_3D)
    if dims == 2:
        turns = {j: _FIRST_2D if j in first else _ROTATION_2D for j in joints}
    _fill(places, signs, layout.positions, list(joints), dict.fromkeys(joints, _POINT[dims]), skeleton)
    _fill(places, signs, layout.rotations, list(joints), turns, skeleton)
    moving = list(layout.velocity_joints)
    _fill(places, signs, layout.velocities, moving, dict.fromkeys(moving, _POINT[dims]), skeleton)
    feet = list(skeleton.feet)
    _fill(places, signs, layout.contacts, feet, dict.fromkeys(feet, (1,)), skeleton)
    return places, signs


def _fill(
    places: ndarray,
    signs: ndarray,
    group: slice,
    joints: list[int],
    of_joint: dict[int, tuple[int, ...]],
    skeleton: Skeleton,
) -> None:
    for row, joint in enumerate(joints):
        width = len(of_joint[joint])
        here = group.start + row * width + np.arange(width)
        places[here] = group.start + joints.index(skeleton.mirror[joint]) * width + np.arange(width)
        signs[here] = of_joint[joint]
