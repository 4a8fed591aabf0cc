"""`crossdiff pseudo-label`: 2D motion to pseudo-3D labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import open_run, pick_checkpoint, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdiff.cli.chain import PipelineSummary


@app.command("pseudo-label")
def pseudo_label(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Stage-I model (the teacher); without it the shipped one.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...; auto: the GPU where there is one.")] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting or limit, such as smooth_sigma=2 or min_quality=0.4.")
    ] = None,
) -> None:
    """Lift a run's 2D motion to 3D with a trained model; filters and builds first what is not yet.

    Every label is measured; with other limits on the measures (docs/pipeline.md) nothing is lifted again.
    Limits and settings of filter and build-2d are those that the run had before.

    Example: crossdiff pseudo-label runs/ucf --checkpoint trained/stage1
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.errors import PartialFailure
    from crossdiff.pipeline.build import build_2d
    from crossdiff.pipeline.filter import filter_clips
    from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
    from crossdiff.pipeline.pseudo_label import pseudo_label as lift_run

    cfg = load_config(PseudoLabelConfig, None, set_)
    opened = open_run(run)
    teacher = pick_checkpoint(checkpoint)

    def stages() -> Iterator[tuple[str, PipelineSummary]]:
        yield "filter", filter_clips(opened)
        yield "build-2d", build_2d(opened)
        yield "pseudo-label", lift_run(opened, teacher, cfg, pick_device(device))

    failures = []
    for stage, result in stages():
        summary(f"{stage}: {result}")
        try:
            result.raise_failures()
        except PartialFailure as error:
            failures.append(f"{stage}: {error}")
    if failures:
        raise PartialFailure("\n".join(failures))
