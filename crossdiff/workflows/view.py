"""What `crossdiff view` does: reads motions and labels, leaves out what cannot be read, writes the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from crossdiff.data.motion_files import caption_of, motion_files, read_motion
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.view_clips import labels_named, run_of, show_label
from crossdiff.viewing.gather import ShownMotions
from crossdiff.viewing.player.view import Shown, check_view, write_view


def view_files(paths: Sequence[Path], out: Path, title: str) -> ShownMotions:
    """Show motion files, and all of those in folders. A pseudo label of a run stands beside its video."""
    return _view([(str(file), partial(_show_file, file)) for file in motion_files(paths)], out, title)


def view_run(run: Run, clips: Sequence[str], most: int, out: Path, title: str) -> ShownMotions:
    """Show pseudo labels of a run: those of the named clips, or the best ones."""
    return _view([(name, partial(show_label, run, name)) for name in labels_named(run, clips, most)], out, title)


def _view(readers: Sequence[tuple[str, Callable[[], Shown]]], out: Path, title: str) -> ShownMotions:
    check_view(out)  # before all is read
    summary = ShownMotions(out)
    write_view(out, summary.gather(readers), title)
    return summary


def _show_file(path: Path) -> Shown:
    run = run_of(path) if path.suffix == ".npz" and path.is_file() else None
    if run is not None:
        return show_label(run, path.stem)
    return Shown(read_motion(path), caption_of(path), path.name)
