"""`crossdiff run`: from videos to motions in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import (
    MAX_SEED,
    Backend,
    Captions,
    Device,
    EngineName,
    GpusPerActor,
    MixedDataset,
    PoseSet,
    RayAddress,
    RunOfInputs,
    Teacher,
    TrueRate,
    WholeOnly,
    Workers,
    setting,
)
from crossdiff.cli.printing import print_default, print_stage


@help_alone
def run(
    videos: Annotated[Path, typer.Argument(help="Video file, or folder that is searched for videos.")],
    prompts: Annotated[
        list[str] | None, typer.Argument(help="What to sample at the end; default: captions of the run.")
    ] = None,
    checkpoint: Teacher = None,
    out: RunOfInputs = None,
    data: MixedDataset = None,
    captions: Captions = None,
    fps: TrueRate = None,
    whole_only: WholeOnly = False,
    backend: Backend = "mediapipe",
    pose_set: PoseSet = None,
    engine: EngineName = "local",
    workers: Workers = None,
    num_gpus_per_actor: GpusPerActor = 0,
    ray_address: RayAddress = None,
    mixture: Annotated[bool, typer.Option("--mixture/--standard", help="How to sample.")] = True,
    frames: Annotated[int, typer.Option(help="Length of each sampled motion, at 20 frames a second.")] = 120,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of fine-tuning and sampling.")] = 0,
    device: Device = "auto",
    set_: Annotated[list[str] | None, setting("steps=500, of fine-tuning")] = None,
) -> None:
    """Extract, filter, build, pseudo-label, fine-tune and sample; run again, it does only what is missing.

    --device is for lifting and sampling; fine-tuning uses the GPU if there is one.

    Example: crossdiff run UCF101/ --out runs/ucf "a person does pull-ups" "a person rides a bike"
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.diffusion.config import SamplingConfig
    from crossdiff.pipeline.engines import create_engine
    from crossdiff.training.config import FinetuneConfig
    from crossdiff.workflows.chain import ChainConfig, run_videos

    tuning = load_config(FinetuneConfig, "finetune", [f"seed={seed}", *(set_ or [])])
    cfg = ChainConfig(
        backend=backend,
        pose_settings=tuple(pose_set or ()),
        engine=create_engine(engine, workers, gpus_per_actor=num_gpus_per_actor, address=ray_address),
        workers=workers if engine == "local" else None,
        captions=captions,
        fps=fps,
        whole_only=whole_only,
        # Without changes the run keeps what it was fine-tuned with before, so that no model is trained again.
        finetune=tuning if seed or set_ else None,
        sampling=SamplingConfig(mixture=mixture),
        frames=frames,
        seed=seed,
        device=pick_device(device),
    )
    run_videos([videos], prompts or [], cfg, checkpoint, out, data, print_stage, print_default).raise_failures()
