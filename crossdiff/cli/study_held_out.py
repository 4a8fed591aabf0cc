"""`crossdiff study held-out`: actions without 3D training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    EvaluatorFolder,
    SamplingDevices,
    config_file,
    setting,
    study_folder,
)
from crossdiff.cli.printing import print_summary


def held_out(
    data: Dataset = DEFAULT_DATASET,
    config: Annotated[str, config_file("held-out-small.yaml")] = "held-out-small",
    evaluators: EvaluatorFolder = None,
    out: Annotated[Path, study_folder("models, runs, results and tables")] = Path("held-out"),
    device: SamplingDevices = "auto",
    set_: Annotated[list[str] | None, setting("finetune.steps=100")] = None,
) -> None:
    """Actions without 3D training data, learnt from noisy 2D: the model before and after, and one with all 3D motion.

    Example: crossdiff study held-out --data dataset --out held-out
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.held_out.study import HeldOutStudy, run_held_out
    from crossdiff.workflows.evaluators import EVALUATORS

    study = load_config(HeldOutStudy, config, set_)
    print_summary(run_held_out(study, data, evaluators or data / EVALUATORS, out, pick_devices(device)))
