"""The page of a run: counts, measures with their limits, clips kept and dropped, videos that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossdiff import __version__
from crossdiff.errors import InputError
from crossdiff.pipeline.filter import REASONS, FilterConfig
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.report.counts import RunRows, count_labels, failures, overview, reasons
from crossdiff.pipeline.report.labels import SHOWN_TEXT, label_caption, label_numbers
from crossdiff.pipeline.report.pictures import Drawer, draw_histograms
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.wording import counted

_MOST_VIDEOS = 4
# Axis titles of the measures.
_MEASURES = {
    "fps": "frames per second",
    "frames": "length, frames at 20 fps",
    "edge": "fraction of frames cut off at the edge",
    "whole": "fraction of frames with the whole body",
    "height": "height of the body, pixels",
    "score": "mean score",
    "joint_score": "mean score of the worst joint",
    "bones": "change of limb lengths, body heights",
    "jitter": "jitter, body heights",
    "camera_lost": "fraction of frames, camera unknown",
    "camera": "speed of the camera, body heights per second",
    "motion": "speed of the body, body heights per second",
}


@dataclass
class ReportSummary:
    """The page and what it shows."""

    path: Path
    clips: int = 0
    """Clips of the run."""
    shown: int = 0
    """Clips that are drawn."""
    labels: int = 0
    """Pseudo labels that are drawn."""
    gone: set[str] = field(default_factory=set)
    """Videos that are no longer where they were."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons by the clip or label that could not be drawn."""

    def __str__(self) -> str:
        gone = f", {counted(len(self.gone), 'video')} gone (only skeletons are drawn)" if self.gone else ""
        failed = f", {len(self.failed)} could not be drawn" if self.failed else ""
        labels = f" and {counted(self.labels, 'label')}" if self.labels else ""
        return f"{self.shown} of {counted(self.clips, 'clip')}{labels} drawn{gone}{failed}; {self.path}"


@dataclass(frozen=True)
class _Pictures:
    """Pictures and videos of the chosen clips and labels."""

    kept: list[Figure]
    dropped: dict[str, list[Figure]]
    """By reason."""
    videos: list[Figure]
    labels: list[Figure]


def write_report(run: Run, path: Path | None = None, most: int = 8, labels: int = 6) -> ReportSummary:
    """Write the page to `path` (`report/index.html` of the run) and its pictures to the folder beside it.

    Works at any time after extraction; the page leaves out the results of stages that have not run.

    most: largest number of clips to draw, of those kept and of those dropped for each reason.
    labels: largest number of pseudo labels to show beside their videos, evenly from the best to the worst.
    """
    path = path or run.root / "report" / "index.html"
    rows = RunRows.of(run)
    if not rows.extract:
        raise InputError(f"{run.root}: holds no videos; run `crossdiff extract-2d VIDEOS --out {run.root}` first")
    folder = path.parent / f"{path.stem}_files"
    drawer = Drawer(run, rows.videos, folder)
    drawn = _draw(rows, drawer, most, labels)
    limits = run.recorded("filter", FilterConfig).model_dump(include=set(REASONS))
    histograms = draw_histograms(rows.checked, _MEASURES, {name: limits[name] for name in REASONS}, folder, "clips")
    sections = [
        overview(rows, run),
        *reasons(rows, run),
        Section("Labels", table=count_labels(rows)),
        Section("Measures", _MEASURES_TEXT if histograms else "Nothing is filtered yet.", histograms),
        *label_numbers(rows.pseudo, run, folder),
        Section("Labels, from the best to the worst", SHOWN_TEXT if drawn.labels else "", drawn.labels),
        Section("Kept, as videos", "", drawn.videos),
        Section(
            f"Kept: {counted(len(rows.kept), 'clip')}",
            _selection_text(len(rows.kept), most, "the best-scored to the worst"),
            drawn.kept,
        ),
        *(
            Section(
                f"Dropped, {reason}: {counted(len(clips), 'clip')}",
                _selection_text(len(clips), most, "the smallest measured value to the largest"),
                drawn.dropped[reason],
            )
            for reason, clips in rows.dropped.items()
        ),
        *failures(rows, drawer.gone, drawer.failed),
    ]
    page = Page(
        title=f"Clips of the run {run.root.name}",
        lead="Kept and dropped clips, with the reasons.",
        sections=[s for s in sections if s.figures or s.table is not None or s.facts or s.text],
        footer=f"crossdiff {__version__}",
    )
    write_page(path, page)
    _remove_old(folder, {Path(figure.src).name for section in page.sections for figure in section.figures})
    shown = len(drawn.kept) + sum(map(len, drawn.dropped.values()))
    return ReportSummary(path, len(rows.checked), shown, len(drawn.labels), drawer.gone, drawer.failed)


def _draw(rows: RunRows, drawer: Drawer, most: int, labels: int) -> _Pictures:
    kept = _spread(sorted(rows.kept, key=lambda row: (-row.measures["score"], row.id)), most)
    dropped = {
        reason: _spread(sorted(clips, key=lambda row: (row.value or 0, row.id)), most)
        for reason, clips in rows.dropped.items()
    }
    lifted = _spread(rows.labels, labels)
    with progress_bar() as bar:
        task = bar.add_task("clips", total=len(kept) + sum(map(len, dropped.values())) + len(lifted), note="")

        def sheets(clips: Sequence[Row]) -> list[Figure]:
            figures = []
            for row in clips:
                bar.update(task, note=row.id, advance=1)
                figures += drawer.sheet(row, _caption(row, rows.label(row)))
            return figures

        kept_sheets = sheets(kept)
        dropped_sheets = {reason: sheets(clips) for reason, clips in dropped.items()}
        videos = [figure for row in kept[:_MOST_VIDEOS] for figure in drawer.video(row, _caption(row, rows.label(row)))]
        video_of = {row.id: row.parent for row in rows.checked}
        label_videos = []
        for row in lifted:
            bar.update(task, note=row.id, advance=1)
            label_videos += drawer.label(row, video_of.get(row.parent, ""), label_caption(row))
    return _Pictures(kept_sheets, dropped_sheets, videos, label_videos)


def _spread(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` rows, evenly spaced from the first to the last."""
    picked = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)) if rows else []
    return [rows[int(n)] for n in picked]


def _selection_text(count: int, most: int, order: str) -> str:
    return "" if count <= most else f"{most} of {count} are shown, evenly from {order}."


def _remove_old(folder: Path, used: set[str]) -> None:
    """Remove the pictures of an earlier page that this one does not show."""
    for kind in ("*.jpg", "*.svg", "*.mp4"):
        for old in folder.glob(kind):
            if old.name not in used:
                old.unlink(missing_ok=True)


_MEASURES_TEXT = (
    "Blue: kept. Yellow: dropped, for any reason. Red line: the limit; clips on its hatched side are dropped."
)


def _caption(row: Row, label: str) -> str:
    """A clip's name, label and measures; for a dropped one the reason, the value and the limit."""
    m = row.measures
    clip = f"{row.id} ({label}, {m['seconds']:.1f} s, score {m['score']:.2f})"
    if row.state != "filtered":
        return clip
    of = f" of {m['duplicate_of']}" if "duplicate_of" in m else ""
    return f"{clip}: {row.reason}{of}, {row.value:.4g} where {row.threshold:.4g} is the limit"
