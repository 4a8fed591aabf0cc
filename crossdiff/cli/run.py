"""`crossdiff run`: from videos to motions in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import (
    MOST_SEED,
    Backend,
    EngineName,
    GpusPerActor,
    PoseSet,
    RayAddress,
    Workers,
    pick_checkpoint,
    summary,
    took,
)


@app.command(no_args_is_help=True)
def run(
    videos: Annotated[Path, typer.Argument(help="Video file, or folder that is searched for videos.")],
    prompts: Annotated[
        list[str] | None, typer.Argument(help="What to sample at the end; else captions of the run.")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Stage-I model; without it the shipped one.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; one that exists is gone on with.")] = None,
    data: Annotated[Path | None, typer.Option(help="3D dataset to mix into fine-tuning.")] = None,
    captions: Annotated[Path | None, typer.Option(help="CSV file with the columns video,caption.")] = None,
    backend: Backend = "mediapipe",
    pose_set: PoseSet = None,
    engine: EngineName = "local",
    workers: Workers = None,
    num_gpus_per_actor: GpusPerActor = 0,
    ray_address: RayAddress = None,
    mixture: Annotated[bool, typer.Option("--mixture/--standard", help="How to sample.")] = True,
    frames: Annotated[int, typer.Option(help="Length of each sampled motion, at 20 frames a second.")] = 120,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of fine-tuning and sampling.")] = 0,
    device: Annotated[
        str, typer.Option(help="Of lifting and sampling: cpu, cuda, cuda:1 ...; auto: the GPU where there is one.")
    ] = "auto",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Fine-tuning setting, such as steps=500.")] = None,
) -> None:
    """Extract, filter, build, pseudo-label, fine-tune and sample; run again, it does only what is missing.

    Example: crossdiff run UCF101/ --out runs/ucf "a person does pull-ups" "a person rides a bike"
    """
    from crossdiff.annotations.captions import read_caption_csv
    from crossdiff.cli.chain import ChainConfig, check_request, run_chain
    from crossdiff.config import load_config
    from crossdiff.data.mocap import MocapDataset
    from crossdiff.device import pick_device
    from crossdiff.diffusion.config import SamplingConfig
    from crossdiff.errors import ConfigError
    from crossdiff.pipeline.backends import create_backend
    from crossdiff.pipeline.engines import create_engine
    from crossdiff.pipeline.inputs import find_videos
    from crossdiff.pipeline.run import Run
    from crossdiff.training.config import FinetuneConfig

    # What can be wrong with the command is said before a run folder is made for nothing.
    find_videos([videos])
    if captions is not None:
        read_caption_csv(captions)
    tuning = load_config(FinetuneConfig, "finetune", [f"seed={seed}", *(set_ or [])])
    if tuning.devices * tuning.num_nodes > 1:
        # The other processes would run this very command, videos and all.
        raise ConfigError("run: fine-tunes on one device; stop before it, and use crossdiff finetune --devices")
    cfg = ChainConfig(
        backend=backend,
        pose_settings=tuple(pose_set or ()),
        engine=create_engine(engine, workers, gpus_per_actor=num_gpus_per_actor, address=ray_address),
        captions=captions,
        # Nothing asked for: what the run was fine-tuned with before, so that no model is trained anew for nothing.
        finetune=tuning if seed or set_ else None,
        sampling=SamplingConfig(mixture=mixture),
        frames=frames,
        seed=seed,
        device=pick_device(device),
    )
    if data is not None:
        MocapDataset(data)
    teacher = pick_checkpoint(checkpoint)
    wanted = check_request(prompts or [], frames, teacher)
    create_backend(cfg.backend, cfg.pose_settings)
    opened = Run.create(out)
    if out is None:
        took("run", opened.root, "a new run; name it with --out")
    result = run_chain([videos], opened, teacher, wanted, cfg, lambda stage, what: summary(f"{stage}: {what}"), data)
    result.raise_failures()
