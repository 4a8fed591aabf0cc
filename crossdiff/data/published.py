"""Published HumanML3D and KIT-ML folders, whose features are kept instead of computed again."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy import ndarray

from crossdiff.data.captions import keep_captions, parse_captions
from crossdiff.data.companions import read_splits, read_texts
from crossdiff.data.tally import BAD_LINE, CUT_OFF, LONG, ClipResult, LeftOut, Written
from crossdiff.errors import InputError
from crossdiff.files import load_npy, save_npy, temporary_beside, write_text
from crossdiff.representation.features3d import features_to_joints_and_next
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import SKELETONS, Skeleton

_FEATURES, _JOINTS = "new_joint_vecs", "new_joints"


class _Unusable(Exception):
    """A broken clip, with the reason and its detail."""


@dataclass(frozen=True)
class PublishedFolder:
    """ids: of all feature files; splits: listed clip -> split; texts: clip -> lines of its caption file."""

    folder: Path
    skeleton: Skeleton
    ids: list[str]
    splits: dict[str, str]
    texts: dict[str, list[str]]

    kind: ClassVar[str] = "published"

    @classmethod
    def find(cls, source: Path) -> PublishedFolder | None:
        """The folder's features, None without any; their width gives the skeleton."""
        ids = sorted(p.stem for p in (source / _FEATURES).glob("*.npy"))
        if not ids:
            return None
        return cls(source, _skeleton_of(source, ids), ids, read_splits(source), read_texts(source))

    def statistics(self) -> dict[str, ndarray]:
        """`Mean` and `Std`, if the folder has both."""
        paths = {name: self.folder / f"{name}.npy" for name in ("Mean", "Std")}
        if not all(path.is_file() for path in paths.values()):
            return {}
        arrays = {name: load_npy(path) for name, path in paths.items()}
        for name, array in arrays.items():
            if (
                array.shape != (layout_3d(self.skeleton).dim,)
                or array.dtype.kind != "f"
                or not np.isfinite(array).all()
            ):
                raise InputError(f"{paths[name]}: not statistics of these features; delete it to have them computed")
        if not (arrays["Std"] > 0).all():
            raise InputError(f"{paths['Std']}: standard deviations must be above 0; delete it to have them computed")
        return arrays

    @cached_property
    def _has_joints(self) -> bool:
        return any((self.folder / _JOINTS).glob("*.npy"))

    def place(self, clip_id: str, split: str, out: Path, min_frames: int, max_frames: int) -> ClipResult:
        """Check a clip and link or copy it into `out`."""
        captions, bad_lines = parse_captions(self.texts.get(clip_id, []))
        lines = len(captions) + len(bad_lines)
        left = [LeftOut(clip_id, BAD_LINE, why) for why in bad_lines]
        try:
            features = self._features(clip_id)
            joints = self._joints(clip_id, features)
        except _Unusable as error:
            reason, detail = error.args
            return ClipResult([], [*left, LeftOut(clip_id, reason, detail, broken=True)], lines)
        kept, cut_off = keep_captions(captions, len(features), max_frames, self.skeleton.fps)
        left += [LeftOut(clip_id, CUT_OFF, c.line) for c in cut_off]
        if len(features) < min_frames:
            left.append(LeftOut(clip_id, f"shorter than {min_frames} frames", f"{len(features)} frames"))
            return ClipResult([], left, lines, len(features))
        if not kept and self.texts:
            left.append(LeftOut(clip_id, "without a caption", broken=clip_id not in self.texts))
            return ClipResult([], left, lines, len(features))
        if len(features) > max_frames:
            left.append(LeftOut(clip_id, LONG, f"{len(features) - max_frames} of {len(features)} frames"))
        mirrored = clip_id.startswith("M") and clip_id[1:] in self.splits
        clip = Written(clip_id, split, features[:max_frames], joints[: max_frames + 1], len(kept), mirrored)
        self._put(out, _FEATURES, clip_id, features, clip.features)
        self._put(out, _JOINTS, clip_id, joints, clip.joints)
        write_text(out / "texts" / f"{clip_id}.txt", "".join(c.line + "\n" for c in kept))
        return ClipResult([clip], left, lines, 0 if mirrored else len(features))

    def _features(self, clip_id: str) -> ndarray:
        features = self._read(_FEATURES, clip_id)
        dim = layout_3d(self.skeleton).dim
        if features.ndim != 2 or features.shape[1] != dim:
            raise _Unusable(f"not of shape (frames, {dim})", str(features.shape))
        if not np.isfinite(features).all():
            raise _Unusable("with NaN or infinite features", "")
        return features

    def _joints(self, clip_id: str, features: ndarray) -> ndarray:
        """The published joints, or else those computed from the features."""
        if not self._has_joints:
            return features_to_joints_and_next(torch.from_numpy(features.astype(np.float32)), self.skeleton).numpy()
        joints = self._read(_JOINTS, clip_id)
        frames = (len(features), len(features) + 1)
        if joints.shape not in {(n, self.skeleton.num_joints, 3) for n in frames}:
            raise _Unusable("with joints that do not fit the features", f"{joints.shape} and {features.shape}")
        if not np.isfinite(joints).all():
            raise _Unusable("with NaN or infinite joints", "")
        return joints

    def _read(self, kind: str, clip_id: str) -> ndarray:
        path = self.folder / kind / f"{clip_id}.npy"
        if not path.is_file():
            raise _Unusable("listed, but without a motion", f"no {kind}/{clip_id}.npy")
        try:
            array = load_npy(path)
        except InputError as error:
            raise _Unusable("not readable", str(error)) from None
        if array.dtype.kind != "f":
            raise _Unusable("not readable", f"{path}: not an array of floating-point numbers")
        return array

    def _put(self, out: Path, kind: str, clip_id: str, whole: ndarray, kept: ndarray) -> None:
        source, target = (folder / kind / f"{clip_id}.npy" for folder in (self.folder, out))
        if len(kept) == len(whole) and source.is_file():
            link_or_copy(source, target)
        else:
            save_npy(target, kept)


def _skeleton_of(source: Path, ids: list[str]) -> Skeleton:
    widths = {layout_3d(s).dim: s for s in SKELETONS.values()}
    for clip_id in ids:
        try:
            array = load_npy(source / _FEATURES / f"{clip_id}.npy", mapped=True)
        except InputError:
            continue
        if array.ndim == 2 and array.shape[1] in widths:
            return widths[array.shape[1]]
    raise InputError(f"{source / _FEATURES}: no array has {' or '.join(map(str, widths))} values per frame")


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link, which takes no space, or a copy where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        os.link(source.resolve(), temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    target.unlink(missing_ok=True)  # renaming one link over another of the same file would leave both
    temporary.replace(target)
