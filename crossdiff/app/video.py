"""Video -> 3D motion for the page: the pipeline's stages on one upload, in a temporary run folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from crossdiff.app.models import Models
from crossdiff.app.progress import ProgressCallback, follow, subprogress
from crossdiff.app.results import Result, write_outputs
from crossdiff.errors import ClipError
from crossdiff.pipeline.backends import PoseBackend
from crossdiff.pipeline.engines import Engine
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import REASONS, FilterConfig
from crossdiff.pipeline.labelling import label_stages
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.report.view_clips import show_label
from crossdiff.pipeline.run import Run
from crossdiff.progress import ProgressEvent
from crossdiff.representation.foot_lock import plant_feet
from crossdiff.skeleton import HUMANML3D
from crossdiff.video import read_header

# A motion lasts ten seconds at most, and the page embeds the video's frames with each.
MAX_MOTIONS = 4


@dataclass(frozen=True)
class PoseSettings:
    """The pose estimator, as `extract-2d` takes it."""

    backend: str | PoseBackend = "mediapipe"
    settings: tuple[str, ...] = ()
    engine: Engine = field(default_factory=lambda: LocalEngine(workers=1))
    """By default a separate process, so that a damaged file cannot crash the page."""


def lift_video(
    models: Models, video: Path, caption: str, pose: PoseSettings, folder: Path, progress: ProgressCallback
) -> Result:
    """Find the people in a video, lift their motion to 3D, and write the results into `folder`.

    The notes list rejected clips with reasons; the result may hold nothing else. ClipError: the video cannot be read,
    is too short or too slow, or shows no person. What the file's header tells is checked first.
    """
    _check_header(video)
    run = Run.create(folder / "run")
    progress(0.0, "Finding people")
    with follow(subprogress(progress, 0.0, 0.6), "frames", _frames_done):
        extract_2d([video], run, pose.backend, settings=pose.settings, engine=pose.engine)
    _check_found(run, video.name)
    labels = _lift(run, models, progress)
    if not labels:
        return Result(notes=["No motion could be lifted.", *_rejections(run)])
    progress(0.75, "Drawing on the video")
    labelled = [show_label(run, name) for name in labels[:MAX_MOTIONS]]
    shown = [replace(one, motion=plant_feet(one.motion)) for one in labelled]
    if caption.strip():
        shown = [replace(one, caption=caption.strip()) for one in shown]
    notes = _rejections(run)
    if len(labels) > MAX_MOTIONS:
        notes.append(f"The first {MAX_MOTIONS} of {len(labels)} motions are here; give the others as shorter videos.")
    return write_outputs(shown, folder, subprogress(progress, 0.8, 1.0), notes)


def _check_header(video: Path) -> None:
    """Raise ClipError for a video that the filter would refuse because of what its header says."""
    header, limits = read_header(video), FilterConfig()
    if header is None:
        return
    if header.fps < limits.min_fps:
        raise ClipError(
            f"{video.name}: {REASONS['min_fps']}: {header.fps:.3g} frames a second, expected {limits.min_fps:.3g} or "
            "more; give a video with more frames a second"
        )
    seconds, least = header.frames / header.fps, limits.min_frames / HUMANML3D.fps
    if 0 < seconds < least:
        raise ClipError(
            f"{video.name}: {REASONS['min_frames']}: {seconds:.2g} s, expected {least:.2g} s or more; "
            "give a longer video"
        )


def _frames_done(event: ProgressEvent) -> str:
    return f"Finding people: frame {event.done}" + (f" of {event.total}" if event.total else "")


def _lift(run: Run, models: Models, progress: ProgressCallback) -> list[str]:
    """Names of the pseudo labels, doubtful ones included; none where no clip passes the filter."""
    progress(0.6, "Checking and building 2D motion")
    for stage, _ in label_stages(run, models.folder("lift"), device=models.device):
        if stage == "build-2d":
            if not run.ledger.rows("build", "done"):
                return []
            progress(0.7, "Lifting to 3D")
    return sorted(row.id for row in run.ledger.rows("pseudo") if row.state in ("done", "filtered"))


def _check_found(run: Run, name: str) -> None:
    """Raise ClipError if the video cannot be read or shows no person."""
    for row in run.ledger.rows("extract"):
        if row.state == "filtered":
            raise ClipError(f"{name}: {row.reason} found; give a video that shows a whole person")
        if row.state != "done":
            raise ClipError(f"{name}: {row.reason}; give another video, or re-encode this one")


def _rejections(run: Run) -> list[str]:
    """One line for each clip or motion that was rejected or is doubtful."""
    rows = [*run.ledger.rows("filter"), *run.ledger.rows("build"), *run.ledger.rows("pseudo")]
    return [_reason(row) for row in rows if row.state != "done"]


def _reason(row: Row) -> str:
    # A label beyond a limit is still shown, so that the user sees what is wrong with it.
    what = "is doubtful" if row.stage == "pseudo" and row.state == "filtered" else "was left out"
    measured = "" if row.value is None else f", {row.value:.3g}"
    limit = "" if row.threshold is None else f" (limit {row.threshold:.3g})"
    return f"{row.id} {what}: {row.reason}{measured}{limit}"
