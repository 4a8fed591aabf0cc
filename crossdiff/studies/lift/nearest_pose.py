"""Lifting by nearest neighbour: for every frame, the training pose with the most similar projection."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.data.mocap import MocapDataset
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.projection import project_orthographic, rotate_y
from crossdiff.skeleton import Skeleton

_CHUNK = 64  # frames whose distances to all poses are in memory at once


def local_poses(features: Float[Tensor, "*b d"], skeleton: Skeleton) -> Float[Tensor, "*b j 3"]:
    """Joints relative to the root, facing +Z, of 3D features that are not normalised."""
    layout = layout_3d(skeleton)
    joints = features[..., layout.positions].unflatten(-1, (skeleton.num_joints - 1, 3)).clone()
    joints[..., 1] -= features[..., layout.root][..., 3:]
    return torch.cat([torch.zeros_like(joints[..., :1, :]), joints], dim=-2)


def training_poses(dataset: MocapDataset, most: int) -> Float[Tensor, "n j 3"]:
    """At most `most` poses, evenly spread over all frames of the split."""
    step = max(1, -(-int(dataset.lengths.sum()) // most))
    rows, skipped = [], 0
    for index, length in enumerate(dataset.lengths.tolist()):
        rows.append(dataset.packed.features(index, 0, length)[skipped::step])
        skipped = (skipped - length) % step
    return local_poses(torch.from_numpy(np.concatenate(rows)), dataset.skeleton)


class NearestPose:
    """Poses (N, J, 3), relative to the root and facing +Z, projected from `yaws` evenly spaced yaws.

    Distances are squared, over the visible joints: with weights w of 0 and 1,
    sum w (x - y)^2 = sum w x^2 - 2 sum (w x) y + sum w y^2. The first term is the same for all poses y, the others are
    one matrix product for all frames and poses, in chunks of frames. (A k-d tree would need the same joints in every
    frame, and has no advantage in 42 dimensions.)
    """

    def __init__(self, poses: Float[Tensor, "n j 3"], yaws: int) -> None:
        self.poses = poses
        self.yaws = torch.arange(yaws, dtype=torch.float64) * 360 / yaws
        seen = project_orthographic(poses[:, None], self.yaws[None, :, None])[..., 1:, :].flatten(0, 1)
        self._table = torch.cat([-2 * seen.flatten(-2), seen.square().sum(-1)], dim=-1)

    def lift(self, flat: Float[Tensor, "t j 2"], valid: Bool[Tensor, "t j"]) -> Float[Tensor, "t j 3"]:
        """The nearest pose of each frame, at its position in the picture: x and y as there, z towards the camera.

        The root follows its path in the picture; its depth is unknown.
        """
        near = torch.cat([self._nearest(f, v) for f, v in zip(flat.split(_CHUNK), valid.split(_CHUNK), strict=True)])
        count = len(self.yaws)
        joints = rotate_y(self.poses[near // count], self.yaws[near % count][:, None])
        root = torch.nn.functional.pad(flat[:, :1], (0, 1))
        return joints + root

    def _nearest(self, flat: Tensor, valid: Tensor) -> Tensor:
        weight = valid[:, 1:, None].to(flat)
        about = (flat[:, 1:] - flat[:, :1]) * weight
        query = torch.cat([about.flatten(-2), weight[..., 0]], dim=-1)
        return (query @ self._table.mT).argmin(-1)
