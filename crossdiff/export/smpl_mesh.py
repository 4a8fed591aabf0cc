"""The skin of a body model in every frame, as a sequence of OBJ files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from crossdiff.data.amass import BodyModel, load_body_model
from crossdiff.data.bvh import z_up_to_y_up
from crossdiff.errors import InputError, MissingDependencyError
from crossdiff.export.smpl import BodyMotion
from crossdiff.files import load_npz, write_text

# Frames that are posed together: bounds the memory.
_BATCH = 64


@dataclass(frozen=True)
class Skin:
    """What a body model's surface needs beside its joints.

    pose_shapes: (9 (J - 1), 3 V) how bent joints change the surface; weights: (V, J); faces: (T, 3).
    """

    body: BodyModel
    pose_shapes: Tensor
    weights: Tensor
    faces: Int[ndarray, "t 3"]

    def posed(self, motion: BodyMotion) -> Iterator[Float[ndarray, "v 3"]]:
        """Points of the mean body's skin in each frame, metres, Y up."""
        try:
            from smplx.lbs import lbs
        except ImportError:
            raise MissingDependencyError("--mesh needs smplx; install it with: pip install 'crossdiff[smpl]'") from None
        body, width = self.body, 3 * len(self.body.parents)
        for start in range(0, len(motion.poses), _BATCH):
            batch = slice(start, start + _BATCH)
            poses = torch.zeros(len(motion.poses[batch]), width)
            given = torch.from_numpy(motion.poses[batch, :width]).float()
            poses[:, : given.shape[1]] = given
            points, _ = lbs(
                torch.zeros(len(poses), body.shapes.shape[-1]),
                poses,
                body.template,
                body.shapes,
                self.pose_shapes,
                body.regressor,
                body.parents,
                self.weights,
            )
            yield from z_up_to_y_up(points.numpy() + motion.trans[batch, None])


def load_skin(path: Path) -> Skin:
    """Read a body model of the SMPL family with its surface; nothing is unpickled."""
    body = load_body_model(path)
    z = load_npz(path, ("posedirs", "weights", "f"))
    vertices, joints = len(body.template), len(body.parents)
    if z["posedirs"].shape != (vertices, 3, 9 * (joints - 1)) or z["weights"].shape != (vertices, joints):
        raise InputError(
            f"{path}: expected posedirs ({vertices}, 3, {9 * (joints - 1)}) and weights ({vertices}, {joints}), "
            f"got {z['posedirs'].shape} and {z['weights'].shape}; download the body model again"
        )
    pose_shapes = torch.from_numpy(z["posedirs"].astype(np.float32)).reshape(3 * vertices, -1).T
    return Skin(body, pose_shapes, torch.from_numpy(z["weights"].astype(np.float32)), z["f"].astype(np.int64))


def write_obj_sequence(skin: Skin, motion: BodyMotion, folder: Path) -> int:
    """Write `0000.obj`, `0001.obj`, ...: metres, Y up, one file per frame; returns how many.

    Those of a longer motion that was written there before are removed.
    """
    for old in folder.glob("*.obj"):
        if old.stem.isdigit():
            old.unlink()
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in skin.faces + 1)
    count = 0
    for points in skin.posed(motion):
        write_text(folder / f"{count:04d}.obj", "".join(f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in points) + faces)
        count += 1
    return count
