"""Kept clips to 2D motions, features and captions: the input of training on wild videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import Field

from crossdiff.annotations.captions import VideoCaption, by_span, caption_line
from crossdiff.errors import ClipError, InputError
from crossdiff.files import npz_bytes, remove_leftovers
from crossdiff.pipeline.built import BuiltClip, motion_files, remove_motions, write_clips
from crossdiff.pipeline.engines.mapping import map_clips
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.motion2d.motion import MotionConfig, to_motions
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.subjects import bystanders, captions_of_track
from crossdiff.pipeline.summaries import ClipSummary
from crossdiff.progress import progress_bar
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


@dataclass(frozen=True)
class _Job:
    """A clip to build. key: of its next rows."""

    clip: str
    key: str
    captions: tuple[VideoCaption, ...]


def build_2d(run: Run, cfg: BuildConfig | None = None, workers: int | None = 1) -> BuildSummary:
    """Write motion2d/, features2d/ and texts/ for every clip that the filter kept; delete those of other clips.

    A clip without captions gets an empty captions file, and so do small people beside a taller one (`min_size`), whom
    the video's captions do not describe. Rebuilt motions lose their pseudo labels. Without `cfg` the settings are those
    that the run was built with before, or the defaults.

    workers: see `map_clips`.
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
        heights = {row.id: row.measures["height"] for row in judged if "height" in row.measures}
        old = _rows_by_clip(run)
        stale = []
        for job in _jobs(run, kept, heights, cfg):
            rows = old.get(job.clip, [])
            if rows and all(row.key == job.key and _is_whole(run, row) for row in rows):
                summary.unchanged += 1
                _count(summary, rows)
            else:
                stale.append(job)
        with progress_bar() as bar:
            clips = bar.add_task("clips", len(kept), len(kept) - len(stale))
            for written in write_clips(run, map_clips(partial(_build, run.root, cfg), stale, _lost, workers), old):
                _count(summary, written.rows)
                bar.advance(clips)
    return summary


def _rows_by_clip(run: Run) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in run.ledger.rows("build"):
        rows.setdefault(row.parent, []).append(row)
    return rows


def _jobs(run: Run, kept: Sequence[Row], heights: Mapping[str, float], cfg: BuildConfig) -> Iterator[_Job]:
    videos, tracks = run.ledger.videos(), run.ledger.rows("track")
    behind = bystanders(tracks, heights, cfg.min_size)
    content, settings = {row.id: row.key for row in tracks}, cfg.model_dump()
    for clip in kept:
        captions = captions_of_track(clip.id, videos[clip.parent].captions, behind)
        yield _Job(clip.id, key_of(content.get(clip.id, ""), captions, settings, _VERSION), captions)


def _build(root: Path, cfg: BuildConfig, job: _Job) -> BuiltClip:
    """Build a clip without writing anything, so that this may be done in another process."""
    clip = job.clip
    # The row of a clip that gives no motion.
    missing = Row("build", clip, "filtered", job.key, clip, reason=_NOT_SEEN, threshold=cfg.min_frames)
    try:
        keypoints = Run(root).load_keypoints(clip)
        # Each captioned part of a video becomes a separate motion.
        spans = by_span(job.captions) or {(0.0, 0.0): []}
        shown = {span: texts for span, texts in spans.items() if _overlaps(keypoints, span)}
        if not shown:
            missing = replace(missing, reason=_NOT_TOLD, threshold=None)
        motions = [(m, texts) for span, texts in shown.items() for m in to_motions(keypoints, cfg, span)]
    except (ClipError, InputError) as error:
        return _lost(job, str(error))
    if not motions:
        return BuiltClip(clip, [missing])
    rows = [_row(f"{clip}_{number}", job, motion) for number, (motion, _) in enumerate(motions)]
    return BuiltClip(clip, rows, [_contents(motion, texts, cfg) for motion, texts in motions])


def _lost(job: _Job, error: str) -> BuiltClip:
    return BuiltClip(job.clip, [Row("build", job.clip, "failed", job.key, job.clip, reason=error)])


def _overlaps(keypoints: Keypoints2D, span: tuple[float, float]) -> bool:
    """Whether a track has frames between two times, in seconds; to the video's end where the second is 0."""
    start, end = span
    return start <= keypoints.time[-1] and (end == 0 or end > keypoints.time[0])


def _is_whole(run: Run, row: Row) -> bool:
    """Whether the row did not fail and its files exist."""
    return row.state == "filtered" or (
        row.state == "done" and all(path.is_file() for path in motion_files(run, row.id))
    )


def _contents(motion: Motion2D, captions: Sequence[str], cfg: BuildConfig) -> tuple[bytes, bytes, str]:
    """The contents of a motion's files, in the order of `_files`."""
    features, mask, filled = features_of(motion, cfg.layout)
    arrays = npz_bytes(
        features=features, mask=mask, filled=filled, fps=np.float64(motion.fps), layout=np.array(cfg.layout)
    )
    return motion.to_bytes(), arrays, "".join(caption_line(text) + "\n" for text in captions)


def _row(name: str, job: _Job, motion: Motion2D) -> Row:
    measures = {
        "frames": len(motion.joints),
        "valid": round(float(motion.valid.mean()), 4),
        "filled": round(float(motion.filled.mean()), 4),
        "camera": motion.camera,
    }
    return Row("build", name, "done", job.key, parent=job.clip, measures=measures)


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
    remove_motions(run, stale)
    run.ledger.drop("build", stale)


def _count(summary: BuildSummary, rows: Sequence[Row]) -> None:
    summary.clips += 1
    for row in rows:
        if row.state == "done":
            summary.motions += 1
            summary.frames += row.measures["frames"]
        elif row.state == "filtered":
            summary.filtered[str(row.reason)] += 1
        else:
            summary.failed[row.id] = str(row.reason)
