"""A trained model in Python: prompts in, motions out."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossdiff.checkpoint import few_step_model, find_checkpoint, load_model, shipped_model
from crossdiff.config import make_config
from crossdiff.device import has_fast_bf16
from crossdiff.diffusion.as_named import as_named
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.controls import PlaceControl
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.floor_path import FloorPath
from crossdiff.diffusion.goals import Goal
from crossdiff.diffusion.parts import PromptPart, retime
from crossdiff.diffusion.sampling import StepCallback, sample, sample_in_a_row
from crossdiff.errors import CheckpointError, InputError
from crossdiff.hub import looks_like_repository
from crossdiff.models import CrossDiffModel
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.representation.root_track import root_track
from crossdiff.text import check_prompts, embed, load_text_encoder, stack_text
from crossdiff.types import Motion3D

_DEFAULT = SamplingConfig()
_DEFAULT_FRAMES = 120
_SEED_END = 2**63 - 1
Precision = Literal["float32", "bf16", "auto"]


class CrossDiffPipeline:
    """A model with its text encoder.

    >>> pipe = CrossDiffPipeline.from_pretrained()  # the model that comes with the package
    >>> motion = pipe("a person walks forward", num_frames=120, seed=0)[0]
    >>> motion.joints.shape
    (120, 22, 3)
    """

    def __init__(self, model: CrossDiffModel, source: Path | None = None) -> None:
        self.model = model.eval()
        self.source = source
        model.check_statistics(source or "model", "3d")
        self.encoder = load_text_encoder(model.config.text_encoder)
        if model.config.text_dim != self.encoder.dim:
            raise CheckpointError(
                f"{source or 'model'}: reads text as {model.config.text_dim} values, the encoder "
                f"{model.config.text_encoder} gives {self.encoder.dim}; use the encoder it was trained with"
            )
        wanted = model.config.text_fingerprint
        if wanted and wanted != self.encoder.fingerprint:
            raise CheckpointError(
                f"{source or 'model'}: was trained with text encoder {model.config.text_encoder} of hash "
                f"{wanted[:12]}, got {self.encoder.fingerprint[:12]}; use the encoder it was trained with"
            )

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: Path | str | None = None,
        device: str | torch.device = "cpu",
        compile: bool = False,
        steps: int | None = None,
        precision: Precision = "float32",
    ) -> CrossDiffPipeline:
        """Load a checkpoint folder, a shipped model by name, or `USER/MODEL` of the Hugging Face hub.

        The default is the shipped model for text.

        steps: for a shipped model, the one that was distilled from it to this number of steps, if there is one.

        compile: see `compile_network`; it does not speed up the small shipped model on a CPU.

        precision: "bf16", see `use_bf16`; "auto": bf16 where the device has instructions for it. A motion then differs
        slightly from that of float32.
        """
        if checkpoint is None:
            folder = shipped_model("text", steps)
        elif looks_like_repository(checkpoint):
            folder = find_checkpoint(f"hf://{checkpoint}")
        else:
            folder = find_checkpoint(few_step_model(checkpoint, steps))
        if precision not in get_args(Precision):
            raise InputError(f"precision: expected float32, bf16 or auto, got {precision!r}")
        model = load_model(folder, device)
        if precision == "bf16" or (precision == "auto" and has_fast_bf16(model.device.type)):
            use_bf16(model)
        if compile:
            compile_network(model)
        return cls(model, folder)

    def __call__(
        self,
        prompts: str | Sequence[str],
        num_frames: int | Sequence[int] | None = None,
        *,
        guidance_scale: float = _DEFAULT.guidance_scale,
        num_inference_steps: int | None = None,
        solver: str = _DEFAULT.solver,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        seed: int | Sequence[int] | None = None,
        mixture: bool = _DEFAULT.mixture,
        switch_step: int | None = None,
        guidance_end: int | None = None,
        on_step: StepCallback | None = None,
        edit: Edit | None = None,
        path: FloorPath | None = None,
        goals: Sequence[Goal] = (),
        named: bool = True,
        steps: int | None = None,
    ) -> list[Motion3D]:
        """One motion per prompt: joints (num_frames, J, 3), metres, Y up, first root over the origin facing +Z.

        num_frames: one for all or one per prompt; default: the edited motion's, the time that the path takes (see
        `frames_along`), or 120. guidance_scale: scale of classifier-free guidance; 1 switches it off. guidance_end: the
        timestep below which 3D is not guided. solver: "dpm++", "ddim" or "ddpm". mixture: denoise in 2D above timestep
        `switch_step` (alpha) and in 3D below. on_step: called with the number of steps done and their total. edit: a
        motion of which a part is kept in all motions of the call. path: the pelvis follows it, in its axes instead of
        those above. goals: points that hands or feet reach.
        named: mirror a motion whose prompt names the other hand or leg, and keep steps in place where the prompt says
        so (`as_named`); not with edit, path or goals.
        steps: short for `num_inference_steps`. Other defaults are those of `SamplingConfig`; a distilled model has its
        own number of steps.

        Otherwise, the joints are as the network made them: `plant_feet` stops feet from sliding.

        seed: one for all (prompt i then takes seed + i), or one per prompt; default: 0. generator: instead of seeds,
        one from which the prompts' seeds are drawn in order, or one per prompt. A motion depends on its prompt,
        length, seed and settings, not on the other prompts of the call.
        """
        given = _given_steps(num_inference_steps, steps)
        options = _options(given, guidance_scale, solver, mixture, switch_step, guidance_end)
        options = options.for_model(self.model.config)
        texts = check_prompts([prompts] if isinstance(prompts, str) else prompts, self.encoder)
        if not texts:
            raise InputError("prompts: expected at least one, got none")
        seeds = _seeds(seed, generator, len(texts))
        if num_frames is None and path is not None:
            along = zip(texts, seeds, strict=True)
            num_frames = [self.frames_along(path, text, seed=s, options=options) for text, s in along]
        elif num_frames is None:
            num_frames = _DEFAULT_FRAMES if edit is None else edit.num_frames
        lengths = _per_prompt(num_frames, len(texts), "num_frames")
        control = self._control(lengths, path, edit, goals)
        features = sample(self.model, self._embedded(texts), lengths, options, seeds, on_step, edit, control)
        motions = self._motions(features, lengths, control)
        if not named or edit is not None or control is not None:
            return motions
        return [as_named(motion, text) for motion, text in zip(motions, texts, strict=True)]

    def sequence(
        self,
        parts: Sequence[PromptPart | tuple[str, int]],
        *,
        guidance_scale: float = _DEFAULT.guidance_scale,
        num_inference_steps: int | None = None,
        solver: str = _DEFAULT.solver,
        seed: int | Sequence[int] = 0,
        mixture: bool = _DEFAULT.mixture,
        switch_step: int | None = None,
        guidance_end: int | None = None,
        on_step: StepCallback | None = None,
        edit: Edit | None = None,
        path: FloorPath | None = None,
        goals: Sequence[Goal] = (),
        steps: int | None = None,
    ) -> list[Motion3D]:
        """One motion per seed that does one prompt after the other, of any length (see `sample_in_a_row`).

        parts: prompts with their lengths in frames. The other arguments are those of a call.

        >>> motion = pipe.sequence([("a person walks forward", 80), ("a person waves", 60)])[0]
        >>> motion.joints.shape
        (140, 22, 3)
        """
        given = _given_steps(num_inference_steps, steps)
        options = _options(given, guidance_scale, solver, mixture, switch_step, guidance_end)
        options = options.for_model(self.model.config)
        row = [part if isinstance(part, PromptPart) else PromptPart(*part) for part in parts]
        if not row:
            raise InputError("parts: expected at least one prompt with its frames, got none")
        texts = check_prompts([part.prompt for part in row], self.encoder)
        seeds = _seeds(seed, None, 1 if _whole(seed) is not None else len(list(seed)))  # type: ignore[arg-type]
        if any(part.rate != 1.0 for part in row) and (edit is not None or path is not None or goals):
            raise InputError(
                "rate: expected parts at rate 1 with an edit, a path or goals, whose times it would change"
            )
        frames = [part.sampled_frames for part in row]
        scales = [options.guidance_scale if p.guidance_scale is None else p.guidance_scale for p in row]
        lengths = [sum(frames)] * len(seeds)
        control = self._control(lengths, path, edit, goals)
        text = self._embedded(texts)
        features = sample_in_a_row(self.model, text, frames, scales, options, seeds, on_step, edit, control)
        motions = self._motions(features, lengths, control)
        return [replace(motion, joints=retime(motion.joints, row)) for motion in motions]

    def frames_along(self, path: FloorPath, prompt: str, *, seed: int = 0, options: SamplingConfig = _DEFAULT) -> int:
        """Frames that a path takes: by its times, else at the speed of a motion of the prompt without a path."""
        fps = self.model.skeleton.fps
        if path.seconds is not None:
            return round(path.seconds * fps) + 1
        frames = min(_DEFAULT_FRAMES, self.model.config.max_frames)
        features = sample(self.model, self._embedded([prompt]), [frames], options, [seed])
        track = root_track(self.model.denormalize("3d", features[0]), self.model.skeleton)
        return max(path.frames_at(track, fps), FEWEST_FRAMES)

    def _embedded(self, texts: Sequence[str]) -> Float[Tensor, "b ... e"]:
        sequence = self.model.config.text == "sequence"
        return stack_text(embed(self.encoder, texts, sequence), sequence)

    def _control(
        self, lengths: Sequence[int], path: FloorPath | None, edit: Edit | None, goals: Sequence[Goal]
    ) -> PlaceControl | None:
        """None if the root goes where the network leads it."""
        if path is None and not goals and (edit is None or not edit.has_gaps):
            return None
        return PlaceControl(self.model, lengths, path, edit, goals)

    def _motions(
        self, features: Float[Tensor, "b t d"], lengths: Sequence[int], control: PlaceControl | None
    ) -> list[Motion3D]:
        joints = self.model.to_joints(features).cpu().numpy()
        rows = [j[:n] for j, n in zip(joints, lengths, strict=True)]
        if control is not None:
            rows = control.finish(rows)
        return [Motion3D(j, self.model.skeleton.fps, self.model.skeleton) for j in rows]


def _options(
    steps: int | None,
    guidance_scale: float,
    solver: str,
    mixture: bool,
    switch_step: int | None,
    guidance_end: int | None,
) -> SamplingConfig:
    numbers = {"steps": steps, "switch_step": switch_step, "guidance_end": guidance_end}
    given = {name: number for name, number in numbers.items() if number is not None}
    return make_config(
        SamplingConfig,
        "sampling",
        InputError,
        guidance_scale=guidance_scale,
        solver=solver,
        mixture=bool(mixture),
        **given,
    )


def _given_steps(num_inference_steps: int | None, steps: int | None) -> int | None:
    if num_inference_steps is not None and steps is not None:
        raise InputError("steps: is short for num_inference_steps; give one of them, not both")
    return num_inference_steps if steps is None else steps


def compile_network(model: CrossDiffModel, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch compile the network, in place and for all lengths, when it is first used.

    Compilation takes a minute or more, for each direction (2D -> 2D, 2D -> 3D, 3D -> 3D) with and without padding.
    """
    for domain in model.config.domain_names:
        for part in ("root", "pose"):
            getattr(model.config.layout(domain), part)  # computed once, under a lock, which torch cannot compile
    torch.backends.mha.set_fastpath_enabled(False)  # torch 2.11 cannot compile it, and a compiled layer needs none
    model.network.compile(dynamic=True, backend=backend)


def use_bf16(model: CrossDiffModel) -> None:
    """Multiply matrices of the network in bf16, in place, with weights that are stored so; all else stays in float32.

    For sampling; the model can be neither trained nor saved afterwards. On a CPU without instructions for bf16, it is
    dozens of times slower.
    """
    for module in model.network.modules():
        for name, weight in module.named_parameters(recurse=False):
            if name == "in_proj_weight" or (name == "weight" and isinstance(module, nn.Linear)):
                weight.data = weight.data.bfloat16()
    forward = torch.autocast(model.device.type, torch.bfloat16)(model.network.forward)

    def in_bf16(*args: Any, **kwargs: Any) -> dict[Any, Tensor]:
        return {pair: x_start.float() for pair, x_start in forward(*args, **kwargs).items()}

    model.network.forward = in_bf16  # type: ignore[method-assign]


def _seeds(
    seed: int | Sequence[int] | None, generator: torch.Generator | Sequence[torch.Generator] | None, count: int
) -> list[int]:
    """One seed per prompt."""
    if generator is None:
        first = 0 if seed is None else seed
        seeds = _per_prompt(first, count, "seed")
        if _whole(first) is not None:
            seeds = [s + i for i, s in enumerate(seeds)]
        if bad := [s for s in seeds if not 0 <= s < _SEED_END]:
            raise InputError(f"seed: expected 0 to {_SEED_END - 1}, got {bad[0]}")
        return seeds
    if seed is not None:
        raise InputError("seed: expected either a seed or a generator, got both; leave one out")
    given = list(generator) if isinstance(generator, Sequence) else [generator] * count
    generators = [g for g in given if isinstance(g, torch.Generator)]
    if len(generators) != len(given):
        raise InputError(f"generator: expected torch.Generator, one or one per prompt, got {generator!r}")
    if len(generators) != count:
        raise InputError(f"generator: expected one, or one per prompt ({count}), got {len(generators)}")
    return [int(torch.randint(_SEED_END, (), generator=g, device=g.device)) for g in generators]


def _per_prompt(value: int | Sequence[int], count: int, name: str) -> list[int]:
    """The value as integers, one per prompt."""
    one = _whole(value)
    if one is not None:
        return [one] * count
    values = [_whole(v) for v in value] if isinstance(value, Iterable) else [None]
    whole = [v for v in values if v is not None]
    if len(whole) != len(values):
        raise InputError(f"{name}: expected integers, got {value!r}")
    if len(whole) != count:
        raise InputError(f"{name}: expected one value, or one per prompt ({count}), got {len(whole)}")
    return whole


def _whole(value: object) -> int | None:
    """The value as an int if it is an integer of Python, numpy or torch, else None."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
