"""Counts, reasons and statistics of the clips that `crossdiff prepare` reads."""

from __future__ import annotations

import csv
import io
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff import __version__
from crossdiff.data.companions import SPLITS
from crossdiff.errors import InputError
from crossdiff.files import save_npy, save_npz, write_json, write_text
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.layouts import Layout2D, layout_2d, layout_3d
from crossdiff.representation.normalizer import RunningStatistics
from crossdiff.representation.projection import VIEW_YAW, project_orthographic
from crossdiff.skeleton import Skeleton
from crossdiff.wording import Failures

BAD_LINE = "caption lines not readable"
CUT_OFF = "captions of frames that are cut off"
LONG = "ends of clips that are too long"
FILE = "distributions.npz"
_MOST_SHOWN = 20
# Speeds from behind equal those from the front, and speeds from the right those from the left.
SEEN = ("3d", "front", "left")
# Metres per second; the last bin includes faster joints.
SPEED_EDGES = np.linspace(0.0, 6.0, 121)


@dataclass(frozen=True)
class LeftOut:
    """An omitted clip or caption; broken: it is faulty, and not merely unsuitable."""

    clip_id: str
    reason: str
    detail: str = ""
    broken: bool = False


@dataclass(frozen=True)
class Written:
    """A clip of the dataset.

    features: (T, D); joints: (T or T + 1, J, 3) in the skeleton's unit; captions: their number.
    """

    clip_id: str
    split: str
    features: Float[ndarray, "t d"]
    joints: Float[ndarray, "f j 3"]
    captions: int
    mirrored: bool = False


@dataclass(frozen=True)
class ClipResult:
    """The clips made from one clip of the source, and the omitted ones.

    lines: captions of the source's clip, readable or not; frames: those that were read, at the skeleton's frame rate.
    """

    written: list[Written] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    lines: int = 0
    frames: int = 0


@dataclass(frozen=True)
class PrepareSummary(Failures):
    """Counts of clips per split (mirrored copies included), and of omitted ones per reason.

    minutes_in, minutes_out: motion that could be read, and what of it is in the dataset, without mirrored copies.
    failed: broken clips and caption lines with their reasons, where they are more than is accepted.
    """

    out: Path
    clips: dict[str, int]
    skipped: dict[str, int]
    minutes_in: float = 0.0
    minutes_out: float = 0.0
    failed: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""

    def __str__(self) -> str:
        kept = ", ".join(f"{n} {split}" for split, n in self.clips.items())
        left = "; ".join(f"{n} {reason}" for reason, n in self.skipped.items()) or "none"
        minutes = f"{self.minutes_out:.1f} of {self.minutes_in:.1f} minutes"
        return f"{self.out}: {sum(self.clips.values())} clips ({kept}), {minutes}; left out: {left}"

    def what_failed(self) -> str:
        return f"{self.broken}; the dataset is without them: fix them, or accept that with --max-bad-share"


class Tally:
    """Accumulates results as names and sums; `finish` writes them."""

    def __init__(self, skeleton: Skeleton, layout: Layout2D = "paper") -> None:
        self.skeleton, self.layout = skeleton, layout
        self.splits: dict[str, list[str]] = {s: [] for s in SPLITS}
        self.left_out: list[LeftOut] = []
        self.clips = self.lines = self.frames = self.captions = self.frames_in = self.frames_out = 0
        self.distributions = Distributions(skeleton)
        self.stats_3d = RunningStatistics(layout_3d(skeleton).dim)
        self.stats_2d = RunningStatistics(layout_2d(skeleton, layout).dim)

    def add(self, outcome: ClipResult) -> None:
        self.clips += 1
        self.lines += outcome.lines
        self.frames_in += outcome.frames
        self.left_out += outcome.left_out
        for clip in outcome.written:
            self.splits[clip.split].append(clip.clip_id)
            self.frames += len(clip.features)
            self.frames_out += 0 if clip.mirrored else len(clip.features)
            self.captions += clip.captions
            self.distributions.add(clip.split, clip.joints)
            if clip.split == "train":
                self.stats_3d.add(clip.features)
                self._add_views(clip.joints)

    def _add_views(self, joints: ndarray) -> None:
        """The 2D features, in metres, of the four orthographic side views."""
        metres = torch.from_numpy(joints) * self.skeleton.metres_per_unit
        yaws = torch.tensor(list(VIEW_YAW.values()))[:, None, None]
        views, mask = joints_to_features_2d(project_orthographic(metres, yaws), self.skeleton, self.layout)
        self.stats_2d.add(views.flatten(0, 1).numpy(), mask.flatten(0, 1).numpy())

    @property
    def reasons(self) -> dict[str, int]:
        return dict(sorted(Counter(x.reason for x in self.left_out).items()))

    def check(self) -> None:
        """InputError if no training clip is left."""
        if not self.splits["train"]:
            raise InputError(
                f"no training clip left of {self.clips} ({self._reasons_text()}); check captions, splits, lengths"
            )

    def broken(self, max_bad_share: float) -> tuple[str, dict[str, str]]:
        """What is broken beyond this fraction of clips or of captions, in words and with reasons; empty if nothing."""
        clips = [x for x in self.left_out if x.broken]
        lines = [x for x in self.left_out if x.reason == BAD_LINE]
        said: list[str] = []
        reasons: dict[str, str] = {}
        for bad, total, what in ((clips, self.clips, "clips"), (lines, self.lines, "caption lines")):
            if len(bad) > max_bad_share * total:
                said.append(f"{len(bad)} of {total} {what} are broken")
                reasons |= {x.clip_id: f"{x.reason} ({x.detail})" if x.detail else x.reason for x in bad}
        shown = dict(list(reasons.items())[:_MOST_SHOWN])
        if len(reasons) > len(shown):
            shown[f"and {len(reasons) - len(shown)} more"] = "see left_out.csv"
        return ", ".join(said), shown

    def _reasons_text(self) -> str:
        first = next((x for x in self.left_out if x.detail), None)
        reasons = "; ".join(f"{n} {reason}" for reason, n in self.reasons.items()) or "nothing was left out"
        return reasons + (f"; for instance {first.clip_id}: {first.detail}" if first else "")

    def finish(
        self, out: Path, max_bad_share: float = 1.0, published: dict[str, ndarray] | None = None, **record: Any
    ) -> PrepareSummary:
        """Write lists, statistics, `left_out.csv`, distributions and, last, `dataset.json`.

        max_bad_share: fraction of broken clips or captions above which the summary lists them as failed.
        published: `Mean` and `Std` of published features, which are kept.
        """
        for split, ids in self.splits.items():
            write_text(out / f"{split}.txt", "".join(f"{i}\n" for i in ids))
        mean, std = self.stats_3d.result(layout_3d(self.skeleton))
        mean_2d, std_2d = self.stats_2d.result(layout_2d(self.skeleton, self.layout))
        arrays = {"Mean": mean, "Std": std, **(published or {}), "Mean2d": mean_2d, "Std2d": std_2d}
        for name, array in arrays.items():
            save_npy(out / f"{name}.npy", array)
        write_text(out / "left_out.csv", self._rows())
        self.distributions.save(out / FILE)
        counts = {s: len(ids) for s, ids in self.splits.items()}
        write_json(out / "dataset.json", self._record(counts) | record)
        broken, failed = self.broken(max_bad_share)
        minutes = (self._minutes(self.frames_in), self._minutes(self.frames_out))
        return PrepareSummary(out, counts, self.reasons, *minutes, failed, broken)

    def _minutes(self, frames: int) -> float:
        return round(frames / self.skeleton.fps / 60, 2)

    def _rows(self) -> str:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("clip", "reason", "detail"))
        rows.writerows((x.clip_id, x.reason, x.detail) for x in self.left_out)
        return table.getvalue()

    def _record(self, counts: dict[str, int]) -> dict[str, Any]:
        return {
            "format": "humanml3d",
            "skeleton": self.skeleton.name,
            "fps": self.skeleton.fps,
            "clips": counts,
            "frames": self.frames,
            "minutes": round(self.frames / self.skeleton.fps / 60, 1),
            "minutes_in": self._minutes(self.frames_in),
            "minutes_out": self._minutes(self.frames_out),
            "captions": self.captions,
            "left_out": self.reasons,
            "versions": {
                "crossdiff": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "torch": torch.__version__,
            },
        }


def joint_speeds(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> dict[str, Float[ndarray, "f-1 j"]]:
    """Speed of every joint in space and in the front and left view, metres per second. joints: feature units, Y up."""
    metres = torch.as_tensor(joints) * skeleton.metres_per_unit
    seen = {"3d": metres, **{view: project_orthographic(metres, view) for view in SEEN[1:]}}
    return {name: (x.diff(dim=0).norm(dim=-1) * skeleton.fps).numpy() for name, x in seen.items()}


class Distributions:
    """Histograms over clips, which are not kept."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.seconds: dict[str, list[float]] = {}
        self.counts = np.zeros((len(SEEN), skeleton.num_joints, len(SPEED_EDGES) - 1), dtype=np.int64)

    def add(self, split: str, joints: Float[ndarray, "f j 3"]) -> None:
        """Add a clip: its length in every split, its speeds in the training split only."""
        self.seconds.setdefault(split, []).append((len(joints) - 1) / self.skeleton.fps)
        if split != "train":
            return
        bins = len(SPEED_EDGES) - 1
        for row, speeds in zip(self.counts, joint_speeds(joints, self.skeleton).values(), strict=True):
            place = np.minimum(np.digitize(speeds, SPEED_EDGES) - 1, bins - 1)
            flat = place + bins * np.arange(self.skeleton.num_joints)
            row += np.bincount(flat.ravel(), minlength=row.size).reshape(row.shape)

    def save(self, path: Path) -> None:
        """counts: (3 of SEEN, joints, bins of SPEED_EDGES); seconds_SPLIT: (clips,)."""
        lengths = {f"seconds_{split}": np.array(values) for split, values in self.seconds.items()}
        save_npz(path, counts=self.counts, edges=SPEED_EDGES, seen=np.array(SEEN), **lengths)
