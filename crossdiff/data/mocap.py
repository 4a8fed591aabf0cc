"""HumanML3D folders: 3D clips with captions; their 2D views are projected when a clip is read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator
from pydantic import Field, field_validator
from torch import Tensor

from crossdiff.config import Config
from crossdiff.data.batch import ClipWindow
from crossdiff.data.captions import Caption, read_caption_file
from crossdiff.data.companions import read_ids
from crossdiff.data.packed import PackedClips
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, read_json
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.layouts import Layout2D, layout_2d, layout_3d
from crossdiff.representation.projection import VIEW_YAW, VIEWS, project_orthographic, view_yaw
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.types import Domain

# Clips are cropped to a multiple of this many frames, at a random start, as in T2M, MDM and the authors' code.
CROP_UNIT = 4
NO_CAPTION = Caption("", "")


class ViewConfig(Config):
    """2D views of a 3D clip, and what is hidden in them from the network, as a detector would miss it.

    Hidden values are still learning targets.
    """

    views: tuple[str, ...] = Field(tuple(VIEW_YAW), min_length=1)
    """Views of which one is drawn for each clip: front, right, back, left, top."""
    yaw_jitter: float = Field(0.0, ge=0, le=180)
    """Largest deviation of a view to either side, in degrees."""
    hide: float = Field(0.0, ge=0, le=1)
    """Fraction of clips in which some joints are hidden for a while, and in a third of them the toes throughout."""
    hide_path: float = Field(0.0, ge=0, le=1)
    """Fraction of clips whose root trajectory is hidden, as when the camera's movement is unknown."""

    @field_validator("views")
    @classmethod
    def _known(cls, views: tuple[str, ...]) -> tuple[str, ...]:
        for view in views:
            if view not in VIEWS:
                raise ValueError(f"view {view!r} is none of {', '.join(VIEWS)}")
        return views


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of a domain's features."""

    mean: ndarray
    std: ndarray


class MocapDataset:
    """One split of a HumanML3D folder; clips that cannot be used are in `skipped` with their reasons.

    Arrays stay on disk until the first clip is read; then all are packed into two files (see `PackedClips`).
    """

    def __init__(self, folder: Path, split: str = "train", layout: Layout2D = "paper") -> None:
        self.folder, self.split, self.layout = folder, split, layout
        names = folder / f"{split}.txt"
        if not names.is_file():
            raise InputError(f"{folder}: no {split}.txt; make a dataset with: crossdiff prepare SOURCE --out {folder}")
        record = read_json(folder / "dataset.json") if (folder / "dataset.json").is_file() else {}
        if not isinstance(record, dict):
            raise InputError(f"{folder / 'dataset.json'}: expected an object; prepare the dataset again")
        self.skeleton = _skeleton(record.get("skeleton", "humanml3d"), folder)
        self.ids: list[str] = []
        self.captions: list[list[Caption]] = []
        self.skipped: dict[str, str] = {}
        lengths = []
        for clip_id in read_ids(names):
            try:
                captions = read_caption_file(folder / "texts" / f"{clip_id}.txt")
                length = self._length(clip_id)
            except (ClipError, InputError) as error:
                self.skipped[clip_id] = str(error)
                continue
            self.ids.append(clip_id)
            self.captions.append(captions or [NO_CAPTION])
            lengths.append(length)
        self.lengths = np.array(lengths, dtype=int)
        if not self.ids:
            reason = next(iter(self.skipped.values()), "the list is empty")
            raise InputError(f"{folder}: no usable clip in {split}.txt ({reason})")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def packed(self) -> PackedClips:
        return PackedClips(self.folder, self.split, self.ids, self.lengths.tolist())

    def fingerprint(self) -> str:
        """Hash of the statistics and of the clips' names, lengths and captions, which identifies the dataset."""
        digest = hashlib.sha256()
        for stats in self.statistics().values():
            digest.update(np.ascontiguousarray(stats.mean).tobytes() + np.ascontiguousarray(stats.std).tobytes())
        for clip_id, length, captions in zip(self.ids, self.lengths, self.captions, strict=True):
            digest.update(f"{clip_id} {length} {captions}\n".encode())
        return digest.hexdigest()[:16]

    def statistics(self) -> dict[Domain, Statistics]:
        """Statistics of the training split, as `crossdiff prepare` wrote them."""
        stats: dict[Domain, Statistics] = {}
        for domain, suffix in (("3d", ""), ("2d", "2d")):
            mean, std = (load_npy(self.folder / f"{n}{suffix}.npy") for n in ("Mean", "Std"))
            stats["3d" if domain == "3d" else "2d"] = Statistics(mean, std)
        return stats

    def crop(self, index: int, max_frames: int, views: ViewConfig, rng: Generator) -> ClipWindow:
        """A random caption, a window of at most `max_frames` frames (a multiple of 4) in its span, a random view."""
        return self.crops([index], max_frames, views, [rng])[0]

    def crops(
        self, indices: Sequence[int], max_frames: int, views: ViewConfig, rngs: Sequence[Generator]
    ) -> list[ClipWindow]:
        """A random window of each clip, with one generator each; their 2D features are computed together."""
        drawn = [self._draw(index, max_frames, views, rng) for index, rng in zip(indices, rngs, strict=True)]
        longest = max(len(d.joints) for d in drawn)
        shape = (len(drawn), longest, self.skeleton.num_joints)
        joints, valid = np.zeros((*shape, 3), dtype=np.float32), np.ones(shape, dtype=bool)
        for row, d in enumerate(drawn):
            joints[row, : len(d.joints)] = d.joints
            valid[row, : len(d.joints)] = d.valid
        metres = torch.from_numpy(joints) * self.skeleton.metres_per_unit
        flat = _project(metres, [d.view for d in drawn])
        features, trusted = joints_to_features_2d(flat, self.skeleton, self.layout)
        hidden = not valid.all()
        seen = trusted
        if hidden:
            _, seen = joints_to_features_2d(flat, self.skeleton, self.layout, torch.from_numpy(valid))
        pathless = torch.tensor([not d.path_known for d in drawn])
        if pathless.any():
            moving = layout_2d(self.skeleton, self.layout).moving
            seen = seen & ~(pathless[:, None, None] & torch.from_numpy(moving))
        return [
            ClipWindow(
                {"3d": d.features, "2d": two_d[: len(d.features)]},
                {"3d": np.broadcast_to(True, d.features.shape), "2d": sure[: len(d.features)]},
                read[: len(d.features)],
                d.caption,
            )
            for d, two_d, sure, read in zip(drawn, features.numpy(), trusted.numpy(), seen.numpy(), strict=True)
        ]

    def _draw(self, index: int, max_frames: int, views: ViewConfig, rng: Generator) -> _Drawn:
        caption = self.captions[index][rng.integers(len(self.captions[index]))]
        start, stop = clip_span(caption, int(self.lengths[index]), self.skeleton)
        length = _whole_units(min(stop - start, max_frames))
        start += int(rng.integers(stop - start - length + 1))
        name = views.views[rng.integers(len(views.views))]
        view = name if name == "top" else view_yaw(name) + rng.uniform(-1, 1) * views.yaw_jitter
        joints = self.packed.joints(index, start, start + length + 1)
        hide = rng.random() < views.hide
        valid = _hidden(len(joints), self.skeleton, rng) if hide else np.ones(joints.shape[:2], dtype=bool)
        path_known = not views.hide_path or rng.random() >= views.hide_path
        return _Drawn(self.packed.features(index, start, start + length), joints, valid, view, caption.text, path_known)

    def _length(self, clip_id: str) -> int:
        """The number of frames that have features, and joints for themselves and the next frame.

        HumanML3D's own folders have as many frames of joints as of features; their last features are dropped.
        """
        features, joints = self._array("new_joint_vecs", clip_id), self._array("new_joints", clip_id)
        if features.ndim != 2 or features.shape[1] != layout_3d(self.skeleton).dim:
            raise ClipError(
                f"{clip_id}: expected features of width {layout_3d(self.skeleton).dim}, got {features.shape}"
            )
        frames = len(joints) if joints.shape[1:] == (self.skeleton.num_joints, 3) else 0
        if frames not in (len(features), len(features) + 1) or frames < 2:
            raise ClipError(
                f"{clip_id}: {len(features)} feature frames need joints of shape "
                f"({len(features) + 1}, {self.skeleton.num_joints}, 3), got {joints.shape}"
            )
        return frames - 1

    def _array(self, kind: str, clip_id: str) -> ndarray:
        return load_npy(self.folder / kind / f"{clip_id}.npy", mapped=True)

    @property
    def dims(self) -> dict[Domain, int]:
        return {"3d": layout_3d(self.skeleton).dim, "2d": layout_2d(self.skeleton, self.layout).dim}


def clip_span(caption: Caption, frames: int, skeleton: Skeleton) -> tuple[int, int]:
    """First frame and frame after the last that a caption describes; all frames if its span is too short."""
    start, stop = (int(s * skeleton.fps) for s in (caption.start, caption.end))
    stop = min(stop, frames)
    return (start, stop) if stop - start >= skeleton.min_frames else (0, frames)


def _skeleton(name: str, folder: Path) -> Skeleton:
    if name not in SKELETONS:
        raise InputError(f"{folder}: expected the skeleton {' or '.join(SKELETONS)} in dataset.json, got {name!r}")
    return SKELETONS[name]


@dataclass(frozen=True)
class _Drawn:
    """One random training window: features (T), joints (T + 1), visibility, view and caption."""

    features: ndarray
    joints: ndarray
    valid: ndarray
    view: str | float
    caption: str
    path_known: bool


def _whole_units(frames: int) -> int:
    """The largest multiple of `CROP_UNIT` that fits; lengths below one unit are kept."""
    return frames - frames % CROP_UNIT if frames >= CROP_UNIT else frames


def _project(joints: Tensor, views: Sequence[str | float]) -> Tensor:
    """Project each clip of (B, T, J, 3) to its own view: a yaw in degrees, or "top"."""
    yaws = torch.tensor([0.0 if view == "top" else float(view) for view in views], dtype=torch.float64)
    flat = project_orthographic(joints, yaws[:, None, None])
    top = torch.tensor([view == "top" for view in views])
    return torch.where(top[:, None, None, None], project_orthographic(joints, "top"), flat) if top.any() else flat


def _hidden(frames: int, skeleton: Skeleton, rng: Generator) -> ndarray:
    """(frames, joints), False for some random joints over a random interval, perhaps the toes; never the root."""
    joints = skeleton.num_joints
    valid = np.ones((frames, joints), dtype=bool)
    count = int(rng.integers(1, max(2, joints // 3)))
    start, stop = sorted(rng.integers(0, frames + 1, size=2))
    chosen = 1 + rng.choice(joints - 1, size=count, replace=False)
    valid[start:stop, chosen] = False
    if rng.random() < 1 / 3:
        valid[:, list(skeleton.feet[1::2])] = False
    return valid
