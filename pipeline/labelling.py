"""From tracks to pseudo labels: the stages after extraction, chained in one place.

They belong to the pipeline, not to `crossdiff.workflows`, because studies, which lie below workflows, chain them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossdiff.pipeline.build import BuildConfig, BuildSummary, build_2d
from crossdiff.pipeline.filter import FilterConfig, FilterSummary, filter_clips
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, PseudoLabelSummary, pseudo_label
from crossdiff.pipeline.run import Run

LabellingSummary = FilterSummary | BuildSummary | PseudoLabelSummary


def label_stages(
    run: Run,
    teacher: Path,
    filter_cfg: FilterConfig | None = None,
    build_cfg: BuildConfig | None = None,
    label_cfg: PseudoLabelConfig | None = None,
    device: str = "cpu",
    workers: int | None = 1,
) -> Iterator[tuple[str, LabellingSummary]]:
    """Run filter, build-2d and pseudo-label in turn; yields the name and summary of each when it is done.

    A stage runs when the next pair is requested, so that a caller may stop in between. A configuration of None means
    the one that the run recorded, or the defaults. teacher: checkpoint of the model that lifts.
    workers: processes of the first two stages, see `map_clips`.
    """
    yield "filter", filter_clips(run, filter_cfg, workers)
    yield "build-2d", build_2d(run, build_cfg, workers)
    yield "pseudo-label", pseudo_label(run, teacher, label_cfg, device)
