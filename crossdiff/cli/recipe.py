"""`crossdiff recipe`: from motion files to models that are worth sharing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import SamplingDevices, StartOver, setting, study_folder
from crossdiff.cli.printing import print_stage, print_summary


def recipe(
    name: Annotated[str, typer.Argument(help="pretrained (the shipped models), paper (full size), or a YAML file.")],
    source: Annotated[
        Path | None, typer.Option(help="Motion to prepare: HumanML3D or KIT folder, or arrays of joints.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A dataset of `crossdiff prepare` instead; BVH and AMASS files need to be prepared first."),
    ] = None,
    out: Annotated[Path, study_folder("everything")] = Path("recipe"),
    device: SamplingDevices = "auto",
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("evaluation.sampling.steps=20")] = None,
) -> None:
    """Prepare, train evaluators and models, evaluate, export in float16. A stopped run is resumed by the same command.

    Example: crossdiff recipe pretrained --source motions --out recipe
    """
    from crossdiff.config import load_config, shipped_configs
    from crossdiff.device import pick_devices
    from crossdiff.workflows.recipe import TrainingRecipe, run_recipe

    shipped = f"recipes/{name}.yaml"
    chosen = load_config(TrainingRecipe, shipped if shipped in shipped_configs() else name, set_)
    print_summary(run_recipe(chosen, source, out, pick_devices(device), print_stage, data, start_over))
