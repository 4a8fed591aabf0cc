"""2D features -> pseudo 3D features with a frozen teacher (paper, section 3.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import Field

from crossdiff.checkpoint import load_model, weights_hash
from crossdiff.diffusion.lifting import LabelConfig, label
from crossdiff.errors import ClipError, InputError, PartialFailure
from crossdiff.files import load_npz, save_npz
from crossdiff.models import CrossDiffModel
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.run import Run
from crossdiff.progress import track
from crossdiff.skeleton import HUMANML3D
from crossdiff.wording import counted, listed


class PseudoLabelConfig(LabelConfig):
    """batch_size: clips that are lifted together."""

    batch_size: int = Field(16, ge=1)


@dataclass
class PseudoLabelSummary:
    """How many motions were lifted, were up to date, or failed, and with which teacher."""

    teacher: Path
    lifted: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{counted(self.lifted, 'motion')} lifted to 3D, {self.unchanged} unchanged, {len(self.failed)} failed; "
            f"teacher {self.teacher.name}"
        )

    def raise_failures(self) -> None:
        if self.failed:
            some = bool(self.lifted or self.unchanged)
            lines = listed(self.failed)
            raise (PartialFailure if some else InputError)(f"{len(self.failed)} motions could not be lifted:{lines}")


@dataclass(frozen=True)
class _Clip:
    row: Row
    features: np.ndarray
    mask: np.ndarray


def pseudo_label(run: Run, checkpoint: Path, cfg: PseudoLabelConfig | None = None) -> PseudoLabelSummary:
    """Write `pseudo3d/ID.npz` (features (T, D3), not normalised; teacher; fps) for every motion of `features2d/`.

    The teacher sees a clip's 2D features at t = 0 with null text; values that were not seen are masked. What is
    up to date with the features, the teacher's weights and the configuration is left alone.
    """
    cfg = cfg or PseudoLabelConfig()
    built = run.ledger.rows("build", state="done")
    if not built:
        raise InputError(
            f"{run.root}: no 2D motion to lift ({_why_none(run)}); see `crossdiff status {run.root} --stage filter`, "
            f"then loosen limits with `crossdiff filter {run.root} --set LIMIT=VALUE`, or give other videos"
        )
    model, teacher = load_model(checkpoint), weights_hash(checkpoint)
    check_teacher(model, checkpoint)
    run.record_config("pseudo-label", {**cfg.model_dump(), "checkpoint": str(checkpoint), "teacher": teacher})
    _drop_others(run, {row.id for row in built})
    summary = PseudoLabelSummary(checkpoint)
    stale = []
    for row in built:
        key = key_of(row.key, teacher, cfg.model_dump(exclude={"batch_size"}))
        before = run.ledger.get("pseudo", row.id)
        there = (run.pseudo3d / f"{row.id}.npz").is_file()
        if there and before is not None and before.key == key and before.state == "done":
            summary.unchanged += 1
        else:
            stale.append(Row("pseudo", row.id, "done", key, parent=row.parent))
    for batch in track(list(_batches(run, model, stale, cfg.batch_size, summary)), "lift"):
        clips = [(clip.features, clip.mask) for clip in batch]
        made = label(model, clips, cfg)
        for clip, pseudo in zip(batch, made, strict=True):
            save_npz(
                run.pseudo3d / f"{clip.row.id}.npz",
                features=pseudo.features,
                teacher=np.array(teacher),
                fps=np.float64(model.skeleton.fps),
            )
            run.ledger.put([clip.row])
            summary.lifted += 1
    return summary


def check_teacher(model: CrossDiffModel, checkpoint: Path) -> None:
    """Raise where a model cannot lift the motion of any run."""
    if model.skeleton != HUMANML3D:
        raise InputError(
            f"{checkpoint}: a teacher for the skeleton {model.skeleton.name}, but the motion of a run is of "
            f"{HUMANML3D.name}; take a teacher for that"
        )
    model.check_statistics(checkpoint, "2d", "3d")


def _batches(
    run: Run, model: CrossDiffModel, rows: Sequence[Row], size: int, summary: PseudoLabelSummary
) -> Iterator[list[_Clip]]:
    """Clips of like length together; those that cannot be read are noted as failed."""
    clips = []
    for row in rows:
        try:
            clips.append(_read(run, model, row))
        except (ClipError, InputError) as error:
            summary.failed[row.id] = str(error)
            # A label of earlier features must not be learnt from beside these.
            (run.pseudo3d / f"{row.id}.npz").unlink(missing_ok=True)
            run.ledger.put([Row("pseudo", row.id, "failed", row.key, parent=row.parent, reason=str(error))])
    clips.sort(key=lambda clip: len(clip.features))
    for start in range(0, len(clips), size):
        yield clips[start : start + size]


def _read(run: Run, model: CrossDiffModel, row: Row) -> _Clip:
    path = run.features2d / f"{row.id}.npz"
    z = load_npz(path, ("features", "mask", "layout"))
    wanted = model.config.layout("2d")
    if str(z["layout"]) != wanted.name or z["features"].shape[1:] != (wanted.dim,):
        raise ClipError(
            f"{path}: features of layout {z['layout']}, shape {z['features'].shape}, the teacher wants "
            f"{wanted.name} ({wanted.dim} values); run: crossdiff build-2d {run.root} --set layout={wanted.name}"
        )
    if len(z["features"]) > model.config.max_frames:
        raise ClipError(f"{path}: {len(z['features'])} frames, the teacher takes at most {model.config.max_frames}")
    if not len(z["features"]) or z["mask"].shape != z["features"].shape or z["mask"].dtype != bool:
        raise ClipError(
            f"{path}: expected features with a mask of their shape, got {z['features'].shape} and {z['mask'].shape}; "
            "build it again"
        )
    return _Clip(row, z["features"].astype(np.float32), z["mask"])


def _drop_others(run: Run, built: set[str]) -> None:
    """Forget labels of motions that are gone."""
    stale = [row.id for row in run.ledger.rows("pseudo") if row.id not in built]
    run.ledger.drop("pseudo", stale)
    for name in stale:
        (run.pseudo3d / f"{name}.npz").unlink(missing_ok=True)


def _why_none(run: Run) -> str:
    reasons = Counter(str(r.reason) for stage in ("filter", "build") for r in run.ledger.rows(stage, "filtered"))
    return ", ".join(f"{n} {reason}" for reason, n in reasons.most_common()) or "nothing built yet"
