"""`crossdiff extract-2d`: videos to keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import (
    Backend,
    Captions,
    EngineName,
    GpusPerActor,
    PoseSet,
    RayAddress,
    RunOfInputs,
    TimeLimit,
    TrueRate,
    WholeOnly,
    Workers,
    config_file,
    setting,
)
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def extract_2d(
    videos: Annotated[list[Path], typer.Argument(help="Video files, and folders that are searched for them.")],
    out: RunOfInputs = None,
    backend: Backend = "mediapipe",
    pose_set: PoseSet = None,
    captions: Captions = None,
    list_: Annotated[
        list[Path] | None, typer.Option("--list", help="UCF101 list; only its videos are used; repeatable.")
    ] = None,
    per_label: Annotated[
        int | None, typer.Option(min=1, help="Largest number of videos per label, spread evenly over UCF101's groups.")
    ] = None,
    fps: TrueRate = None,
    whole_only: WholeOnly = False,
    config: Annotated[str | None, config_file("people")] = None,
    set_: Annotated[list[str] | None, setting("tracking.max_gap=1")] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed and quarantined videos again.")
    ] = False,
    engine: EngineName = "local",
    workers: Workers = None,
    time_limit: TimeLimit = 60,
    attempts: Annotated[int, typer.Option(min=1, help="Crashes or hangs after which a video is quarantined.")] = 2,
    num_gpus_per_actor: GpusPerActor = 0,
    ray_address: RayAddress = None,
) -> None:
    """Find people in videos and track their keypoints, the first step of a run.

    Exits with 3 if some videos failed and with 1 if all did; the run's ledger has the reason for each.
    A video that crashes or hangs the process that reads it does not affect the others.
    The same command, typed again, resumes the run of these inputs and settings.

    Example: crossdiff extract-2d UCF101/ --list trainlist01.txt --per-label 50 --workers 2 --out runs/ucf
    """
    from crossdiff.config import load_config
    from crossdiff.pipeline import extract
    from crossdiff.pipeline.engines import create_engine
    from crossdiff.pipeline.inputs import Selection
    from crossdiff.pipeline.tracks.people import PeopleConfig
    from crossdiff.workflows.chain import check_extraction
    from crossdiff.workflows.defaults import run_of_inputs

    selection = Selection.of(videos, list_ or [], per_label)
    settings = pose_set or []
    identity = check_extraction(captions, backend, settings)
    cfg = load_config(PeopleConfig, config, set_)
    worker_engine = create_engine(engine, workers, time_limit, num_gpus_per_actor, ray_address)
    run = run_of_inputs(selection, out, identity, cfg, print_default)
    result = extract.extract_2d(
        selection,
        run,
        backend,
        captions,
        retry_failed,
        cfg,
        settings=settings,
        engine=worker_engine,
        attempts=attempts,
        fps=fps,
        whole_only=whole_only,
    )
    print_summary(f"{result}; keypoints in {run.keypoints}")
    result.raise_failures()
