"""Raw joint positions -> a HumanML3D folder: features, statistics, captions, splits, and what was left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from crossdiff import __version__
from crossdiff.config import Config
from crossdiff.data.captions import Caption, mirror_caption
from crossdiff.data.sources import SPLITS, RawSource, open_source
from crossdiff.errors import ClipError, InputError
from crossdiff.files import save_npy, write_json, write_text
from crossdiff.progress import track
from crossdiff.representation.features2d import joints_to_features as features_2d
from crossdiff.representation.features3d import canonicalise, joints_to_features, retarget
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.normalizer import RunningStatistics
from crossdiff.representation.projection import VIEW_YAW, project_orthographic
from crossdiff.skeleton import HUMANML3D, Skeleton


class PrepareConfig(Config):
    """`fps` is the source's frame rate; `min_frames` counts feature frames after resampling."""

    fps: float = Field(20.0, gt=0)
    min_frames: int = Field(40, ge=2)
    max_frames: int = Field(199, ge=2)
    retarget: bool = True
    mirror: bool = True
    val_share: float = Field(0.05, ge=0, lt=1)
    test_share: float = Field(0.15, ge=0, lt=1)
    max_bad_share: float = Field(0.05, ge=0, le=1)


@dataclass(frozen=True)
class PrepareSummary:
    """Counts per split (mirrored copies included) and per reason for what was left out."""

    out: Path
    clips: dict[str, int]
    skipped: dict[str, int]

    def __str__(self) -> str:
        kept = ", ".join(f"{n} {split}" for split, n in self.clips.items())
        left = "; ".join(f"{n} {reason}" for reason, n in self.skipped.items()) or "none"
        return f"{self.out}: {sum(self.clips.values())} clips ({kept}); left out: {left}"


def prepare(source: Path, out: Path, cfg: PrepareConfig | None = None) -> PrepareSummary:
    """Write `new_joints/`, `new_joint_vecs/`, `texts/`, split lists, `Mean.npy`, `Std.npy` (3D), `Mean2d.npy`, ...

    Where the source has no caption files at all, clips are prepared without captions and train the null condition.
    Statistics come from the training split; those of the 2D features from its four orthographic side views. Clips
    that cannot be used are counted by reason; more than `max_bad_share` broken ones (not: too short) is an error.
    """
    cfg = cfg or PrepareConfig()
    raw = open_source(source)
    skeleton = HUMANML3D
    builder = _Builder(out, skeleton, cfg)
    total = raw.count()
    for clip_id, joints in track(raw.clips(), "prepare", total):
        builder.add(clip_id, joints, raw)
    return builder.finish(raw, total)


class _Builder:
    """Writes clip by clip, keeping only names and running statistics in memory."""

    def __init__(self, out: Path, skeleton: Skeleton, cfg: PrepareConfig) -> None:
        self.out, self.skeleton, self.cfg = out, skeleton, cfg
        self.splits: dict[str, list[str]] = {s: [] for s in SPLITS}
        self.skipped: Counter[str] = Counter()
        self.broken = 0
        self.frames = 0
        self.stats_3d = RunningStatistics(layout_3d(skeleton).dim)
        self.stats_2d = RunningStatistics(layout_2d(skeleton).dim)

    def add(self, clip_id: str, raw_joints: np.ndarray | None, raw: RawSource) -> None:
        captions, bad_lines = raw.captions(clip_id)
        self.skipped["caption lines not readable"] += len(bad_lines)
        try:
            joints = self._checked(raw_joints)
        except ClipError as error:
            self.skipped[str(error)] += 1
            self.broken += 1
            return
        if not captions and raw.texts:
            self.skipped["without a caption"] += 1
            return
        if len(joints) - 1 < self.cfg.min_frames:
            self.skipped[f"shorter than {self.cfg.min_frames} frames"] += 1
            return
        split = self._split_of(clip_id, raw)
        if split is None:
            self.skipped["in no split list"] += 1
            return
        self._write(clip_id, joints[: self.cfg.max_frames + 1], captions, split)
        if self.cfg.mirror and not _mirrored_already(clip_id, raw):
            flipped = joints[:, list(self.skeleton.mirror)] * np.array([-1.0, 1.0, 1.0], dtype=joints.dtype)
            mirrored = [mirror_caption(c) for c in captions]
            self._write(f"M{clip_id}", flipped[: self.cfg.max_frames + 1], mirrored, split)

    def _checked(self, joints: np.ndarray | None) -> np.ndarray:
        if joints is None:
            raise ClipError("not readable")
        if joints.dtype.kind not in "fiu" or joints.ndim != 3 or joints.shape[1:] != (self.skeleton.num_joints, 3):
            raise ClipError(f"not of shape (frames, {self.skeleton.num_joints}, 3)")
        if not np.isfinite(joints).all():
            raise ClipError("with NaN or infinite joints")
        return resample(joints.astype(np.float32), self.cfg.fps, self.skeleton.fps)

    def _split_of(self, clip_id: str, raw: RawSource) -> str | None:
        if raw.splits:
            return raw.splits.get(clip_id)
        draw = int(hashlib.sha256(clip_id.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        if draw < self.cfg.test_share:
            return "test"
        return "val" if draw < self.cfg.test_share + self.cfg.val_share else "train"

    def _write(self, clip_id: str, joints: np.ndarray, captions: list[Caption], split: str) -> None:
        motion = torch.from_numpy(np.ascontiguousarray(joints))
        if self.cfg.retarget and self.skeleton.body is not None:
            motion = retarget(motion, torch.tensor(self.skeleton.body), self.skeleton)
        features = joints_to_features(motion, self.skeleton)
        placed = canonicalise(motion, self.skeleton)
        save_npy(self.out / "new_joint_vecs" / f"{clip_id}.npy", features.numpy())
        save_npy(self.out / "new_joints" / f"{clip_id}.npy", placed.numpy())
        write_text(self.out / "texts" / f"{clip_id}.txt", "".join(c.line + "\n" for c in captions))
        self.splits[split].append(clip_id)
        self.frames += len(features)
        if split == "train":
            self.stats_3d.add(features.numpy())
            yaws = torch.tensor(list(VIEW_YAW.values()))[:, None, None]
            views, mask = features_2d(project_orthographic(placed, yaws), self.skeleton)
            self.stats_2d.add(views.flatten(0, 1).numpy(), mask.flatten(0, 1).numpy())

    def finish(self, raw: RawSource, total: int) -> PrepareSummary:
        counts = {s: len(ids) for s, ids in self.splits.items()}
        skipped = {reason: n for reason, n in sorted(self.skipped.items()) if n}
        if self.broken > self.cfg.max_bad_share * total:
            raise InputError(
                f"{self.broken} of {total} clips are broken ({skipped}); mend them or raise --max-bad-share"
            )
        if not counts["train"]:
            raise InputError(f"no training clip left of {total} ({skipped}); check captions, splits and lengths")
        for split, ids in self.splits.items():
            write_text(self.out / f"{split}.txt", "".join(f"{i}\n" for i in ids))
        for suffix, stats, layout in (
            ("", self.stats_3d, layout_3d(self.skeleton)),
            ("2d", self.stats_2d, layout_2d(self.skeleton)),
        ):
            mean, std = stats.result(layout)
            save_npy(self.out / f"Mean{suffix}.npy", mean)
            save_npy(self.out / f"Std{suffix}.npy", std)
        write_json(self.out / "dataset.json", self._record(counts, skipped))
        return PrepareSummary(self.out, counts, skipped)

    def _record(self, counts: dict[str, int], skipped: dict[str, int]) -> dict[str, Any]:
        return {
            "format": "humanml3d",
            "skeleton": self.skeleton.name,
            "fps": self.skeleton.fps,
            "clips": counts,
            "frames": self.frames,
            "minutes": round(self.frames / self.skeleton.fps / 60, 1),
            "left_out": skipped,
            "config": self.cfg.model_dump(),
            "crossdiff": __version__,
        }


def _mirrored_already(clip_id: str, raw: RawSource) -> bool:
    """Whether the source holds both a clip and its mirrored copy, as HumanML3D's own folders do (ID and MID)."""
    return f"M{clip_id}" in raw.texts or (clip_id.startswith("M") and clip_id[1:] in raw.texts)


def resample(joints: np.ndarray, fps: float, target_fps: float) -> np.ndarray:
    """Linear interpolation of (F, J, C) onto another frame rate; the first frame stays."""
    if fps == target_fps or len(joints) < 2:
        return joints
    duration = (len(joints) - 1) / fps
    times = np.arange(int(duration * target_fps + 1e-6) + 1) / target_fps * fps
    low = np.minimum(times.astype(int), len(joints) - 2)
    part = (times - low)[:, None, None].astype(joints.dtype)
    return joints[low] * (1 - part) + joints[low + 1] * part
