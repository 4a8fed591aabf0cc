"""One page that shows a run: counts, measures with their limits, clips kept and dropped, videos that failed."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from crossdiff import __version__
from crossdiff.errors import InputError
from crossdiff.pipeline.build import BuildConfig
from crossdiff.pipeline.filter import DUPLICATE, REASONS, FilterConfig
from crossdiff.pipeline.ledger import Row, VideoRecord
from crossdiff.pipeline.report.labels import SHOWN_TEXT, label_caption, label_numbers
from crossdiff.pipeline.report.pictures import Drawer, draw_histograms
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.wording import counted

log = logging.getLogger(__name__)

_MOST_LINES = 100  # of a table that grows with the number of videos
_MOST_VIDEOS = 4
_UNLABELLED = "none"  # where nothing says what a video shows
# What each measure is, with its unit.
_MEASURES = {
    "fps": "frames per second",
    "frames": "length, frames at 20 fps",
    "edge": "share of frames cut off at the edge",
    "whole": "share of frames with the whole body",
    "height": "height of the body, pixels",
    "score": "mean score",
    "joint_score": "mean score of the worst joint",
    "bones": "change of limb lengths, body heights",
    "jitter": "jitter, body heights",
    "camera_lost": "share of frames, camera unknown",
    "camera": "camera, body heights per second",
    "motion": "motion, body heights per second",
}


@dataclass
class ReportSummary:
    """Where the page is, and what it shows. gone: videos that are no longer where they were."""

    path: Path
    clips: int = 0
    shown: int = 0
    labels: int = 0
    gone: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        gone = f", {counted(len(self.gone), 'video')} gone (skeletons alone are drawn)" if self.gone else ""
        failed = f", {len(self.failed)} could not be drawn" if self.failed else ""
        labels = f" and {counted(self.labels, 'label')}" if self.labels else ""
        return f"{self.shown} of {counted(self.clips, 'clip')}{labels} drawn{gone}{failed}; {self.path}"


@dataclass(frozen=True)
class _Rows:
    """The rows of the ledger, read once."""

    videos: dict[str, VideoRecord]
    extract: list[Row]
    tracks: list[Row]
    judged: list[Row]
    built: list[Row]
    pseudo: list[Row]

    @classmethod
    def of(cls, run: Run) -> _Rows:
        rows = run.ledger.rows
        return cls(
            run.ledger.videos(), rows("extract"), rows("track"), rows("filter"), rows("build", "done"),
            rows("pseudo"),
        )  # fmt: skip

    def label(self, row: Row) -> str:
        """Of the video that a track or a judged clip comes from."""
        return self.label_of(row.parent)

    def label_of(self, video: str) -> str:
        """A video's label as the page shows it."""
        return (self.videos[video].label if video in self.videos else "") or _UNLABELLED

    @property
    def labels(self) -> list[Row]:
        """Pseudo labels that were measured, the best first."""
        measured = [row for row in self.pseudo if "quality" in row.measures]
        return sorted(measured, key=lambda row: (-row.measures["quality"], row.id))

    @property
    def kept(self) -> list[Row]:
        return [row for row in self.judged if row.state == "done"]

    @property
    def dropped(self) -> dict[str, list[Row]]:
        """Filtered clips by reason, the most frequent reason first."""
        rows = [row for row in self.judged if row.state == "filtered"]
        order = [reason for reason, _ in Counter(str(row.reason) for row in rows).most_common()]
        return {reason: [row for row in rows if row.reason == reason] for reason in order}


def write_report(run: Run, path: Path | None = None, most: int = 8, labels: int = 6) -> ReportSummary:
    """Write the page to `path` (`report/index.html` of the run) and its pictures to the folder beside it.

    most: how many clips are drawn of those kept, and of those dropped for each reason; labels: how many pseudo labels
    are shown beside their videos, evenly from the best to the worst. Works at any time after
    extraction; what has not been done yet is left out.
    """
    path = path or run.root / "report" / "index.html"
    rows = _Rows.of(run)
    if not rows.extract:
        raise InputError(f"{run.root}: holds no videos; run `crossdiff extract-2d VIDEOS --out {run.root}` first")
    folder = path.parent / f"{path.stem}_files"
    kept = _spread(sorted(rows.kept, key=lambda row: (-row.measures["score"], row.id)), most)
    dropped = {reason: _spread(sorted(r, key=lambda row: (row.value or 0, row.id)), most)
               for reason, r in rows.dropped.items()}  # fmt: skip
    lifted = _spread(rows.labels, labels)
    drawer = Drawer(run, rows.videos, folder)
    with progress_bar() as bar:
        task = bar.add_task("clips", total=len(kept) + sum(map(len, dropped.values())) + len(lifted), note="")

        def sheets(chosen: Sequence[Row]) -> list[Figure]:
            figures = []
            for row in chosen:
                bar.update(task, note=row.id, advance=1)
                figures += drawer.sheet(row, _caption(row, rows.label(row)))
            return figures

        kept_sheets = sheets(kept)
        dropped_sheets = {reason: sheets(chosen) for reason, chosen in dropped.items()}
        videos = [figure for row in kept[:_MOST_VIDEOS] for figure in drawer.video(row, _caption(row, rows.label(row)))]
        video_of = {row.id: row.parent for row in rows.judged}
        label_videos = []
        for row in lifted:
            bar.update(task, note=row.id, advance=1)
            label_videos += drawer.label(row, video_of.get(row.parent, ""), label_caption(row))
    limits = run.recorded("filter", FilterConfig).model_dump(include=set(REASONS))
    histograms = draw_histograms(rows.judged, _MEASURES, {name: limits[name] for name in REASONS}, folder, "clips")
    summary = ReportSummary(
        path,
        len(rows.judged),
        len(kept_sheets) + sum(map(len, dropped_sheets.values())),
        len(label_videos),
        drawer.gone,
        drawer.failed,
    )
    sections = [
        _overview(rows, run),
        *_reasons(rows, run),
        Section("Labels", table=_labels(rows)),
        Section("Measures", _MEASURES_TEXT if histograms else "Nothing is filtered yet.", histograms),
        *label_numbers(rows.pseudo, run, folder),
        Section("Labels, from the best to the worst", SHOWN_TEXT if label_videos else "", label_videos),
        Section("Kept, as videos", "", videos),
        Section(
            f"Kept: {counted(len(rows.kept), 'clip')}",
            _shown(len(kept), len(rows.kept), "the best-scored to the worst"),
            kept_sheets,
        ),
        *(
            Section(
                f"Dropped, {reason}: {counted(len(rows.dropped[reason]), 'clip')}",
                _shown(len(dropped[reason]), len(rows.dropped[reason]), "the least to the most of what was measured"),
                figures,
            )
            for reason, figures in dropped_sheets.items()
        ),
        *_failures(rows, summary),
    ]
    page = Page(
        title=f"Clips of the run {run.root.name}",
        lead="Kept and dropped clips, with the reasons.",
        sections=[s for s in sections if s.figures or s.table is not None or s.facts or s.text],
        footer=f"crossdiff {__version__}",
    )
    write_page(path, page)
    _tidy(folder, {Path(figure.src).name for section in page.sections for figure in section.figures})
    return summary


def _spread(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of them, evenly spaced from the first to the last."""
    picked = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)) if rows else []
    return [rows[int(n)] for n in picked]


def _shown(shown: int, there: int, order: str) -> str:
    return "" if shown == there else f"{shown} of {there} are shown, evenly from {order}."


def _tidy(folder: Path, used: set[str]) -> None:
    """Pictures of an earlier page, which this one does not show."""
    for kind in ("*.jpg", "*.svg", "*.mp4"):
        for old in folder.glob(kind):
            if old.name not in used:
                old.unlink(missing_ok=True)


# --- counts ---


def _overview(rows: _Rows, run: Run) -> Section:
    states = Counter(row.state for row in rows.extract)
    minutes = sum(row.measures["frames"] for row in rows.built) / run.recorded("build", BuildConfig).fps / 60
    judged = Counter(row.state for row in rows.judged)
    facts = [
        ("Videos", f"{len(rows.extract):,}"),
        ("With people", f"{states['done']:,}"),
        ("Failed", f"{sum(n for state, n in states.items() if state not in ('done', 'filtered')):,}"),
        ("Clips (one person, one shot)", f"{len(rows.tracks):,}"),
        ("Kept", f"{judged['done']:,}" if rows.judged else "not filtered yet"),
        ("Dropped", f"{judged['filtered']:,}" if rows.judged else "not filtered yet"),
        ("2D motions", f"{len(rows.built):,} ({minutes:.1f} min)" if rows.built else "not built yet"),
        ("Pseudo-3D labels", f"{sum(r.state == 'done' for r in rows.pseudo):,}" if rows.pseudo else "not lifted yet"),
    ]
    return Section("In numbers", facts=facts)


def _reasons(rows: _Rows, run: Run) -> list[Section]:
    if not rows.dropped:
        return []
    cfg = run.recorded("filter", FilterConfig)
    limits = {reason: name for name, reason in REASONS.items()} | {DUPLICATE: "min_difference"}
    table = [
        {"reason": reason, "clips": len(clips), "limit": f"{limits[reason]}: {getattr(cfg, limits[reason]):g}"
         if reason in limits else f"per_label: {cfg.per_label}"}
        for reason, clips in rows.dropped.items()
    ]  # fmt: skip
    return [Section("Why clips were dropped", _REASONS_TEXT, table=pd.DataFrame(table))]


def _labels(rows: _Rows) -> pd.DataFrame:
    """A row per label: videos, those that failed, clips, kept, motions, and what was dropped why."""
    parent = {row.id: row for row in rows.judged}
    counts: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}

    def add(label: str, what: str) -> None:
        counts.setdefault(label, Counter())[what] += 1

    for row in rows.extract:
        label = rows.label_of(row.id)
        add(label, "videos")
        if row.state not in ("done", "filtered"):
            add(label, "failed")
    for row in rows.tracks:
        add(rows.label(row), "clips")
    for row in rows.kept:
        add(rows.label(row), "kept")
    for row in rows.built:
        if row.parent in parent:
            add(rows.label(parent[row.parent]), "motions")
    for reason, dropped in rows.dropped.items():
        for row in dropped:
            reasons.setdefault(rows.label(row), Counter())[reason] += 1
    names = ("videos", "failed", "clips", "kept", "motions")
    return pd.DataFrame(
        {
            "label": label,
            **{name: counts[label][name] for name in names},
            "dropped": ", ".join(f"{n} {why}" for why, n in reasons.get(label, Counter()).most_common()) or "none",
        }
        for label in sorted(counts)
    )


def _failures(rows: _Rows, summary: ReportSummary) -> list[Section]:
    useless = [row for row in rows.extract if row.state != "done"] + [r for r in rows.judged if r.state == "failed"]
    sections = []
    if useless:
        table = pd.DataFrame({"video or clip": row.id, "why": row.reason} for row in useless[:_MOST_LINES])
        more = f"The first {_MOST_LINES} of {len(useless)}; crossdiff status lists all." if table.shape[0] < len(
            useless) else ""  # fmt: skip
        sections.append(Section("Videos that could not be used", more, table=table))
    if summary.gone:
        gone = ", ".join(itertools.islice(sorted(summary.gone), _MOST_LINES))
        text = f"These are not where they were; the skeletons of their clips are drawn alone: {gone}."
        sections.append(Section("Videos that are gone", text))
    if summary.failed:
        table = pd.DataFrame({"clip": clip, "why": why} for clip, why in summary.failed.items())
        sections.append(Section("Clips that could not be drawn", table=table))
    return sections


_REASONS_TEXT = (
    "Limits are checked one after the other, and the first that a clip misses is its reason. "
    "With another one, crossdiff filter RUN --set NAME=VALUE judges again without looking at the videos."
)
_MEASURES_TEXT = (
    "Blue: kept. Yellow: dropped, for whatever reason. Red line: the limit; the hatched side of it is not kept."
)


def _caption(row: Row, label: str) -> str:
    """Which clip, of what, and what was measured; for a dropped one, how far it is off."""
    m = row.measures
    what = f"{row.id} ({label}, {m['seconds']:.1f} s, score {m['score']:.2f})"
    if row.state != "filtered":
        return what
    of = f" of {m['duplicate_of']}" if "duplicate_of" in m else ""
    return f"{what}: {row.reason}{of}, {row.value:.4g} where {row.threshold:.4g} is the limit"
