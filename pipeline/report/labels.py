"""The part of a run's page that is about pseudo labels: how many, why not, how good, some beside their videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crossdiff.pipeline.label_quality import LABEL_MEASURES, LABEL_REASONS
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.pipeline.report.pictures import draw_histograms
from crossdiff.pipeline.run import Run
from crossdiff.viewing.page import Section
from crossdiff.wording import counted


def label_numbers(rows: Sequence[Row], run: Run, folder: Path) -> list[Section]:
    """How many labels were kept and filtered, and why; what was measured. Nothing where none was lifted."""
    if not rows:
        return []
    limits = {name: getattr(run.recorded("pseudo-label", PseudoLabelConfig), name) for name in LABEL_REASONS}
    names = {reason: name for name, reason in LABEL_REASONS.items()}
    states = Counter(row.state for row in rows)
    beyond = Counter((str(row.reason), row.threshold) for row in rows if row.state == "filtered")
    why = [
        {"reason": reason, "labels": count, "limit": f"{names[reason]}: {threshold:g}"}
        for (reason, threshold), count in beyond.most_common()
    ]
    text = f"{counted(states['done'], 'label')} kept, {states['filtered']} filtered, {states['failed']} failed."
    measured = draw_histograms(rows, LABEL_MEASURES, limits, folder, "labels")
    return [
        Section("Pseudo labels", text if why else f"{text} {_NONE_FILTERED}", table=pd.DataFrame(why)),
        *([Section("How good the labels are", _MEASURES_TEXT, measured, _spread_of(rows))] if measured else []),
    ]


def label_caption(row: Row) -> str:
    """Which label, its quality, what was measured, and why it was filtered."""
    m = row.measures
    what = (
        f"{row.id}: quality {m['quality']:.2f}. {m['reprojection']:.3f} body heights from its 2D motion, bones "
        f"± {m['bone_drift']:.0f}%, {m['skate']:.0%} of contacts slide, jerk {m['jerk']:.0f} m/s³; yaw {m['yaw']:.0f}°"
    )
    if "disagreement" in m:
        what += f"; lifted {m['disagreement']:.0f} mm from the detector's own 3D"
    return (
        what
        if row.state == "done"
        else f"{what}. Filtered: {row.reason}, {row.value:.4g} where {row.threshold:.4g} is the limit"
    )


def _spread_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Least, quartiles and most of every measure."""
    table = pd.DataFrame(
        [{name: row.measures[name] for name in LABEL_MEASURES if name in row.measures} for row in rows if row.measures]
    )
    found = table.quantile([0, 0.25, 0.5, 0.75, 1]).T
    found.columns = pd.Index(["least", "25%", "median", "75%", "most"])
    return found.rename_axis("measure")


_NONE_FILTERED = "None is beyond a limit."
_MEASURES_TEXT = (
    "Blue: kept. Yellow: filtered, for whatever reason. Red line: the limit, where there is one. "
    "crossdiff pseudo-label RUN --set NAME=VALUE judges again without lifting."
)
SHOWN_TEXT = (
    "The video, the 2D motion, and the label, seen from where the camera was (the yaw that fits best) and from the "
    "side. The first three should agree; the last shows what the teacher made of the depth."
)
