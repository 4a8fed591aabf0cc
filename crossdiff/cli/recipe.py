"""`crossdiff recipe`: from motion files to models that are worth sharing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary


@app.command()
def recipe(
    name: Annotated[str, typer.Argument(help="pretrained (the shipped models), paper (full size), or a YAML file.")],
    source: Annotated[
        Path | None, typer.Option(help="Motion to prepare: HumanML3D or KIT folder, or arrays of joints.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Instead: a dataset of `crossdiff prepare`, as BVH and AMASS need one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything; gone on with.")] = Path("recipe"),
    device: Annotated[
        str, typer.Option(help="Where motion is sampled: cpu, cuda ...; several with commas, a process each; or auto.")
    ] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as evaluation.sampling.steps=20; repeatable.")
    ] = None,
) -> None:
    """Prepare, train evaluators and models, evaluate, export in float16. Stopped at any time, it goes on.

    Example: crossdiff recipe pretrained --source motions --out recipe
    """
    from crossdiff.config import load_config, shipped_configs
    from crossdiff.device import pick_devices
    from crossdiff.studies.recipe import Recipe, run_recipe

    shipped = f"recipes/{name}.yaml"
    chosen = load_config(Recipe, shipped if shipped in shipped_configs() else name, set_)
    devices = pick_devices(device)
    summary(str(run_recipe(chosen, source, out, devices, lambda step, what: summary(f"{step}: {what}"), data)))
