"""`crossdiff evaluate-lift`: accuracy of lifted motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    Device,
    EvaluatedModel,
    ModelName,
    ResultFolder,
    Workers,
    config_file,
    setting,
)
from crossdiff.cli.printing import print_default, print_stage, print_summary


def evaluate_lift(
    checkpoint: EvaluatedModel = None,
    data: Dataset = DEFAULT_DATASET,
    film: Annotated[
        Path | None,
        typer.Option("--film", help="Folder of videos with measured 3D (docs/evaluation.md), instead of --data."),
    ] = None,
    out: ResultFolder = None,
    name: ModelName = None,
    config: Annotated[str | None, config_file("evaluate-lift.yaml; with --film, evaluate-film.yaml")] = None,
    workers: Workers = None,
    device: Device = "auto",
    set_: Annotated[list[str] | None, setting("clips=20 or noise.strength=2; with --film filter.min_frames=20")] = None,
) -> None:
    """Lift held-out motion with known 3D joints: errors beside baselines, by view and by detector noise.

    --film labels videos whose motion was measured in 3D, and compares the labels with it, beside the detector's own 3D.
    --workers is for reading them.

    Example: crossdiff evaluate-lift trained/stage1 --data dataset --out evaluations/lift
    """
    from crossdiff.device import pick_device
    from crossdiff.workflows.defaults import model_name, resolve_checkpoint, resolve_out

    where = pick_device(device)
    model = resolve_checkpoint(checkpoint, on_default=print_default)
    name = name or model_name(checkpoint, model)
    kind = "lift" if film is None else "film"
    folder = resolve_out(out, Path("evaluations") / f"{name}-{kind}", print_default)
    if film is None:
        _by_data(model, data, folder, name, config, where, set_)
    else:
        _by_film(model, film, folder, name, config, where, set_, workers)


def _by_data(
    model: Path, data: Path, folder: Path, name: str, config: str | None, device: str, set_: list[str] | None
) -> None:
    from crossdiff.config import load_config
    from crossdiff.studies.lift.accuracy import study_lifting
    from crossdiff.studies.lift.config import LiftStudyConfig
    from crossdiff.studies.lift.report import markdown, write_lift_report

    cfg = load_config(LiftStudyConfig, config or "evaluate-lift.yaml", set_)
    result, examples = study_lifting(cfg, model, data, device, name)
    write_lift_report(result, examples, folder)
    typer.echo(markdown(result))
    pictures = "accuracy.png" + (", examples.png and .mp4" if examples else "")
    print_summary(f"{folder}: result.json, report.md, report.html, {pictures}; {result.dataset.clips} clips")


def _by_film(
    model: Path,
    film: Path,
    folder: Path,
    name: str,
    config: str | None,
    device: str,
    set_: list[str] | None,
    workers: int | None,
) -> None:
    from crossdiff.config import load_config
    from crossdiff.errors import PartialFailure
    from crossdiff.pipeline.engines import create_engine
    from crossdiff.studies.film.config import FilmStudyConfig
    from crossdiff.studies.film.report import markdown, write_film_report
    from crossdiff.studies.film.study import study_film
    from crossdiff.wording import counted

    cfg = load_config(FilmStudyConfig, config or "evaluate-film.yaml", set_)
    engine = create_engine("local", workers)
    result = study_film(cfg, model, film, folder / "run", device, name, engine, on_stage=print_stage)
    write_film_report(result, folder)
    typer.echo(markdown(result))
    videos = counted(result.film.videos, "video")
    print_summary(f"{folder}: result.json, report.md, report.html and the run run/; {videos}")
    if result.failures:
        raise PartialFailure("\n".join(result.failures))
