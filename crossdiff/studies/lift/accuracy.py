"""Lifting accuracy: held-out 3D motion is projected as a detector would see it, lifted, and compared."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from crossdiff import __version__
from crossdiff.checkpoint import load_model
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.lifting import FlatClip, label
from crossdiff.errors import ClipError, ConfigError, InputError
from crossdiff.evaluation.result import DatasetRecord, ModelRecord
from crossdiff.models import CrossDiffModel
from crossdiff.pipeline.build import features_of
from crossdiff.pipeline.motion2d.motion import MotionConfig, placed_motions
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, check_teacher
from crossdiff.progress import progress_bar
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.projection import VIEW_YAW
from crossdiff.studies.detector import DetectorNoise, observe
from crossdiff.studies.lift.config import (
    CLEAN_SIDES,
    CLEAN_YAWS,
    CONDITIONS,
    LIFTED,
    MEAN,
    NEAREST,
    NOISY_SIDES,
    NOISY_YAWS,
    LiftStudyConfig,
)
from crossdiff.studies.lift.metrics import METRICS, Estimate, Totals, errors
from crossdiff.studies.lift.nearest_pose import NearestPose, local_poses, training_poses
from crossdiff.studies.lift.result import LiftResult, LiftRow
from crossdiff.types import Keypoints2D, Motion2D
from crossdiff.wording import counted


@dataclass(frozen=True)
class Piece:
    """A clip's 2D motion after the pipeline, T + 1 frames, and its true joints, T frames."""

    clip: int
    motion: Motion2D
    true: Tensor


@dataclass
class Seen:
    """All clips under one condition.

    seen: number of views of clips.
    lost: number of those that the pipeline rejects entirely.
    frames: true frames of all views.
    """

    pieces: list[Piece] = field(default_factory=list)
    seen: int = 0
    lost: int = 0
    frames: int = 0


@dataclass(frozen=True)
class Example:
    """One lifted clip, for pictures. error: its MPJPE, mm."""

    name: str
    error: float
    flat: Motion2D
    lifted: Tensor
    true: Tensor


def study_lifting(
    cfg: LiftStudyConfig, checkpoint: Path, data: Path, device: str = "cpu", name: str | None = None
) -> tuple[LiftResult, list[Example]]:
    """Accuracy under every condition, and examples of clips from the best to the worst."""
    begun = time.monotonic()
    model = load_model(checkpoint, device)
    check_teacher(model, checkpoint)
    dataset, training = (MocapDataset(data, split, model.config.layout_2d) for split in (cfg.split, "train"))
    _check_fit(model, checkpoint, dataset, cfg)
    clips = choose(dataset, cfg)
    lifters = _Lifters(model, training, cfg)
    found: dict[tuple[str, str], dict[str, Totals]] = {}
    rows: list[LiftRow] = []
    examples: list[Example] = []
    conditions = cfg.conditions()
    with progress_bar() as bar:
        task = bar.add_task("lift", total=len(conditions), note="")
        for condition, (sides, noise) in conditions.items():
            bar.update(task, note=condition)
            seen = observe_all(dataset, clips, sides, noise, cfg)
            if not seen.pieces:
                raise InputError(
                    f"{data}: nothing of {counted(seen.seen, 'view')} passed the pipeline ({condition}); "
                    "use longer clips, a lower motion.min_frames, or less noise"
                )
            for method, predicted in lifters(condition, seen.pieces):
                found[condition, method] = total_errors(seen.pieces, predicted, len(clips))
                rows.append(_row(condition, method, seen, found, cfg))
                if (condition, method) == (NOISY_YAWS, LIFTED):
                    examples = _examples(dataset, clips, seen.pieces, predicted, cfg.examples)
            bar.advance(task)
    result = LiftResult(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=__version__,
        model=ModelRecord.of(model, checkpoint, name or checkpoint.name),
        dataset=DatasetRecord.of(dataset, clips),
        config=cfg.model_dump(mode="json"),
        device=device,
        seconds=round(time.monotonic() - begun, 1),
        rows=tuple(rows),
    )
    return result, examples


def _check_fit(model: CrossDiffModel, checkpoint: Path, dataset: MocapDataset, cfg: LiftStudyConfig) -> None:
    most = model.config.max_frames + 1
    if cfg.motion.max_frames > most:
        raise ConfigError(
            f"motion.max_frames: {cfg.motion.max_frames}, but {checkpoint} takes motions of at most {most} frames; "
            f"set motion.max_frames={most}"
        )
    if dataset.skeleton != model.skeleton:
        raise InputError(
            f"{dataset.folder}: has the skeleton {dataset.skeleton.name}, but {checkpoint} has "
            f"{model.skeleton.name}; give a dataset of the model's skeleton"
        )


def _row(
    condition: str, method: str, seen: Seen, found: dict[tuple[str, str], dict[str, Totals]], cfg: LiftStudyConfig
) -> LiftRow:
    totals = found[condition, method]
    clean = CLEAN_SIDES if condition in (CLEAN_SIDES, NOISY_SIDES) else CLEAN_YAWS
    other = found[clean if method == LIFTED else condition, LIFTED]

    def estimates(beside: bool) -> dict[str, Estimate]:
        return {
            name: Estimate.of(totals[name], cfg.bootstrap, cfg.seed, other[name] if beside else None)
            for name in METRICS
        }

    return LiftRow(
        condition=condition,
        method=method,
        seen=seen.seen,
        lost=seen.lost,
        scored=sum(len(p.true) for p in seen.pieces) / seen.frames,
        values=estimates(False),
        beside=estimates(True) if other is not totals else {},
    )


def choose(dataset: MocapDataset, cfg: LiftStudyConfig) -> list[int]:
    """Indices of the clips that are used, ascending."""
    names = set(dataset.ids)
    own = [n for n, clip in enumerate(dataset.ids) if not (clip.startswith("M") and clip[1:] in names)]
    if cfg.clips is None or cfg.clips >= len(own):
        return own
    return sorted(np.random.default_rng(cfg.seed).choice(own, cfg.clips, replace=False).tolist())


def observe_all(
    dataset: MocapDataset, clips: Sequence[int], sides: bool, noise: DetectorNoise, cfg: LiftStudyConfig
) -> Seen:
    """Every clip from the side views, or from random yaws that do not depend on the noise."""
    found = Seen()
    for place, index in enumerate(clips):
        joints = dataset.packed.joints(index, 0, int(dataset.lengths[index]) + 1)
        drawn = np.random.default_rng([cfg.seed, index]).uniform(0, 360, cfg.yaws)
        for view, yaw in enumerate(VIEW_YAW.values() if sides else drawn.tolist()):
            rng = np.random.default_rng(
                [cfg.seed, index, view, 1]
            )  # differs from the stream of the yaws for every view
            pieces = list(_pieces(place, joints, observe(joints, yaw, noise, rng), cfg.motion))
            found.pieces += pieces
            found.seen += 1
            found.lost += not pieces
            found.frames += len(joints) - 1
    return found


def _pieces(place: int, joints: ndarray, keypoints: Keypoints2D, cfg: MotionConfig) -> Iterator[Piece]:
    try:
        motions = placed_motions(keypoints, cfg)
    except ClipError:
        return
    for first, motion in motions:
        true = torch.from_numpy(joints[first : first + len(motion.joints) - 1])
        yield Piece(place, motion, true)


def lift_all(model: CrossDiffModel, motions: Sequence[Motion2D], cfg: PseudoLabelConfig) -> list[Tensor]:
    """Joints (T, J, 3) of the pseudo labels of motions of T + 1 frames, lifted in batches of similar length."""
    order = np.argsort([len(m.joints) for m in motions], kind="stable").tolist()
    joints: dict[int, Tensor] = {}
    for start in range(0, len(order), cfg.batch_size):
        rows = order[start : start + cfg.batch_size]
        clips = [FlatClip(*features_of(motions[row], model.config.layout_2d)[:2], motions[row].world) for row in rows]
        for row, made in zip(rows, label(model, clips, cfg), strict=True):
            joints[row] = features_to_joints(torch.from_numpy(made.features), model.skeleton)
    return [joints[row] for row in range(len(motions))]


class _Lifters:
    """The ways to lift, and the baselines."""

    def __init__(self, model: CrossDiffModel, training: MocapDataset, cfg: LiftStudyConfig) -> None:
        self.model, self.cfg = model, cfg
        self.nearest = NearestPose(training_poses(training, cfg.nearest.poses), cfg.nearest.yaws)
        self.mean = local_poses(torch.from_numpy(training.statistics()["3d"].mean).float(), model.skeleton)

    def __call__(self, condition: str, pieces: Sequence[Piece]) -> Iterator[tuple[str, list[Tensor]]]:
        """Each method that applies to a condition, with its joints for each piece."""
        motions = [p.motion for p in pieces]
        yield LIFTED, lift_all(self.model, motions, self.cfg.lift)
        if condition in CONDITIONS:
            yield NEAREST, [self._by_nearest(p) for p in pieces]
            yield MEAN, [self.mean.expand(len(p.true), -1, -1) for p in pieces]
        if condition == NOISY_YAWS:
            for name, way in self.cfg.ways.items():
                yield name, lift_all(self.model, motions, way)

    def _by_nearest(self, piece: Piece) -> Tensor:
        """Smooth a baseline as pseudo labels are smoothed."""
        count, sigma = len(piece.true), self.cfg.lift.smooth_sigma
        flat, valid = (torch.from_numpy(x[:count]) for x in (piece.motion.joints, piece.motion.valid))
        joints = self.nearest.lift(flat, valid)
        return gaussian_in_time(joints.flatten(-2), sigma).unflatten(-1, joints.shape[1:]) if sigma > 0 else joints


def total_errors(pieces: Sequence[Piece], predicted: Sequence[Tensor], clips: int) -> dict[str, Totals]:
    """Errors of the predictions for each piece, by metric; clips: their number."""
    totals = {name: Totals(np.zeros(clips), np.zeros(clips)) for name in METRICS}
    for piece, joints in zip(pieces, predicted, strict=True):
        for name, values in errors(joints, piece.true).items():
            totals[name].sums[piece.clip] += values.sum()
            totals[name].counts[piece.clip] += len(values)
    return totals


def _examples(
    dataset: MocapDataset, clips: Sequence[int], pieces: Sequence[Piece], lifted: Sequence[Tensor], count: int
) -> list[Example]:
    """Pieces from the best to the worst tenth, by MPJPE."""
    means = [errors(x, p.true)["mpjpe"].mean() for x, p in zip(lifted, pieces, strict=True)]
    order = np.argsort(means)
    places = np.linspace(0.1, 0.9, count) if count > 1 else np.full(count, 0.5)
    chosen = [int(order[int(place * len(order))]) for place in places] if len(order) else []
    return [
        Example(dataset.ids[clips[pieces[n].clip]], float(means[n]), pieces[n].motion, lifted[n], pieces[n].true)
        for n in dict.fromkeys(chosen)
    ]
