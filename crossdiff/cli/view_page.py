"""What `crossdiff view` does: reads motions and labels, leaves out what cannot be read, writes the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from crossdiff.errors import CrossDiffError, InputError, PartialFailure
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.view_clips import labels_named, run_of, show_label
from crossdiff.progress import track
from crossdiff.viewing.motion_files import caption_of, motion_files, read_motion
from crossdiff.viewing.view import Shown, write_view
from crossdiff.wording import counted, listed


@dataclass
class ViewSummary:
    """Where the page is, how many motions it shows, and what could not be shown, with the reasons."""

    path: Path
    motions: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{counted(self.motions, 'motion')} in {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)"

    def raise_failures(self) -> None:
        if self.failed:
            raise PartialFailure(f"{counted(len(self.failed), 'motion')} could not be shown:{listed(self.failed)}")


def view_files(paths: Sequence[Path], out: Path, title: str) -> ViewSummary:
    """Show motion files, and all of those in folders. A pseudo label of a run stands beside its video."""
    return _view({str(file): partial(_show_file, file) for file in motion_files(paths)}, out, title)


def view_run(run: Run, clips: Sequence[str], most: int, out: Path, title: str) -> ViewSummary:
    """Show pseudo labels of a run: those of the named clips, or the best ones."""
    names = labels_named(run, clips, most)
    return _view({name: partial(show_label, run, name) for name in names}, out, title)


def _view(readers: dict[str, Callable[[], Shown]], out: Path, title: str) -> ViewSummary:
    summary = ViewSummary(out)
    shown: list[Shown] = []
    for name, read in track(list(readers.items()), "read"):
        try:
            shown.append(read())
        except CrossDiffError as error:
            summary.failed[name] = str(error).removeprefix(f"{name}: ")
    if not shown:
        raise InputError(f"no motion could be shown:{listed(summary.failed)}")
    write_view(out, shown, title)
    summary.motions = len(shown)
    return summary


def _show_file(path: Path) -> Shown:
    run = run_of(path) if path.suffix == ".npz" and path.is_file() else None
    if run is not None:
        return show_label(run, path.stem)
    return Shown(read_motion(path), caption_of(path), path.name)
