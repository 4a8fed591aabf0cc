"""A trained model in Python: prompts in, motions out."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from crossdiff.checkpoint import find_checkpoint, load_model, shipped_model
from crossdiff.config import make_config
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.sampling import StepCallback, sample
from crossdiff.errors import CheckpointError, InputError
from crossdiff.hub import looks_like_repository
from crossdiff.models import CrossDiffModel
from crossdiff.text import check_prompts, embed, load_text_encoder, stack_text
from crossdiff.types import Motion3D

_DEFAULT = SamplingConfig()
_DEFAULT_FRAMES = 120
_SEED_END = 2**63 - 1


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
    ) -> CrossDiffPipeline:
        """Load a checkpoint folder, a shipped model by name, or `USER/MODEL` of the Hugging Face hub.

        The default is the shipped model for text.

        compile: see `compile_network`; it does not speed up the small shipped model on a CPU.
        """
        if checkpoint is None:
            folder = shipped_model("text")
        elif looks_like_repository(checkpoint):
            folder = find_checkpoint(f"hf://{checkpoint}")
        else:
            folder = find_checkpoint(checkpoint)
        model = load_model(folder, device)
        if compile:
            compile_network(model)
        return cls(model, folder)

    def __call__(
        self,
        prompts: str | Sequence[str],
        num_frames: int | Sequence[int] | None = None,
        *,
        guidance_scale: float = _DEFAULT.guidance_scale,
        num_inference_steps: int = _DEFAULT.steps,
        solver: str = _DEFAULT.solver,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        seed: int | Sequence[int] | None = None,
        mixture: bool = _DEFAULT.mixture,
        switch_step: int = _DEFAULT.switch_step,
        on_step: StepCallback | None = None,
        edit: Edit | None = None,
    ) -> list[Motion3D]:
        """One motion per prompt: joints (num_frames, J, 3), metres, Y up, first root over the origin facing +Z.

        num_frames: one for all or one per prompt; default: the edited motion's, or 120. guidance_scale: scale of
        classifier-free guidance; 1 switches it off. solver: "dpm++", "ddim" or "ddpm". mixture: denoise in 2D above
        timestep `switch_step` (alpha) and in 3D below. on_step: called with the number of steps done and their total.
        edit: a motion of which a part is kept in all motions of the call. Defaults are those of `SamplingConfig`.

        seed: one for all (prompt i then takes seed + i), or one per prompt; default: 0. generator: instead of seeds,
        one from which the prompts' seeds are drawn in order, or one per prompt. A motion depends on its prompt,
        length, seed and settings, not on the other prompts of the call.
        """
        options = make_config(
            SamplingConfig,
            "sampling",
            InputError,
            steps=num_inference_steps,
            guidance_scale=guidance_scale,
            solver=solver,
            mixture=bool(mixture),
            switch_step=switch_step,
        )
        texts = check_prompts([prompts] if isinstance(prompts, str) else prompts, self.encoder)
        if not texts:
            raise InputError("prompts: expected at least one, got none")
        if num_frames is None:
            num_frames = _DEFAULT_FRAMES if edit is None else edit.num_frames
        lengths = _per_prompt(num_frames, len(texts), "num_frames")
        seeds = _seeds(seed, generator, len(texts))
        sequence = self.model.config.text == "sequence"
        text = stack_text(embed(self.encoder, texts, sequence), sequence)
        features = sample(self.model, text, lengths, options, seeds, on_step, edit)
        joints = self.model.to_joints(features).cpu().numpy()
        fps = self.model.skeleton.fps
        return [Motion3D(j[:n], fps, self.model.skeleton) for j, n in zip(joints, lengths, strict=True)]


def compile_network(model: CrossDiffModel, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch compile the network, in place and for all lengths, when it is first used.

    Compilation takes a minute or more, for each direction (2D -> 2D, 2D -> 3D, 3D -> 3D) with and without padding.
    """
    for domain in model.config.domain_names:
        for part in ("root", "pose"):
            getattr(model.config.layout(domain), part)  # computed once, under a lock, which torch cannot compile
    torch.backends.mha.set_fastpath_enabled(False)  # torch 2.11 cannot compile it, and a compiled layer needs none
    model.network.compile(dynamic=True, backend=backend)


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
