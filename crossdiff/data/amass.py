"""AMASS recordings: joints from body parameters, by the user's own SMPL-H or SMPL-X body model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.data.bvh import z_up_to_y_up
from crossdiff.errors import ClipError, InputError, MissingDependencyError
from crossdiff.files import decoding, load_npz, npz_names
from crossdiff.skeleton import HUMANML3D

# Width of `poses` -> family of body models.
_FAMILIES = {156: "smplh", 165: "smplx"}
_FRAME_RATES = ("mocap_framerate", "mocap_frame_rate")
_WHERE = (
    "AMASS needs a body model, which may not be passed on: register at https://mano.is.tue.mpg.de, download "
    "'Extended SMPL+H model' (smplh/GENDER/model.npz), and name its folder with --body-models"
)


@dataclass(frozen=True)
class AmassMotion:
    """poses: (F, 156 or 165) axis-angle, radians; trans: (F, 3) metres, Z up; betas: (B,); fps: of the recording."""

    poses: Float[ndarray, "f p"]
    trans: Float[ndarray, "f 3"]
    betas: Float[ndarray, " b"]
    fps: float
    gender: str

    def __post_init__(self) -> None:
        if self.poses.ndim != 2 or self.poses.shape[1] not in _FAMILIES:
            raise ClipError(f"AMASS: expected poses of width {sorted(_FAMILIES)}, got shape {self.poses.shape}")
        if self.trans.shape != (len(self.poses), 3):
            raise ClipError(f"AMASS: expected trans of shape ({len(self.poses)}, 3), got {self.trans.shape}")
        if not 0 < self.fps < np.inf:
            raise ClipError(f"AMASS: the frame rate must be positive, got {self.fps}")

    @property
    def family(self) -> str:
        return _FAMILIES[self.poses.shape[1]]


def is_amass(path: Path) -> bool:
    """Whether an npz can be read and holds body parameters."""
    try:
        return {"poses", "trans", "betas"} <= set(npz_names(path))
    except InputError:
        return False


def read_amass(path: Path) -> AmassMotion:
    """Read one recording; ClipError or InputError names the file and what is wrong."""
    rates = [name for name in _FRAME_RATES if name in npz_names(path)]
    if not rates:
        raise ClipError(f"{path}: holds none of {', '.join(_FRAME_RATES)}")
    z = load_npz(path, ("poses", "trans", "betas", "gender", rates[0]))
    with decoding(path, "an AMASS recording", ClipError):
        try:
            return AmassMotion(
                z["poses"].astype(np.float32),
                z["trans"].astype(np.float32),
                z["betas"].astype(np.float32).ravel(),
                float(z[rates[0]].item()),
                _gender(z["gender"].item()),
            )
        except ClipError as error:
            raise ClipError(f"{path}: {error}") from None


def _gender(value: object) -> str:
    """`male` of "Male", b"male", and the text "b'male'" that some files hold."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return re.sub(r"""^b?['"](.*)['"]$""", r"\1", text.strip()).strip().lower()


@dataclass(frozen=True)
class BodyModel:
    """template: (V, 3) metres; shapes: (V, 3, B); regressor: (J, V); parents: (J,)."""

    template: Tensor
    shapes: Tensor
    regressor: Tensor
    parents: Tensor

    def joints(self, motion: AmassMotion) -> Float[ndarray, "f j 3"]:
        """The 22 body joints, metres, Y up, as the body model poses them; hands and face are left out."""
        try:
            from smplx.lbs import batch_rigid_transform, batch_rodrigues, blend_shapes, vertices2joints
        except ImportError:
            raise MissingDependencyError("AMASS needs smplx; install it with: pip install 'crossdiff[smpl]'") from None
        count = HUMANML3D.num_joints
        # HumanML3D always uses the first ten.
        used = min(10, len(motion.betas), self.shapes.shape[-1])
        shaped = self.template + blend_shapes(torch.from_numpy(motion.betas[None, :used]), self.shapes[..., :used])
        rest = vertices2joints(self.regressor, shaped)[:, :count]
        poses = torch.from_numpy(motion.poses[:, : 3 * count])
        turns = batch_rodrigues(poses.reshape(-1, 3)).view(-1, count, 3, 3)
        posed, _ = batch_rigid_transform(turns, rest.expand(len(turns), -1, -1), self.parents[:count])
        return z_up_to_y_up(posed.numpy() + motion.trans[:, None]).astype(np.float32)


class BodyModels:
    """The models in a folder, read on first use.

    Their names: `smplh/GENDER/model.npz` (AMASS's own), `smplh/SMPLH_GENDER.npz`, `smplx/SMPLX_GENDER.npz`."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise MissingDependencyError(_WHERE)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder. {_WHERE}")
        self.folder = folder
        self._loaded: dict[Path, BodyModel] = {}

    def joints(self, motion: AmassMotion) -> Float[ndarray, "f j 3"]:
        path = self._find(motion.family, motion.gender)
        if path not in self._loaded:
            self._loaded[path] = load_body_model(path)
        return self._loaded[path].joints(motion)

    def _find(self, family: str, gender: str) -> Path:
        places = (self.folder / family, self.folder)
        # As in HumanML3D, the female body stands in for a missing model of any gender but male.
        for sex in dict.fromkeys((gender if gender in ("male", "female") else "neutral", "female")):
            for place in places:
                for path in (place / sex / "model.npz", place / f"{family.upper()}_{sex.upper()}.npz"):
                    if path.is_file():
                        return path
        raise MissingDependencyError(f"{self.folder}: holds no {family} model for gender {gender!r}. {_WHERE}")


def load_body_model(path: Path) -> BodyModel:
    """Read the arrays that joints need; nothing is unpickled."""
    try:
        z = load_npz(path, ("v_template", "shapedirs", "J_regressor", "kintree_table"))
    except InputError as error:
        raise InputError(f"{error}; only models saved as plain arrays (.npz) are read. {_WHERE}") from None
    with decoding(path, "a body model of the SMPL family"):
        parents = z["kintree_table"][0].astype(np.int64)
        parents[0] = -1
        vertices, joints = len(z["v_template"]), len(parents)
        count = HUMANML3D.num_joints
        fits = z["J_regressor"].shape == (joints, vertices) and z["shapedirs"].shape[:2] == (vertices, 3)
        if not fits or joints < count or not np.array_equal(parents[:count], HUMANML3D.parents):
            raise InputError(f"{path}: not a body model of the SMPL family (its joints do not fit). {_WHERE}")
        template, shapes, regressor = (
            torch.from_numpy(z[n].astype(np.float32)) for n in ("v_template", "shapedirs", "J_regressor")
        )
        return BodyModel(template, shapes, regressor, torch.from_numpy(parents))
