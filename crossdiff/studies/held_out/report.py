"""Tables, plot and page of the held-out-action study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossdiff.evaluation.evaluate import REAL
from crossdiff.evaluation.result import Value
from crossdiff.files import write_json
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.viewing.plots import draw_intervals, saved_figure

# Metrics of the new and the known actions, by row (`Real`, `after, mixture`).
Scores = dict[str, dict[str, dict[str, Value]]]
R_PRECISION, FID = "R-precision top 3", "FID"
_COLUMNS = {
    R_PRECISION: "R-precision top 3 ↑",
    FID: "FID ↓",
    "MM-Dist": "MM-Dist ↓",
    "Accuracy": "Accuracy ↑",
    f"{R_PRECISION}, tmr": "R-precision top 3, tmr ↑",
    f"{FID}, tmr": "FID, tmr ↓",
    "skating_share": "contacts that slide ↓",
}
_TITLES = {"new": "Actions whose 3D motion was held out", "known": "Actions that the model was trained on in 3D"}
# Largest acceptable loss of R-precision on the known actions.
_MAY_LOSE = 0.1


@dataclass(frozen=True)
class StudyOutcome:
    """Gains of fine-tuning on the new actions, as fractions of the gap from before to full, and loss on the known."""

    sampling: str
    r_precision: float
    fid: float
    lost: float

    @property
    def success(self) -> bool:
        """Whether it closed more than half of the gap without losing the known actions."""
        return self.r_precision > 0.5 and self.fid > 0.5 and self.lost < _MAY_LOSE

    def __str__(self) -> str:
        return (
            f"{self.sampling} sampling: of the gap from before to full, R-precision closes {self.r_precision:.0%} and "
            f"FID {self.fid:.0%}; the known actions lose {self.lost:.1%} of R-precision: "
            f"{'success' if self.success else 'falls short'}"
        )


def outcomes(scores: Scores) -> list[StudyOutcome]:
    """The outcome for each kind of sampling."""
    new, known = scores["new"], scores["known"]
    samplings = [name.split(", ")[1] for name in new if name.startswith("after, ")]

    def gap_closed(sampling: str, metric: str, sign: int) -> float:
        before, after, full = (new[f"{m}, {sampling}"][metric].mean for m in ("before", "after", "full"))
        gained = (full - before) * sign  # the upper bound may be no better than the start
        return (after - before) * sign / gained if gained > 0 else 0.0

    def lost(sampling: str) -> float:
        before, after = (known[f"{m}, {sampling}"][R_PRECISION].mean for m in ("before", "after"))
        return (before - after) / before if before else 0.0

    return [StudyOutcome(s, gap_closed(s, R_PRECISION, 1), gap_closed(s, FID, -1), lost(s)) for s in samplings]


def write_held_out(
    scores: Scores, counts: Mapping[str, Mapping[str, int]], pictures: Sequence[tuple[Path, str]], out: Path
) -> None:
    """`held-out.md`, `.html`, `.json` and `.png`. pictures: videos and pictures below `out`, with their captions."""
    tables = {actions: _table(scores[actions]) for actions in ("new", "known")}
    conclusions = [str(outcome) for outcome in outcomes(scores)]
    clips = pd.DataFrame(counts).T.rename_axis("family").reset_index()
    _plot(out / "held-out.png", scores)
    write_json(out / "held-out.json", _plain(scores))
    figures = [Figure(path.relative_to(out).as_posix(), caption) for path, caption in pictures]
    sections = [
        Section("Results", "\n\n".join(conclusions), [Figure("held-out.png", "Means and 95 % intervals over seeds")]),
        *(Section(_TITLES[actions], table=table) for actions, table in tables.items()),
        Section("Sampled motion", "The same noise in each row: before, after, with all 3D motion.", figures),
        Section("Clips held out", "Mirrored copies included.", table=clips),
    ]
    page = Page("Held-out actions", "3D motion learnt from 2D alone", sections)
    write_page(out / "held-out.html", page, with_markdown=True)


def _table(rows: Mapping[str, Mapping[str, Value]]) -> pd.DataFrame:
    columns = {metric: head for metric, head in _COLUMNS.items() if metric in rows[REAL]}
    cells = [{"model": name, **{head: str(values[m]) for m, head in columns.items()}} for name, values in rows.items()]
    return pd.DataFrame(cells)


def _plot(path: Path, scores: Scores) -> None:
    """R-precision and FID of the new and of the known actions, with intervals over the seeds."""
    names = [name for name in scores["new"] if name != REAL]
    with saved_figure(path, 11, 2.2 + 0.6 * len(names)) as figure:
        for row, actions in zip(figure.subplots(2, 2, sharey=True), ("new", "known"), strict=True):
            for ax, metric, better in zip(row, (R_PRECISION, FID), ("higher", "lower"), strict=True):
                values = [scores[actions][name][metric] for name in names]
                means, halves = [v.mean for v in values], [v.interval for v in values]
                draw_intervals(ax, names, means, halves, scores[actions][REAL][metric].mean)
                ax.set(title=f"{metric} of the {actions} actions ({better} is better)")
        figure.axes[0].legend(frameon=False)


def _plain(scores: Scores) -> dict[str, object]:
    return {
        actions: {name: {m: v.model_dump() for m, v in values.items()} for name, values in rows.items()}
        for actions, rows in scores.items()
    }
