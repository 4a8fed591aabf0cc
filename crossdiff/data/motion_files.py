"""Motions read from the files that the toolkit writes, with the captions that lie beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff.data.captions import read_caption_file
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, load_npz, npz_names, read_json
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.types import Motion3D

_RECORD = "samples.json"
_SUFFIXES = (".npy", ".npz")
_KINDS = (
    "joints (frames, 22, 3) in metres or features (frames, 263), not normalised, as .npy, or as .npz a pseudo label "
    "of a run or a motion exported as npz"
)


def read_motion(path: Path) -> Motion3D:
    """Joints in metres, Y up, of a motion of either skeleton, from the files that the toolkit writes.

    .npy: joints (F, 22, 3), as `crossdiff sample` writes them, or features (F, 263), not normalised (KIT: 21 and 251).
    .npz: a pseudo label, with `features`, or what `export --format npz` wrote, with `joints`. Frame rates are the
    skeleton's, where an .npz does not hold its own. InputError names the file and what is wrong with it.
    """
    array, fps = _array(path)
    try:
        skeleton, joints = _joints_of(array)
        if not len(joints):
            raise ClipError("has no frames")
        return Motion3D(joints, skeleton.fps if fps is None else fps, skeleton)
    except ClipError as error:
        raise InputError(f"{path}: {error}") from None


def motion_files(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name: the files themselves, and all .npy and .npz of folders, in order.

    Hidden files of folders are none: copies to macOS leave some, and so does a process that is killed while it writes.
    """
    return [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]


def _inside(folder: Path) -> list[Path]:
    found = sorted(file for suffix in _SUFFIXES for file in folder.glob(f"[!.]*{suffix}"))
    if not found:
        raise InputError(f"{folder}: holds no motions (.npy, or .npz labels); name files, or another folder")
    return found


def _array(path: Path) -> tuple[ndarray, float | None]:
    """What a file holds of a motion, and its frame rate where it says one."""
    if path.suffix.lower() == ".npy":
        return load_npy(path), None
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: motions are {_KINDS}")
    names = npz_names(path)
    kind = next((name for name in ("joints", "features") if name in names), None)
    if kind is None:
        raise InputError(f"{path}: holds {', '.join(names) or 'nothing'}; expected {_KINDS}")
    z = load_npz(path, (kind,), ("fps",))
    if "fps" not in z:
        return z[kind], None
    if z["fps"].size != 1 or z["fps"].dtype.kind not in "fiu":
        raise InputError(f"{path}: expected one number as fps, got {z['fps'].dtype} of shape {z['fps'].shape}")
    return z[kind], float(z["fps"].item())


def _joints_of(array: ndarray) -> tuple[Skeleton, ndarray]:
    """The skeleton that an array's shape tells, and its joints in metres."""
    if array.dtype.kind not in "fiu":
        raise ClipError(f"expected numbers, got {array.dtype}")
    for skeleton in SKELETONS.values():
        if array.ndim == 3 and array.shape[1:] == (skeleton.num_joints, 3):
            return skeleton, array.astype(np.float64)
        if array.ndim == 2 and array.shape[1] == layout_3d(skeleton).dim:
            if not len(array):
                return skeleton, np.zeros((0, skeleton.num_joints, 3))
            joints = features_to_joints(torch.from_numpy(array.astype(np.float64)), skeleton)
            return skeleton, joints.numpy() * skeleton.metres_per_unit
    raise ClipError(f"expected {_KINDS}; got shape {array.shape}")


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
        captions = read_caption_file(path)
    except (ClipError, InputError):
        return ""
    return captions[0].text if captions else ""


def _prompt_of(path: Path) -> str:
    try:
        record = read_json(path.parent / _RECORD)
        motions = [*record["motions"], *record.get("earlier", [])]
        return str(next(m["prompt"] for m in motions if m["name"] == path.stem))
    except (InputError, AttributeError, KeyError, TypeError, StopIteration):
        return ""  # no record, or one of another kind
