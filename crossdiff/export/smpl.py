"""Writing a motion as SMPL body parameters, in the layout of AMASS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation
from torch import Tensor

from crossdiff.data.amass import BodyModel, load_body_model
from crossdiff.data.bvh import z_up_to_y_up
from crossdiff.errors import InputError, MissingDependencyError
from crossdiff.export.rig import Rig, fit_rig, rest_offsets
from crossdiff.files import load_npz, save_npz, write_text
from crossdiff.representation.features3d import retarget
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D

# Widths of AMASS's arrays: SMPL-H has 52 joints, SMPL-X 55; shapes; soft tissue.
_SMPLH_JOINTS, _SMPLX_JOINTS, _BETAS, _DMPLS = 52, 55, 16, 8
# Pelvis of SMPL's mean body at rest, in metres, rounded; a body model has the exact position.
_PELVIS = (0.0, -0.22, 0.03)
# From Y up to Z up.
_UPRIGHT = Rotation.from_euler("X", 90, degrees=True)
# Frames posed at once, to bound the memory.
_BATCH = 64


@dataclass(frozen=True)
class RestBody:
    """The mean body of a model at rest. pelvis: (3,) metres; offsets: (22, 3); joints: number in the model."""

    pelvis: Float[ndarray, " 3"]
    offsets: Float[ndarray, "j 3"]
    joints: int = _SMPLH_JOINTS


@dataclass(frozen=True)
class BodyMotion:
    """A recording as in AMASS: poses (F, 156 or 165) axis-angle, radians; trans (F, 3) metres, Z up; frame rate."""

    poses: Float[ndarray, "f p"]
    trans: Float[ndarray, "f 3"]
    fps: float


def rest_body(body_model: Path | None = None) -> RestBody:
    """The mean body of a model (.npz), or else HumanML3D's, which is close to SMPL's."""
    if body_model is None:
        assert HUMANML3D.body is not None
        return RestBody(np.array(_PELVIS), rest_offsets(np.array(HUMANML3D.body)))
    model: BodyModel = load_body_model(body_model)
    joints = (model.regressor @ model.template).double().numpy()[: HUMANML3D.num_joints]
    offsets = joints - joints[[max(parent, 0) for parent in HUMANML3D.parents]]
    return RestBody(joints[0], offsets, len(model.parents))


def body_motion(rig: Rig, body: RestBody) -> BodyMotion:
    """The rig's motion as poses of a body.

    The motion is retargeted to the body's bone lengths, with the root's path scaled by the length of the legs. Hands
    and face do not move; shape parameters are zero.
    """
    lengths = torch.from_numpy(np.linalg.norm(body.offsets, axis=-1))
    joints = retarget(torch.from_numpy(rig.joints()), lengths, rig.skeleton).numpy()
    posed = fit_rig(Motion3D(joints, rig.fps, rig.skeleton), body.offsets).rig
    w, x, y, z = np.moveaxis(posed.rotations, -1, 0)
    turns = Rotation.from_quat(np.stack([x, y, z, w], axis=-1).reshape(-1, 4))
    vectors = turns.as_rotvec().reshape(len(joints), -1, 3)
    vectors[:, 0] = (_UPRIGHT * Rotation.from_quat(np.stack([x, y, z, w], axis=-1)[:, 0])).as_rotvec()
    all_joints = _SMPLX_JOINTS if body.joints == _SMPLX_JOINTS else _SMPLH_JOINTS
    poses = np.zeros((len(joints), 3 * all_joints))
    poses[:, : vectors[0].size] = vectors.reshape(len(joints), -1)
    # The pelvis rotates about itself; trans is relative to its rest position.
    return BodyMotion(poses, _UPRIGHT.apply(posed.root) - body.pelvis, rig.fps)


def write_smpl(motion: BodyMotion, path: Path) -> None:
    """Write poses, trans, betas, dmpls, mocap_framerate and gender, as in AMASS's files."""
    save_npz(
        path,
        poses=motion.poses,
        trans=motion.trans,
        betas=np.zeros(_BETAS),
        dmpls=np.zeros((len(motion.poses), _DMPLS)),
        mocap_framerate=np.float64(motion.fps),
        gender=np.array("neutral"),
    )


@dataclass(frozen=True)
class Skin:
    """The surface of a body model.

    pose_shapes: (9 (J - 1), 3 V), pose-dependent corrections; weights: (V, J), skinning weights; faces: (T, 3).
    """

    body: BodyModel
    pose_shapes: Tensor
    weights: Tensor
    faces: Int[ndarray, "t 3"]

    def posed(self, motion: BodyMotion) -> Iterator[Float[ndarray, "v 3"]]:
        """Vertices of the mean body in each frame, metres, Y up."""
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
    """Write `0000.obj`, `0001.obj`, ...: metres, Y up, one file per frame; returns their number.

    Files of an earlier, longer motion are removed.
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
