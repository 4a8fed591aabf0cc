"""Motion files and pseudo labels on one interactive page; unreadable ones are left out and listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from crossdiff.data.motion_files import caption_of, motion_files, read_motion
from crossdiff.errors import InputError
from crossdiff.pipeline.report.view_clips import labels_named, run_of, show_label
from crossdiff.pipeline.run import Run
from crossdiff.viewing.gather import ShownMotions
from crossdiff.viewing.player.view import Shown, check_view, write_view
from crossdiff.workflows.callbacks import DefaultCallback, silent


def view_motions(
    motions: Sequence[str],
    out: Path,
    title: str,
    run: Path | None = None,
    max_labels: int = 4,
    on_default: DefaultCallback = silent,
) -> ShownMotions:
    """Show motion files and folders, or with `run` its labels: those of the clips in `motions`, else the best ones."""
    if run is not None:
        if not motions:
            on_default("clips", f"the best labels, {max_labels} at most", "name some, or change --most")
        return view_run(Run.open(run), motions, max_labels, out, title)
    if not motions:
        raise InputError("motions: expected files to show, or --run RUN, got neither")
    return view_files([Path(motion) for motion in motions], out, title)


def view_files(paths: Sequence[Path], out: Path, title: str) -> ShownMotions:
    """Show motion files, and all those in folders. A run's pseudo label is shown beside its video."""
    return _view([(str(file), partial(_show_file, file)) for file in motion_files(paths)], out, title)


def view_run(run: Run, clips: Sequence[str], max_labels: int, out: Path, title: str) -> ShownMotions:
    """Show pseudo labels of a run: those of the named clips, or the best ones."""
    return _view([(name, partial(show_label, run, name)) for name in labels_named(run, clips, max_labels)], out, title)


def _view(readers: Sequence[tuple[str, Callable[[], Shown]]], out: Path, title: str) -> ShownMotions:
    check_view(out)  # before everything is read
    summary = ShownMotions(out)
    write_view(out, summary.gather(readers), title)
    return summary


def _show_file(path: Path) -> Shown:
    run = run_of(path) if path.suffix == ".npz" and path.is_file() else None
    if run is not None:
        return show_label(run, path.stem)
    return Shown(read_motion(path), caption_of(path), path.name)
