"""Text to motion as one request: prompts from sentences, a file or a run, sampled into a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from crossdiff.checkpoint import Task, load_model, model_config
from crossdiff.config import load_config
from crossdiff.device import pick_device
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.parts import PartText
from crossdiff.errors import InputError
from crossdiff.novelty import warn_of_far_prompts
from crossdiff.pipeline.run import Run
from crossdiff.workflows.callbacks import DefaultCallback, silent
from crossdiff.workflows.controls import TEXT_ALONE, SampleControls
from crossdiff.workflows.defaults import find_run, resolve_checkpoint, resolve_out
from crossdiff.workflows.samples import SampleSummary, run_captions, sample_row_to_folder, sample_to_folder
from crossdiff.workflows.sweep import PromptSet, PromptSweepSummary, sample_sweep

_FRAMES = 120


@dataclass(frozen=True)
class SamplingRequest:
    """Prompts, settings, model and output folder. None: the default, which is reported."""

    prompts: tuple[str, ...] = ()
    """Sentences; without any, those of `prompt_set`, else captions of the run."""
    prompt_set: PromptSet | None = None
    """Prompts, and the switch steps of a sweep."""
    sweep: bool = False
    """Sample each prompt of `prompt_set` the standard way and by mixture at each of its switch steps."""
    in_a_row: bool = False
    """Make one motion of all prompts, which may have settings after them: `a person walks | 4` (see `PartText`)."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Solver, steps, guidance and mixture."""
    frames: int | None = None
    """Length of each motion; None: that of `seconds`, else the edited motion's, the time that the path takes, or 120.
    In a row: length of parts without their own."""
    seconds: float | None = None
    """Length of each motion, at the model's frame rate, instead of `frames`."""
    repeats: int = 1
    """Motions of each prompt. All prompts are sampled once before any is a second time."""
    seed: int = 0
    """Motion i takes `seed` + i."""
    controls: SampleControls = TEXT_ALONE
    """A motion to edit, a path, goals, and whether feet are planted."""
    run: Path | None = None
    """Run whose model and captions to use; None: the latest, if there is one."""
    checkpoint: str | None = None
    """Model; None: the run's fine-tuned model, else the shipped one."""
    out: Path | None = None
    """Folder for the motions; None: RUN/samples, else samples."""
    device: str = "auto"
    """Device of torch; auto: the GPU if there is one."""
    video: bool = True
    """Also draw each motion as an .mp4."""

    def __post_init__(self) -> None:
        if self.prompt_set is not None and self.prompts:
            raise InputError("prompts: expected sentences or --prompts FILE, got both; leave one out")
        if self.seconds is not None and self.frames is not None:
            raise InputError("length: expected --frames or --seconds, got both; leave one out")
        if self.repeats < 1:
            raise InputError(f"repeats: expected 1 or more, got {self.repeats}")
        changed = self.sampling.mixture or self.sampling.switch_step != 1
        if self.sweep and (self.prompt_set is None or self.controls.lead or self.in_a_row or changed):
            raise InputError(
                "--sweep: needs --prompts FILE, which says which switch steps, and no --mixture, --edit, --path, "
                "--waypoints, --goal or --in-a-row"
            )
        if self.controls.lead and self.sampling.mixture:
            raise InputError(
                "--mixture: expected standard sampling with --edit, --path, --waypoints and --goal, as 2D steps cannot "
                "keep 3D values; leave it out"
            )
        if changed and not self.sampling.mixture:
            step = self.sampling.switch_step
            raise InputError(f"--switch-step {step}: belongs to mixture sampling; add --mixture, or leave it out")


def sample_text(request: SamplingRequest, on_default: DefaultCallback = silent) -> SampleSummary | PromptSweepSummary:
    """Sample the requested motions: .npy of joints (frames, 22, 3), metres, Y up, and an .mp4 of each.

    Nothing is sampled again where the folder already holds these very motions.
    """
    controls = request.controls
    run = find_run(request.run, on_default)
    prompts = _prompts(request, run, on_default)
    parts = [PartText.parse(prompt) for prompt in prompts] if request.in_a_row else []
    out = resolve_out(request.out, Path("samples") if run is None else run.root / "samples", on_default)
    device = pick_device(request.device)
    task: Task = "lift" if request.sampling.mixture or request.sweep else "text"
    model = resolve_checkpoint(request.checkpoint, run, task, on_default, request.sampling.given_steps)
    cfg = request.sampling.for_model(model_config(model))
    # Loaded only where seconds are given.
    fps = load_model(model).skeleton.fps if request.seconds is not None or any(p.seconds for p in parts) else 0.0
    frames = _frames(request) if request.seconds is None else round(request.seconds * fps)
    row = [part.part(fps, _FRAMES if frames is None else frames) for part in parts]
    lasting = "as long as the path takes" if frames is None else f"{frames} frames"
    if row:
        lasting = f"{len(row)} parts, {sum(part.frames for part in row)} frames"
    settings = f"{lasting}, seed {request.seed}, {cfg.steps} steps of {cfg.solver}, guidance {cfg.guidance_scale}"
    on_default("settings", settings, "see --help")
    warn_of_far_prompts(model, [part.prompt for part in row] or prompts)
    if row:
        return sample_row_to_folder(
            row, request.repeats, request.seed, cfg, model, out, request.video, device, controls
        )
    prompts = prompts * request.repeats
    if request.sweep and request.prompt_set is not None and frames is not None:
        steps = request.prompt_set.switch_steps
        return sample_sweep(prompts, steps, frames, request.seed, cfg, model, out, request.video, device, controls)
    return sample_to_folder(prompts, frames, request.seed, cfg, model, out, request.video, device, controls)


def _frames(request: SamplingRequest) -> int | None:
    """Length of each motion or part without `seconds`; None: the path says."""
    controls = request.controls
    if request.frames is not None:
        return request.frames
    if controls.edit is not None:
        return controls.edit.num_frames
    return None if controls.path is not None and not request.in_a_row else _FRAMES


def read_prompts(path_or_name: str) -> PromptSet:
    """Prompts from a text file (.txt), one in each line that is not empty, or from YAML (see `load_config`).

    InputError if the text file cannot be read or holds none.
    """
    path = Path(path_or_name)
    if path.suffix.lower() != ".txt":
        return load_config(PromptSet, path_or_name)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({type(error).__name__}); save it as one") from None
    prompts = tuple(filter(None, (line.strip() for line in lines)))
    if not prompts:
        raise InputError(f"{path}: holds no prompt; write one in each line")
    return PromptSet(prompts=prompts)


def _prompts(request: SamplingRequest, run: Run | None, on_default: DefaultCallback) -> list[str]:
    """The sentences of the request, else those of its prompt set, else captions of the run."""
    if request.prompts:
        return list(request.prompts)
    if request.prompt_set is not None:
        return list(request.prompt_set.prompts)
    captions = run_captions(run) if run is not None else []
    if not captions:
        raise InputError('no prompt, and no run with captions to take one from; try: crossdiff sample "a person walks"')
    on_default("prompts", "; ".join(captions), "captions of the run")
    return captions
