"""`crossdiff sample`: text to motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import MOST_SEED, pick_checkpoint, summary, took


@app.command()
def sample(
    prompts: Annotated[list[str] | None, typer.Argument(help="Sentences; without any, captions of the run.")] = None,
    prompt_set: Annotated[
        str | None, typer.Option("--prompts", help="YAML file of prompts, or a shipped one: paper-prompts.yaml.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Standard sampling beside mixture at each switch step of --prompts.")
    ] = False,
    mixture: Annotated[
        bool, typer.Option("--mixture", help="Denoise in 2D first, then in 3D (mixture sampling).")
    ] = False,
    switch_step: Annotated[int, typer.Option(help="Diffusion step alpha at which mixture sampling goes to 3D.")] = 1,
    frames: Annotated[
        int | None,
        typer.Option(help="Length of each motion, at 20 frames a second; else the edited motion's, or 120."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Same seed, same motion; prompt i takes seed + i.")
    ] = 0,
    steps: Annotated[int, typer.Option(help="Solver steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale; 1 switches it off.")] = 1.25,
    solver: Annotated[str, typer.Option(help="dpm++, ddim or ddpm.")] = "ddim",
    edit: Annotated[
        Path | None, typer.Option(help="Motion (.npy as written here, 20 frames a second) of which a part is kept.")
    ] = None,
    keep_frames: Annotated[
        str | None, typer.Option(help="With --edit: frames to keep, such as 0:30,90:120; all without it.")
    ] = None,
    keep_joints: Annotated[
        str | None, typer.Option(help="With --edit: joints to keep: lower, upper, or names; all without it.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...; auto: the GPU where there is one.")] = "auto",
    run: Annotated[
        Path | None, typer.Option(help="Run whose model and captions to use; the latest if there is one.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Model; else the run's fine-tuned one, else the shipped one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the motions; else RUN/samples, or samples.")] = None,
    video: Annotated[bool, typer.Option("--video/--no-video", help="Also draw each motion as an .mp4.")] = True,
) -> None:
    """Make 3D motion from text: joints as .npy of shape (frames, 22, 3), in metres, Y up, and an .mp4 of each.

    Example: crossdiff sample "a person squats" --mixture --frames 120 --seed 0 --out squats

    Example: crossdiff sample --prompts paper-prompts --sweep --out figure6

    Example: crossdiff sample "a person waves" --edit walk.npy --keep-joints lower --out waving_walk
    """
    from crossdiff.cli.steps import EditFile, run_captions, sample_to_folder
    from crossdiff.cli.sweep import PromptSet
    from crossdiff.cli.sweep import sweep as sample_sweep
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.diffusion.config import SamplingConfig
    from crossdiff.errors import InputError
    from crossdiff.pipeline.run import Run

    if edit is None and (keep_frames or keep_joints):
        raise InputError("keep: expected a motion to keep a part of; name it with --edit MOTION.npy")
    edited = None if edit is None else EditFile(edit, keep_frames, keep_joints)
    if frames is None:
        frames = 120 if edited is None else edited.num_frames
    opened = Run.open(run) if run is not None else Run.latest()
    if run is None and opened is not None:
        took("run", opened.root, "the latest run")
    chosen_set = load_config(PromptSet, prompt_set) if prompt_set is not None else None
    if chosen_set is not None and prompts:
        raise InputError("prompts: expected sentences or --prompts FILE, got both; leave one out")
    if sweep and (chosen_set is None or edited is not None or mixture or switch_step != 1):
        raise InputError("--sweep: needs --prompts FILE, which says which switch steps, and no --mixture or --edit")
    if switch_step != 1 and not mixture:
        raise InputError(f"--switch-step {switch_step}: belongs to mixture sampling; add --mixture, or leave it out")
    if chosen_set is not None:
        prompts = list(chosen_set.prompts)
    if not prompts:
        prompts = run_captions(opened) if opened is not None else []
        if not prompts:
            raise InputError(
                'no prompt, and no run with captions to take one from; try: crossdiff sample "a person walks"'
            )
        took("prompts", "; ".join(prompts), "captions of the run")
    if out is None:
        out = Path("samples") if opened is None else opened.root / "samples"
        took("out", out, "name it with --out")
    options = SamplingConfig(
        steps=steps, guidance_scale=guidance, solver=solver, mixture=mixture, switch_step=switch_step
    )
    chosen = pick_device(device)
    model = pick_checkpoint(checkpoint, opened, "lift" if mixture or sweep else "text")
    took("settings", f"{frames} frames, seed {seed}, {steps} steps of {solver}, guidance {guidance}", "see --help")
    if sweep and chosen_set is not None:
        steps_of_set = chosen_set.switch_steps
        summary(str(sample_sweep(prompts, steps_of_set, frames, seed, options, model, out, video, chosen)))
        return
    summary(str(sample_to_folder(prompts, frames, seed, options, model, out, video, chosen, edited)))
