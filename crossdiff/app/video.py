"""Video -> 3D motion for the page: the stages of the pipeline on one upload, in a run that is thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from crossdiff.app.models import Models
from crossdiff.app.results import Result, hand_out
from crossdiff.app.tell import Tell, part_of
from crossdiff.errors import ClipError
from crossdiff.pipeline.backends import PoseBackend
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.engines import Engine, Job, Outcome, Recipe
from crossdiff.pipeline.engines.base import VideoTick
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import filter_clips
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.pseudo_label import pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.view_clips import show_label

# A motion is ten seconds at most, and each brings its pictures of the video.
MOST_MOTIONS = 4


@dataclass(frozen=True)
class PoseSettings:
    """Who finds people, as `extract-2d` takes it; engine: a process of its own, which a bad file may crash."""

    backend: str | PoseBackend = "mediapipe"
    settings: tuple[str, ...] = ()
    engine: Engine = field(default_factory=lambda: LocalEngine(workers=1))


def lift_video(models: Models, video: Path, caption: str, pose: PoseSettings, folder: Path, tell: Tell) -> Result:
    """Find the people of a video, lift what they do to 3D, and write that into `folder`.

    The notes say what was refused and why; there may be nothing else. ClipError: no person, or no video.
    """
    run = Run.create(folder / "run")
    tell(0.0, "Finding people")
    engine = _TellingEngine(pose.engine, part_of(tell, 0.0, 0.6))
    extract_2d([video], run, pose.backend, settings=pose.settings, engine=engine)
    _check_found(run, video.name)
    tell(0.6, "Checking and building 2D motion")
    filter_clips(run)
    build_2d(run)
    if not run.ledger.rows("build", "done"):
        return Result(notes=["No motion could be lifted.", *_refused(run)])
    tell(0.7, "Lifting to 3D")
    pseudo_label(run, models.folder("lift"), device=models.device)
    labels = sorted(row.id for row in run.ledger.rows("pseudo") if row.state in ("done", "filtered"))
    if not labels:
        return Result(notes=["No motion could be lifted.", *_refused(run)])
    tell(0.75, "Drawing on the video")
    shown = [show_label(run, name) for name in labels[:MOST_MOTIONS]]
    if caption.strip():
        shown = [replace(one, caption=caption.strip()) for one in shown]
    notes = _refused(run)
    if len(labels) > MOST_MOTIONS:
        notes.append(f"The first {MOST_MOTIONS} of {len(labels)} motions are here; give the others as shorter videos.")
    return hand_out(shown, folder, part_of(tell, 0.8, 1.0), notes)


def _check_found(run: Run, name: str) -> None:
    """Raise where the video cannot be read, or shows nobody."""
    for row in run.ledger.rows("extract"):
        if row.state == "filtered":
            raise ClipError(f"{name}: {row.reason} found; give a video that shows a whole person")
        if row.state != "done":
            raise ClipError(f"{name}: {row.reason}; give another video, or encode it anew")


def _refused(run: Run) -> list[str]:
    """What became of each clip and motion that is not simply good, a line each."""
    rows = [*run.ledger.rows("filter"), *run.ledger.rows("build"), *run.ledger.rows("pseudo")]
    return [_reason(row) for row in rows if row.state != "done"]


def _reason(row: Row) -> str:
    # A label beyond a limit is shown all the same: the user sees what is wrong with it.
    what = "is doubtful" if row.stage == "pseudo" and row.state == "filtered" else "was left out"
    measured = "" if row.value is None else f", {row.value:.3g}"
    limit = "" if row.threshold is None else f" (limit {row.threshold:.3g})"
    return f"{row.id} {what}: {row.reason}{measured}{limit}"


class _TellingEngine(Engine):
    """Another engine, which also tells which share of a video's frames is done."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine = engine
        self._tell = tell

    def run(self, jobs: Iterable[Job], recipe: Recipe, tick: VideoTick) -> Iterator[Outcome]:
        def both(video: str, done: int, total: int) -> None:
            tick(video, done, total)
            # Headers may promise fewer frames than there are.
            share = min(done / total, 1.0) if total else 0.0
            self._tell(share, f"Finding people: frame {done}" + (f" of {total}" if total else ""))

        return self._engine.run(jobs, recipe, both)
