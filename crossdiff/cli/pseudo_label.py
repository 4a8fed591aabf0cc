"""`crossdiff pseudo-label`: 2D motion to pseudo-3D labels."""

from __future__ import annotations

from typing import Annotated

from crossdiff.cli.options import Device, RunFolder, Teacher, setting
from crossdiff.cli.printing import print_default, print_stage


def pseudo_label(
    run: RunFolder = None,
    checkpoint: Teacher = None,
    device: Device = "auto",
    set_: Annotated[list[str] | None, setting("smooth_sigma=2 or min_quality=0.4")] = None,
) -> None:
    """Lift a run's 2D motion to 3D with a trained model (the teacher); runs filter and build-2d first if needed.

    Every label is measured; with other limits on the measures (docs/pipeline.md) nothing is lifted again.
    filter and build-2d keep the settings that the run had before.

    Example: crossdiff pseudo-label runs/ucf --checkpoint trained/stage1
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
    from crossdiff.workflows.chain import label_run
    from crossdiff.workflows.defaults import open_run, resolve_checkpoint

    cfg = load_config(PseudoLabelConfig, None, set_)
    opened = open_run(run, print_default)
    label_run(opened, resolve_checkpoint(checkpoint, on_default=print_default), cfg, pick_device(device), print_stage)
