"""Motions read from the files that the toolkit writes, with the captions that lie beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff.data.captions import read_captions
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, load_npz, read_json
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.types import Motion3D

_RECORD = "samples.json"


def read_motion(path: Path) -> Motion3D:
    """Joints (F, 22, 3) in metres, Y up, or features (F, 263) as .npy; a pseudo label as .npz. KIT's sizes as well.

    Frame rates are the skeleton's, where a label does not hold its own. Raises InputError that names the file.
    """
    if path.suffix.lower() == ".npz":
        z = load_npz(path, ("features",), ("fps",))
        array, fps = z["features"], float(z["fps"]) if "fps" in z else None
    else:
        array, fps = load_npy(path), None
    try:
        skeleton, joints = _joints_of(array)
        if not len(joints):
            raise ClipError("has no frames")
        return Motion3D(joints, fps or skeleton.fps, skeleton)
    except ClipError as error:
        raise InputError(f"{path}: {error}") from None


def _joints_of(array: ndarray) -> tuple[Skeleton, ndarray]:
    """The skeleton that an array's shape tells, and its joints in metres."""
    if array.dtype.kind not in "fiu":
        raise ClipError(f"holds {array.dtype}; give numbers")
    for skeleton in SKELETONS.values():
        if array.ndim == 3 and array.shape[1:] == (skeleton.num_joints, 3):
            return skeleton, array.astype(np.float64)
        if array.ndim == 2 and array.shape[1] == layout_3d(skeleton).dim:
            joints = features_to_joints(torch.from_numpy(array.astype(np.float32)), skeleton)
            return skeleton, joints.numpy().astype(np.float64) * skeleton.metres_per_unit
    raise ClipError(
        f"has shape {array.shape}; give joints (frames, 22, 3), as `crossdiff sample` writes them, or features "
        "(frames, 263), not normalised"
    )


def caption_of(path: Path) -> str:
    """What a motion is said to be: its prompt in `samples.json` beside it, else the first line of `texts/NAME.txt`.

    The texts are looked for beside the file and beside its folder. Empty where nothing is said.
    """
    return _prompt_of(path) or next(filter(None, (first_caption(t) for t in _texts_of(path))), "")


def _texts_of(path: Path) -> list[Path]:
    return [folder / "texts" / f"{path.stem}.txt" for folder in (path.parent, path.absolute().parent.parent)]


def first_caption(path: Path) -> str:
    """The first caption of a file; empty where there is no file, or none that can be read."""
    try:
        captions = read_captions(path)
    except (ClipError, InputError):
        return ""
    return captions[0].text if captions else ""


def _prompt_of(path: Path) -> str:
    try:
        record = read_json(path.parent / _RECORD)
        return str(next(m["prompt"] for m in record["motions"] if m["name"] == path.stem))
    except (InputError, KeyError, TypeError, StopIteration):
        return ""  # no record, or one of another kind
