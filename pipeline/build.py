"""Kept clips to 2D motions, features and captions: the input of training on wild videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import Field

from crossdiff.annotations.captions import VideoCaption, by_span, caption_line
from crossdiff.errors import ClipError, InputError
from crossdiff.files import remove_leftovers, save_npz, write_text
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.motion2d.motion import MotionConfig, to_motions
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.subjects import bystanders, captions_of_track
from crossdiff.pipeline.summaries import ClipSummary
from crossdiff.progress import track
from crossdiff.representation.layouts import Layout2D
from crossdiff.types import Keypoints2D, Motion2D
from crossdiff.wording import counted

# Version of the files; a new version builds all motions again.
_VERSION = 6
_NOT_SEEN = "body not seen for long enough"
_NOT_TOLD = "no caption is about it"


class BuildConfig(MotionConfig):
    """How kept clips become motions, features and captions."""

    layout: Layout2D = "paper"
    """Feature layout: the paper's (132 values) or that of the authors' checkpoints (134)."""
    min_size: float = Field(0.6, ge=0, le=1)
    """Least height of a person, as a fraction of the tallest one seen at the same time, whom captions that name no
    track describe; 0: they describe everyone."""


@dataclass
class BuildSummary(ClipSummary):
    """Counts of clips, and of the motions and frames that were built from them."""

    work = "made into motion"
    motions: int = 0
    frames: int = 0
    fps: float = 20.0

    def __str__(self) -> str:
        return (
            f"{counted(self.motions, 'motion')} ({self.frames / self.fps / 60:.1f} min) "
            f"from {counted(self.clips, 'clip')}; {self.losses()}; {self.unchanged} unchanged"
        )


def build_2d(run: Run, cfg: BuildConfig | None = None) -> BuildSummary:
    """Write motion2d/, features2d/ and texts/ for every clip that the filter kept; delete those of other clips.

    A clip without captions gets an empty captions file, and so do small people beside a taller one (`min_size`), whom
    the video's captions do not describe. Rebuilt motions lose their pseudo labels. Without `cfg` the settings are those
    that the run was built with before, or the defaults.
    """
    cfg = cfg or run.recorded("build", BuildConfig)
    judged = run.ledger.rows("filter")
    if not judged:
        raise InputError(f"{run.root}: nothing filtered yet; run `crossdiff filter {run.root}` first")
    summary = BuildSummary(fps=cfg.fps)
    with run.lock("build-2d"):
        run.record_config("build", cfg.model_dump())
        for folder in (run.motion2d, run.features2d, run.texts):
            remove_leftovers(folder)
        kept = [row for row in judged if row.state == "done"]
        _drop_others(run, {row.id for row in kept})
        videos = run.ledger.videos()
        heights = {row.id: row.measures["height"] for row in judged if "height" in row.measures}
        behind = bystanders(run.ledger.rows("track"), heights, cfg.min_size)
        for clip in track(kept, "clips"):
            captions = captions_of_track(clip.id, videos[clip.parent].captions, behind)
            content = run.ledger.get("track", clip.id)
            key = key_of(content.key if content else "", captions, cfg.model_dump(), _VERSION)
            rows = run.ledger.rows("build", parent=clip.id)
            if rows and all(row.key == key and _is_whole(run, row) for row in rows):
                summary.unchanged += 1
            else:
                rows = _build(run, clip.id, key, captions, cfg)
            _count(summary, rows)
    return summary


def _build(run: Run, clip: str, key: str, captions: tuple[VideoCaption, ...], cfg: BuildConfig) -> list[Row]:
    old = {row.id for row in run.ledger.rows("build", parent=clip)}
    motions: list[tuple[Motion2D, list[str]]] = []
    # The row of a clip that gives no motion.
    missing = Row("build", clip, "filtered", key, clip, reason=_NOT_SEEN, threshold=cfg.min_frames)
    try:
        keypoints = run.load_keypoints(clip)
        # Each captioned part of a video becomes a separate motion.
        spans = by_span(captions) or {(0.0, 0.0): []}
        shown = {span: texts for span, texts in spans.items() if _overlaps(keypoints, span)}
        if not shown:
            missing = replace(missing, reason=_NOT_TOLD, threshold=None)
        motions = [(m, texts) for span, texts in shown.items() for m in to_motions(keypoints, cfg, span)]
    except (ClipError, InputError) as error:
        missing = replace(missing, state="failed", reason=str(error), threshold=None)
    new = [f"{clip}_{n}" for n in range(len(motions))]
    _mark_interrupted(run, clip, old.union(new))
    run.drop_labels(old.union(new))
    _remove(run, old.difference(new))
    rows = [_write(run, name, clip, key, *motion, cfg) for name, motion in zip(new, motions, strict=True)] or [missing]
    run.ledger.put(rows, replace=("build", clip))
    return rows


def _overlaps(keypoints: Keypoints2D, span: tuple[float, float]) -> bool:
    """Whether a track has frames between two times, in seconds; to the video's end where the second is 0."""
    start, end = span
    return start <= keypoints.time[-1] and (end == 0 or end > keypoints.time[0])


def _mark_interrupted(run: Run, clip: str, names: Iterable[str]) -> None:
    """Mark all motions of a clip as failed while its files change, in case the process is killed."""
    rows = [Row("build", name, "failed", "", clip, reason="interrupted; run build-2d again") for name in names]
    run.ledger.put(rows, replace=("build", clip))


def _is_whole(run: Run, row: Row) -> bool:
    """Whether the row did not fail and its files exist."""
    return row.state == "filtered" or (row.state == "done" and all(path.is_file() for path in _files(run, row.id)))


def _write(
    run: Run, name: str, clip: str, key: str, motion: Motion2D, captions: Sequence[str], cfg: BuildConfig
) -> Row:
    features, mask, filled = features_of(motion, cfg.layout)
    motion.save(run.motion2d / f"{name}.npz")
    save_npz(
        run.features2d / f"{name}.npz",
        features=features,
        mask=mask,
        filled=filled,
        fps=np.float64(motion.fps),
        layout=np.array(cfg.layout),
    )
    write_text(run.texts / f"{name}.txt", "".join(caption_line(text) + "\n" for text in captions))
    measures = {
        "frames": len(motion.joints),
        "valid": round(float(motion.valid.mean()), 4),
        "filled": round(float(motion.filled.mean()), 4),
        "camera": motion.camera,
    }
    return Row("build", name, "done", key, parent=clip, measures=measures)


def features_of(motion: Motion2D, layout: Layout2D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (not normalised), their mask, and which valid values depend on an interpolated joint.

    Arrays of shape (F - 1, D), float32, bool and bool.
    """
    import torch

    from crossdiff.representation.features2d import joints_to_features_2d

    joints, valid = torch.from_numpy(motion.joints), torch.from_numpy(motion.valid)
    known = torch.from_numpy(motion.path_known)
    features, mask = joints_to_features_2d(joints, motion.skeleton, layout, valid, known)
    _, seen = joints_to_features_2d(joints, motion.skeleton, layout, valid & ~torch.from_numpy(motion.filled), known)
    return features.numpy().astype(np.float32), mask.numpy(), (mask & ~seen).numpy()


def _drop_others(run: Run, kept: set[str]) -> None:
    """Delete the motions of clips that are now filtered or gone."""
    stale = [row.id for row in run.ledger.rows("build") if row.parent not in kept]
    # Files before rows: if the process is killed in between, no file is left without a row.
    run.drop_labels(stale)
    _remove(run, stale)
    run.ledger.drop("build", stale)


def _files(run: Run, name: str) -> tuple[Path, ...]:
    return run.motion2d / f"{name}.npz", run.features2d / f"{name}.npz", run.texts / f"{name}.txt"


def _remove(run: Run, names: Iterable[str]) -> None:
    for name in names:
        for path in _files(run, name):
            path.unlink(missing_ok=True)


def _count(summary: BuildSummary, rows: list[Row]) -> None:
    summary.clips += 1
    for row in rows:
        if row.state == "done":
            summary.motions += 1
            summary.frames += row.measures["frames"]
        elif row.state == "filtered":
            summary.filtered[str(row.reason)] += 1
        else:
            summary.failed[row.id] = str(row.reason)
