"""`crossdiff sample`: text to motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crossdiff.cli.options import MAX_SEED, Device
from crossdiff.cli.printing import print_default, print_summary
from crossdiff.diffusion.config import SamplingConfig

_DEFAULT = SamplingConfig()


def sample(
    prompts: Annotated[
        list[str] | None, typer.Argument(help="Sentences; default: captions of the run.", show_default=False)
    ] = None,
    prompt_set: Annotated[
        str | None,
        typer.Option("--prompts", help="Text file with a prompt in each line, or YAML: paper-prompts.yaml is shipped."),
    ] = None,
    in_a_row: Annotated[
        bool,
        typer.Option(
            "--in-a-row",
            help='One motion of all prompts, of any length; "a person walks | 4" lasts 4 seconds, and guidance=2 or '
            "rate=1.5 may follow after another bar.",
        ),
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Standard sampling, and mixture sampling at each switch step of --prompts.")
    ] = False,
    mixture: Annotated[
        bool, typer.Option("--mixture", help="Mixture sampling: denoise in 2D first, then in 3D.")
    ] = _DEFAULT.mixture,
    switch_step: Annotated[
        int | None,
        typer.Option(help="Mixture sampling: diffusion step alpha at which it switches to 3D; default: 1."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(help="Length of each motion, at 20 frames a second; default: the edited motion's, or 120."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Length of each motion in seconds, instead of --frames.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Motions of each prompt; those of the first round are those without it.")
    ] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same motion; motion i takes seed + i.")
    ] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Solver steps; default: 20, or those that the model was distilled for. With as many as a distilled "
            "sibling of a shipped model has, it is used instead."
        ),
    ] = None,
    guidance: Annotated[
        float, typer.Option(help="Classifier-free guidance scale; 1 switches it off.")
    ] = _DEFAULT.guidance_scale,
    guidance_end: Annotated[
        int | None, typer.Option(help="Diffusion step below which 3D is not guided; default: 800. 0: it always is.")
    ] = None,
    solver: Annotated[str, typer.Option(help="dpm++, ddim or ddpm.")] = _DEFAULT.solver,
    edit: Annotated[
        Path | None, typer.Option(help="Motion of which a part is kept: .npy of joints, 20 frames a second.")
    ] = None,
    keep_frames: Annotated[
        str | None, typer.Option(help="With --edit: frames to keep, such as 0:30,90:120; default: all.")
    ] = None,
    keep_joints: Annotated[
        str | None, typer.Option(help="With --edit: joints to keep: lower, upper, or names; default: all.")
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            help="Path that the pelvis follows: CSV with columns x, z in metres, and optionally time in seconds; "
            "without times, at the model's own pace."
        ),
    ] = None,
    waypoints: Annotated[
        str | None, typer.Option(help='Path as points X,Z in metres, such as "0,0 2,1 2,4"; Z is ahead, X to the left.')
    ] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            help="Point in metres that a wrist or ankle reaches at a time in seconds, such as "
            "r_wrist=-0.3,1.2,0.5@2.5; repeatable."
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Joints as the network made them; default: feet are planted, and sides are those of the prompt.",
        ),
    ] = False,
    device: Device = "auto",
    run: Annotated[
        Path | None, typer.Option(help="Run whose model and captions to use; default: the latest, if there is one.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Model; default: the run's fine-tuned one, else the shipped one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the motions; default: RUN/samples, or samples.")] = None,
    video: Annotated[bool, typer.Option("--video/--no-video", help="Also draw each motion as an .mp4.")] = True,
) -> None:
    """Make 3D motion from text: joints as .npy of shape (frames, 22, 3), in metres, Y up, and an .mp4 of each.

    Example: crossdiff sample "a person waves with both hands" --mixture --frames 120 --seed 0 --out waves

    Example: crossdiff sample --prompts prompts.txt --repeats 3 --seconds 4.5 --no-video

    Example: crossdiff sample --prompts paper-prompts --sweep --checkpoint trained/stage1 --out figure6

    Example: crossdiff sample "a person waves with both hands" --edit walk.npy --keep-joints lower --out waving_walk

    Example: crossdiff sample "a person walks forward | 4" "a person waves with both hands | 3" --in-a-row

    Example: crossdiff sample "a person walks forward" --waypoints "0,0 2,1 2,4"
    """
    from crossdiff.config import make_config
    from crossdiff.workflows.controls import read_controls
    from crossdiff.workflows.sampling import SamplingRequest, read_prompts, sample_text

    numbers = {"steps": steps, "switch_step": switch_step, "guidance_end": guidance_end}
    given: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
    request = SamplingRequest(
        prompts=tuple(prompts or ()),
        prompt_set=None if prompt_set is None else read_prompts(prompt_set),
        in_a_row=in_a_row,
        sweep=sweep,
        sampling=make_config(
            SamplingConfig, "sampling", guidance_scale=guidance, solver=solver, mixture=mixture, **given
        ),
        frames=frames,
        seconds=seconds,
        repeats=repeats,
        seed=seed,
        controls=read_controls(edit, keep_frames, keep_joints, path, waypoints, goal or (), raw),
        run=run,
        checkpoint=checkpoint,
        out=out,
        device=device,
        video=video,
    )
    print_summary(sample_text(request, print_default))
