"""Counts on the page of a run: a table by label, and sections on reasons and failures."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from crossdiff.pipeline.build import BuildConfig
from crossdiff.pipeline.filter import DUPLICATE, REASONS, FilterConfig
from crossdiff.pipeline.ledger import Row, VideoRecord
from crossdiff.pipeline.run import Run
from crossdiff.viewing.page import Section

_MOST_LINES = 100  # of a table that grows with the number of videos
_UNLABELLED = "none"  # for videos without a label
_REASONS_TEXT = (
    "Limits are checked in order, and the first that a clip violates is its reason. "
    "crossdiff filter RUN --set NAME=VALUE applies another limit without reading the videos again."
)


@dataclass(frozen=True)
class RunRows:
    """The rows of a run's ledger, read once."""

    videos: dict[str, VideoRecord]
    extract: list[Row]
    tracks: list[Row]
    checked: list[Row]
    """Clips that were kept, filtered, or failed in `filter`."""
    built: list[Row]
    pseudo: list[Row]

    @classmethod
    def of(cls, run: Run) -> RunRows:
        rows = run.ledger.rows
        return cls(
            run.ledger.videos(), rows("extract"), rows("track"), rows("filter"), rows("build", "done"),
            rows("pseudo"),
        )  # fmt: skip

    def label(self, row: Row) -> str:
        """Label of the video of a track or a filtered clip."""
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
        return [row for row in self.checked if row.state == "done"]

    @property
    def dropped(self) -> dict[str, list[Row]]:
        """Filtered clips by reason, the most frequent reason first."""
        rows = [row for row in self.checked if row.state == "filtered"]
        order = [reason for reason, _ in Counter(str(row.reason) for row in rows).most_common()]
        return {reason: [row for row in rows if row.reason == reason] for reason in order}


def overview(rows: RunRows, run: Run) -> Section:
    """Numbers of videos, clips, motions and labels."""
    states = Counter(row.state for row in rows.extract)
    minutes = sum(row.measures["frames"] for row in rows.built) / run.recorded("build", BuildConfig).fps / 60
    checked = Counter(row.state for row in rows.checked)
    facts = [
        ("Videos", f"{len(rows.extract):,}"),
        ("With people", f"{states['done']:,}"),
        ("Failed", f"{sum(n for state, n in states.items() if state not in ('done', 'filtered')):,}"),
        ("Clips (one person, one shot)", f"{len(rows.tracks):,}"),
        ("Kept", f"{checked['done']:,}" if rows.checked else "not filtered yet"),
        ("Dropped", f"{checked['filtered']:,}" if rows.checked else "not filtered yet"),
        ("2D motions", f"{len(rows.built):,} ({minutes:.1f} min)" if rows.built else "not built yet"),
        ("Pseudo-3D labels", f"{sum(r.state == 'done' for r in rows.pseudo):,}" if rows.pseudo else "not lifted yet"),
    ]
    return Section("In numbers", facts=facts)


def reasons(rows: RunRows, run: Run) -> list[Section]:
    """Number of dropped clips for each reason, with the limit; no section if none was dropped."""
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


def count_labels(rows: RunRows) -> pd.DataFrame:
    """A row per label: numbers of videos, failed ones, clips, kept ones and motions, and of dropped clips by reason."""
    parent = {row.id: row for row in rows.checked}
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


def failures(rows: RunRows, gone: Collection[str], undrawn: Mapping[str, str]) -> list[Section]:
    """Videos and clips that failed, videos that are `gone`, and the reasons of the clips and labels in `undrawn`."""
    failed = [row for row in rows.extract if row.state != "done"] + [r for r in rows.checked if r.state == "failed"]
    sections = []
    if failed:
        table = pd.DataFrame({"video or clip": row.id, "why": row.reason} for row in failed[:_MOST_LINES])
        cut = len(failed) > _MOST_LINES
        text = f"The first {_MOST_LINES} of {len(failed)}; crossdiff status lists all." if cut else ""
        sections.append(Section("Videos that could not be used", text, table=table))
    if gone:
        names = ", ".join(itertools.islice(sorted(gone), _MOST_LINES))
        text = f"These are no longer where they were; of their clips only the skeletons are drawn: {names}."
        sections.append(Section("Videos that are gone", text))
    if undrawn:
        table = pd.DataFrame({"clip": clip, "why": why} for clip, why in undrawn.items())
        sections.append(Section("Clips that could not be drawn", table=table))
    return sections
