"""The way to use a trained model from Python: prompts in, motions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from crossdiff.checkpoint import find_checkpoint, load_model, shipped_model
from crossdiff.diffusion.sampling import SamplingOptions, StepCallback, sample
from crossdiff.errors import CheckpointError, InputError
from crossdiff.models import CrossDiffModel
from crossdiff.text import check_prompts, load_text_encoder
from crossdiff.types import Motion3D


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
        cls, checkpoint: Path | str | None = None, device: str | torch.device = "cpu"
    ) -> CrossDiffPipeline:
        """A checkpoint folder, the name of a shipped model, or without either the default shipped model."""
        folder = shipped_model() if checkpoint is None else find_checkpoint(checkpoint)
        return cls(load_model(folder, device), folder)

    def __call__(
        self,
        prompts: str | Sequence[str],
        num_frames: int | Sequence[int] = 120,
        seed: int | Sequence[int] = 0,
        options: SamplingOptions | None = None,
        on_step: StepCallback | None = None,
    ) -> list[Motion3D]:
        """One motion per prompt: joints (num_frames, J, 3), metres, Y up, first root over the origin facing +Z.

        seed: one for all (prompt i then takes seed + i), or one per prompt; a motion depends on its prompt, length,
        seed and options, not on what it is sampled together with.
        """
        texts = check_prompts([prompts] if isinstance(prompts, str) else prompts, self.encoder)
        if not texts:
            raise InputError("prompts: expected at least one, got none")
        lengths = _per_prompt(num_frames, len(texts), "num_frames")
        seeds = [seed + i for i in range(len(texts))] if isinstance(seed, int) else list(seed)
        _per_prompt(seeds, len(texts), "seed")
        embeddings = self.encoder.encode(texts)
        features = sample(self.model, embeddings, lengths, options or SamplingOptions(), seeds, on_step)
        joints = self.model.to_joints(features).cpu().numpy()
        fps = self.model.skeleton.fps
        return [Motion3D(j[:n], fps, self.model.skeleton) for j, n in zip(joints, lengths, strict=True)]


def _per_prompt(value: int | Sequence[int], count: int, name: str) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count:
        raise InputError(f"{name}: expected one value, or one per prompt ({count}), got {len(values)}")
    return values
