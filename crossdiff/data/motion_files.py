"""Reading motions from the files that the toolkit writes, and their captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff.data.captions import read_caption_file
from crossdiff.data.plausible import check_frame_rate, check_joints, check_not_normalised
from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npy, load_npz, npz_names, read_json
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
    """Read a motion of either skeleton as joints in metres, Y up.

    .npy: joints (F, 22, 3), as `crossdiff sample` writes them, or features (F, 263), not normalised (KIT: 21 and 251).
    .npz: a pseudo label with `features`, or an export with `joints`. Without `fps` in an .npz, the frame rate is the
    skeleton's. InputError names the file and its fault.
    """
    with decoding(path, "a motion"):
        array, fps = _array(path)
        try:
            skeleton, joints = _joints_of(array)
            if not len(joints):
                raise ClipError("has no frames")
            check_joints(joints)
            motion = Motion3D(joints, skeleton.fps if fps is None else fps, skeleton)
            check_frame_rate(motion.fps)
            return motion
        except ClipError as error:
            raise InputError(f"{path}: {error}") from None


def motion_files(paths: Sequence[Path]) -> list[Path]:
    """The given files, and all .npy and .npz files of the given folders, in order.

    Hidden files in folders are skipped: macOS leaves some, and so do processes that are killed while writing.
    """
    return [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]


def _inside(folder: Path) -> list[Path]:
    found = sorted(file for suffix in _SUFFIXES for file in folder.glob(f"[!.]*{suffix}"))
    if not found:
        raise InputError(f"{folder}: holds no motions (.npy, or .npz labels); name files, or another folder")
    return found


def _array(path: Path) -> tuple[ndarray, float | None]:
    """A file's array of joints or features, and its frame rate if it has one."""
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
    """The skeleton, by the array's shape, and the joints in metres."""
    if array.dtype.kind not in "fiu":
        raise ClipError(f"expected numbers, got {array.dtype}")
    for skeleton in SKELETONS.values():
        if array.ndim == 3 and array.shape[1:] == (skeleton.num_joints, 3):
            return skeleton, array.astype(np.float64)
        if array.ndim == 2 and array.shape[1] == layout_3d(skeleton).dim:
            if not len(array):
                return skeleton, np.zeros((0, skeleton.num_joints, 3))
            check_not_normalised(array, skeleton)
            joints = features_to_joints(torch.from_numpy(array.astype(np.float64)), skeleton)
            return skeleton, joints.numpy() * skeleton.metres_per_unit
    raise ClipError(f"expected {_KINDS}; got shape {array.shape}")


def caption_of(path: Path) -> str:
    """A motion's prompt in `samples.json` beside it, else the first caption in `texts/NAME.txt`, else nothing.

    `texts/` may be beside the file or beside its folder.
    """
    return _prompt_of(path) or next(filter(None, (first_caption(t) for t in _texts_of(path))), "")


def _texts_of(path: Path) -> list[Path]:
    return [folder / "texts" / f"{path.stem}.txt" for folder in (path.parent, path.absolute().parent.parent)]


def first_caption(path: Path) -> str:
    """The first caption of a file; empty if there is no file or no readable caption."""
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
