"""2D features -> pseudo 3D features with a frozen teacher (paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import Field

from crossdiff.checkpoint import load_model, weights_hash
from crossdiff.diffusion.lifting import FlatClip, Label, LabelConfig, label
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npz, remove_leftovers, save_npz
from crossdiff.models import CrossDiffModel
from crossdiff.pipeline.filter import first_violation, rejected
from crossdiff.pipeline.label_quality import (
    LABEL_MEASURES,
    LABEL_REASONS,
    OPTIONAL_MEASURES,
    LabelQualityConfig,
    measure_label,
    quality,
)
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.summaries import StageSummary, no_motions
from crossdiff.progress import track
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion2D
from crossdiff.wording import counted


class PseudoLabelConfig(LabelConfig, LabelQualityConfig):
    """How motions are lifted, and which labels are kept."""

    batch_size: int = Field(16, ge=1)
    """Number of motions that are lifted together."""


@dataclass
class PseudoLabelSummary(StageSummary):
    """Counts of motions, and of labels, lifted now or before, that were filtered."""

    teacher: Path
    """Checkpoint of the model that lifted them."""
    lifted: int = 0

    def __str__(self) -> str:
        return (
            f"{counted(self.lifted, 'motion')} lifted to 3D, {self.unchanged} unchanged, {self.losses()}; "
            f"teacher {self.teacher.name}"
        )

    def what_failed(self) -> str:
        return f"{counted(len(self.failed), 'motion')} could not be lifted"

    def has_results(self) -> bool:
        return bool(self.lifted or self.unchanged)


@dataclass(frozen=True)
class _Clip:
    row: Row
    flat: FlatClip
    motion: Motion2D


def pseudo_label(
    run: Run, checkpoint: Path, cfg: PseudoLabelConfig | None = None, device: str = "cpu"
) -> PseudoLabelSummary:
    """Write `pseudo3d/ID.npz` for every motion of `features2d/`: features (T, D3), not normalised; teacher; key of all
    that the label was made of; fps; yaw and the measures of `LABEL_MEASURES`.

    The teacher gets a motion's 2D features at t = 0 with null text; hidden values are masked. Labels that are up to
    date with the features, the teacher's weights and the configuration are skipped. Labels beyond a limit go to
    `pseudo3d_filtered/`, so that changed limits or scales need no lifting.
    """
    cfg = cfg or run.recorded("pseudo-label", PseudoLabelConfig)
    # Motions of similar length are lifted together.
    built = sorted(run.ledger.rows("build", state="done"), key=lambda row: row.measures["frames"])
    if not built:
        raise no_motions(run)
    model, teacher = load_model(checkpoint, device), weights_hash(checkpoint)
    check_teacher(model, checkpoint)
    summary = PseudoLabelSummary(checkpoint)
    with run.lock("pseudo-label"):
        run.record_config("pseudo-label", cfg.model_dump(), checkpoint=str(checkpoint), teacher=teacher)
        for folder in (run.pseudo3d, run.pseudo3d_filtered):
            remove_leftovers(folder)
        _drop_others(run, {row.id for row in built})
        stale, known = [], {row.id: row for row in run.ledger.rows("pseudo")}
        for row in built:
            key = key_of(row.key, teacher, cfg.model_dump(exclude={"batch_size", *LabelQualityConfig.model_fields}))
            before = known.get(row.id)
            if before is not None and before.key == key and _judge_again(run, before, cfg, summary):
                summary.unchanged += 1
            else:
                stale.append(Row("pseudo", row.id, "done", key, parent=row.parent))
        for start in track(range(0, len(stale), cfg.batch_size), "lift"):
            clips = _read_all(run, model, stale[start : start + cfg.batch_size], summary)
            made = label(model, [clip.flat for clip in clips], cfg) if clips else []
            # Until its new row is written, an overwritten label matches no settings.
            run.ledger.put(replace(known[clip.row.id], key="") for clip in clips if clip.row.id in known)
            for clip, pseudo in zip(clips, made, strict=True):
                _finish(run, clip, pseudo, teacher, cfg, summary)
    return summary


def _finish(
    run: Run,
    clip: _Clip,
    pseudo: Label,
    teacher: str,
    cfg: LabelQualityConfig,
    summary: PseudoLabelSummary,
) -> None:
    """Measure, filter and write a new label."""
    try:
        measures = measure_label(pseudo, clip.motion, HUMANML3D)
    except InputError as error:
        _fail(run, clip.row, error, summary)
        return
    made = {"features": pseudo.features, "teacher": np.array(teacher), "fps": np.array(HUMANML3D.fps)}
    row = _judged(replace(clip.row, measures=measures), cfg)
    _write(run, row, made)
    summary.lifted += 1
    summary.filtered.update([row.reason] if row.reason else [])


def _judged(row: Row, cfg: LabelQualityConfig) -> Row:
    """The row of a measured label with its quality: done, or filtered by the first limit it violates."""
    measures = {**row.measures, "quality": quality(row.measures, cfg)}
    row = replace(row, state="done", reason=None, value=None, threshold=None, measures=measures)
    missed = first_violation(measures, cfg, LABEL_REASONS)
    return row if missed is None else rejected(row, missed)


def _judge_again(run: Run, before: Row, cfg: LabelQualityConfig, summary: PseudoLabelSummary) -> bool:
    """Apply the current limits to an existing label; False if it or its measures are missing."""
    if not LABEL_MEASURES.keys() - OPTIONAL_MEASURES <= before.measures.keys():
        return False
    row = _judged(before, cfg)
    try:
        path = run.find_label(row.id)
        made = None if row == before and path == _place(run, row) else load_npz(path, ("features", "teacher", "fps"))
    except InputError:
        return False
    if made is not None:
        _write(run, row, made)
    summary.filtered.update([row.reason] if row.reason else [])
    return True


def _place(run: Run, row: Row) -> Path:
    """The file of a row's label."""
    return (run.pseudo3d if row.state == "done" else run.pseudo3d_filtered) / f"{row.id}.npz"


def _write(run: Run, row: Row, made: Mapping[str, np.ndarray]) -> None:
    """Write the label with its measures, delete its other copy, and write its row."""
    measured = {name: np.float64(value) for name, value in row.measures.items()}
    save_npz(_place(run, row), **made, **measured, key=np.array(row.key))
    other = run.pseudo3d_filtered if row.state == "done" else run.pseudo3d
    (other / f"{row.id}.npz").unlink(missing_ok=True)
    run.ledger.put([row])


def _fail(run: Run, row: Row, error: Exception, summary: PseudoLabelSummary) -> None:
    """Record a motion that cannot be lifted, and delete its earlier label."""
    summary.failed[row.id] = str(error)
    run.drop_labels([row.id])
    run.ledger.put([Row("pseudo", row.id, "failed", row.key, parent=row.parent, reason=str(error))])


def check_teacher(model: CrossDiffModel, checkpoint: Path) -> None:
    """Raise InputError if the model cannot lift motions of a run."""
    if model.skeleton != HUMANML3D:
        raise InputError(
            f"{checkpoint}: a teacher for the skeleton {model.skeleton.name}, but runs hold motions of "
            f"{HUMANML3D.name}; take a teacher for that"
        )
    model.check_statistics(checkpoint, "2d", "3d")


def _read_all(run: Run, model: CrossDiffModel, rows: Sequence[Row], summary: PseudoLabelSummary) -> list[_Clip]:
    """The clips of a batch; unreadable ones are recorded as failed."""
    clips = []
    for row in rows:
        try:
            clips.append(_read(run, model, row))
        except (ClipError, InputError) as error:
            _fail(run, row, error, summary)
    return clips


def _read(run: Run, model: CrossDiffModel, row: Row) -> _Clip:
    path = run.features2d / f"{row.id}.npz"
    z = load_npz(path, ("features", "mask", "layout", "fps"))
    wanted = model.config.layout("2d")
    if str(z["layout"]) != wanted.name or z["features"].shape[1:] != (wanted.dim,):
        raise ClipError(
            f"{path}: features of layout {z['layout']}, shape {z['features'].shape}, the teacher wants "
            f"{wanted.name} ({wanted.dim} values); run: crossdiff build-2d {run.root} --set layout={wanted.name}"
        )
    if float(z["fps"]) != model.skeleton.fps:
        raise ClipError(
            f"{path}: {float(z['fps']):g} frames a second, the teacher lifts {model.skeleton.fps:g}; "
            f"run: crossdiff build-2d {run.root} --set fps={model.skeleton.fps:g}"
        )
    if len(z["features"]) > model.config.max_frames:
        raise ClipError(f"{path}: {len(z['features'])} frames, the teacher takes at most {model.config.max_frames}")
    if not len(z["features"]) or z["mask"].shape != z["features"].shape or z["mask"].dtype != bool:
        raise ClipError(
            f"{path}: expected features with a mask of their shape, got {z['features'].shape} and {z['mask'].shape}; "
            "build it again"
        )
    motion = _read_motion(run, row, len(z["features"]))
    return _Clip(row, FlatClip(z["features"].astype(np.float32), z["mask"], motion.world), motion)


def _read_motion(run: Run, row: Row, frames: int) -> Motion2D:
    """The 2D motion that a label of this number of frames is compared with."""
    path = run.motion2d / f"{row.id}.npz"
    motion = Motion2D.load(path)
    valid = motion.valid[:frames]
    if len(valid) < frames or not (valid[:, 1:] & valid[:, :1]).any():
        raise ClipError(
            f"{path}: expected {frames} frames or more, with the root and another joint seen in one of them, "
            f"got {len(motion.valid)} frames; build it again"
        )
    return motion


def _drop_others(run: Run, built: set[str]) -> None:
    """Delete labels of motions that are gone."""
    stale = [row.id for row in run.ledger.rows("pseudo") if row.id not in built]
    run.drop_labels(stale)
