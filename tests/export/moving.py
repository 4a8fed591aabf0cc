"""Rigs with random but known poses."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from scipy.spatial.transform import Rotation

from crossdiff.export.rig import Rig, rest_offsets
from crossdiff.skeleton import HUMANML3D

BODY = np.array(HUMANML3D.body)


def random_rig(frames: int = 6, seed: int = 0, most: float = 1.2, offsets: ndarray | None = None) -> Rig:
    """All joints turn by angles of up to `most` radians, smoothly over time; the root anyhow. 20 frames a second."""
    rng = np.random.default_rng(seed)
    joints = HUMANML3D.num_joints
    time = np.arange(frames)[:, None, None] / 20
    swing = np.sin(rng.uniform(1, 5, (joints, 3)) * time + rng.uniform(0, 6, (joints, 3)))
    vectors = most / np.sqrt(3) * rng.uniform(0.3, 1, (joints, 3)) * swing
    x, y, z, w = np.moveaxis(Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat(), -1, 0)
    local = np.stack([w, x, y, z], axis=-1).reshape(frames, joints, 4)
    local[:, 0] = _wxyz(Rotation.from_rotvec(time[:, 0] * rng.normal(size=3)) * Rotation.random(random_state=seed))
    root = np.array([0.3, 1.0, -0.2]) + time[:, 0] * rng.normal(size=3)
    return Rig(rest_offsets(BODY) if offsets is None else offsets, root, local, 20.0)


def _wxyz(rotation: Rotation) -> ndarray:
    return rotation.as_quat()[:, [3, 0, 1, 2]]
