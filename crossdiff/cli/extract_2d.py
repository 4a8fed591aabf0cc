"""`crossdiff extract-2d`: videos to keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import (
    Backend,
    Captions,
    EngineName,
    GpusPerActor,
    PoseSet,
    RayAddress,
    TimeLimit,
    Workers,
    summary,
    took,
)


@app.command("extract-2d", no_args_is_help=True)
def extract_2d(
    videos: Annotated[list[Path], typer.Argument(help="Video files, and folders that are searched for them.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; one that exists is gone on with.")] = None,
    backend: Backend = "mediapipe",
    pose_set: PoseSet = None,
    captions: Captions = None,
    list_: Annotated[
        list[Path] | None, typer.Option("--list", help="UCF101 list whose videos alone are taken; repeatable.")
    ] = None,
    per_label: Annotated[
        int | None, typer.Option(min=1, help="Take at most so many videos of each label, evenly over UCF101's groups.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file on tracks, or `people` for the shipped one.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of it, such as tracking.max_gap=1; repeatable.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try videos again that failed or are quarantined.")
    ] = False,
    engine: EngineName = "local",
    workers: Workers = None,
    time_limit: TimeLimit = 60,
    attempts: Annotated[int, typer.Option(min=1, help="Crashes or hangs after which a video is quarantined.")] = 2,
    num_gpus_per_actor: GpusPerActor = 0,
    ray_address: RayAddress = None,
) -> None:
    """Find people in videos and track their keypoints, the first step of a run.

    Exits with 3 when some videos failed and with 1 when all did; what became of each is in the run's ledger.
    A video that crashes or hangs the process that reads it costs itself alone.

    Example: crossdiff extract-2d UCF101/ --list trainlist01.txt --per-label 50 --workers 2 --out runs/ucf
    """
    from crossdiff.annotations.captions import read_caption_csv
    from crossdiff.config import load_config
    from crossdiff.pipeline import extract
    from crossdiff.pipeline.backends import create_backend
    from crossdiff.pipeline.engines import create_engine
    from crossdiff.pipeline.inputs import find_videos
    from crossdiff.pipeline.people import PeopleConfig
    from crossdiff.pipeline.run import Run

    # What can be wrong with the command is said before a run folder is made for nothing.
    find_videos(videos, list_ or [], per_label)
    if captions is not None:
        read_caption_csv(captions)
    settings = pose_set or []
    create_backend(backend, settings)
    cfg = load_config(PeopleConfig, config, set_)
    chosen = create_engine(engine, workers, time_limit, num_gpus_per_actor, ray_address)
    run = Run.create(out)
    if out is None:
        took("run", run.root, "a new run; name it with --out")
    result = extract.extract_2d(
        videos,
        run,
        backend,
        captions,
        retry_failed,
        cfg,
        settings=settings,
        engine=chosen,
        attempts=attempts,
        lists=list_ or [],
        per_label=per_label,
    )
    summary(f"{result}; keypoints in {run.keypoints}")
    result.raise_failures()
