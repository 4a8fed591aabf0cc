"""Reading a motion to export, whatever part of the toolkit wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, load_npz, npz_names
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.skeleton import HUMANML3D, KIT
from crossdiff.types import Motion3D

# Length of a person's thigh and shin in metres, generously.
_LEG = (0.1, 3.0)
_KINDS = (
    f"joints (frames, {HUMANML3D.num_joints}, 3) or HumanML3D features (frames, {layout_3d(HUMANML3D).dim}), "
    "as .npy, or as .npz a pseudo label of a run or a motion exported as npz"
)


def read_motion(path: Path) -> Motion3D:
    """Joints of a file: metres, Y up.

    .npy: joints (F, 22, 3) as `crossdiff sample` writes them, or features (F, 263), not normalised; 20 frames a second.
    .npz: `features` or `joints`, and `fps`: a pseudo label, or what `export --format npz` wrote.
    ClipError or InputError names the file and what is wrong with it.
    """
    array, fps = _array(path)
    try:
        return _motion(array, fps)
    except ClipError as error:
        raise ClipError(f"{path}: {error}") from None


def _array(path: Path) -> tuple[ndarray, float]:
    if path.suffix.lower() == ".npy":
        return load_npy(path), HUMANML3D.fps
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: motions to export are {_KINDS}")
    names = npz_names(path)
    kind = next((name for name in ("joints", "features") if name in names), None)
    if kind is None or "fps" not in names:
        raise InputError(f"{path}: holds {', '.join(names) or 'nothing'}; expected {_KINDS}")
    z = load_npz(path, (kind, "fps"))
    if z["fps"].size != 1 or z["fps"].dtype.kind not in "fiu":
        raise InputError(f"{path}: expected one number as fps, got {z['fps'].dtype} of shape {z['fps'].shape}")
    return z[kind], float(z["fps"].item())


def _motion(array: ndarray, fps: float) -> Motion3D:
    if array.dtype.kind not in "fiu":
        raise ClipError(f"expected numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if array.ndim == 2 and array.shape[1] == layout_3d(HUMANML3D).dim:
        array = features_to_joints(torch.from_numpy(array)).numpy() if len(array) else np.zeros((0, 22, 3))
    if array.ndim != 3 or array.shape[1:] != (HUMANML3D.num_joints, 3):
        kit = array.shape[1:] in ((KIT.num_joints, 3), (layout_3d(KIT).dim,))
        why = "; motions of the KIT skeleton cannot be exported" if kit else ""
        raise ClipError(f"expected {_KINDS}; got shape {array.shape}{why}")
    if len(array) < FEWEST_FRAMES:
        raise ClipError(f"{len(array)} frames, need {FEWEST_FRAMES} or more; choose a longer motion")
    motion = Motion3D(array, fps)
    up, down = [HUMANML3D.parents[joint] for joint in HUMANML3D.scaling], list(HUMANML3D.scaling)
    leg = float(np.median(np.linalg.norm(array[:, down] - array[:, up], axis=-1).sum(axis=1)))
    if not _LEG[0] < leg < _LEG[1]:
        raise ClipError(f"a leg is {leg:.3g} m long; joints must be in metres, features not normalised")
    return motion
