"""Videos of motion sampled during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.models import CrossDiffModel
from crossdiff.types import Motion3D
from crossdiff.viewing.video import render_motion

_OPTIONS = SamplingConfig()
_MOST_FRAMES = 120
_SIZE = 240


def render_samples(
    model: CrossDiffModel, prompts: Sequence[str], text: Float[Tensor, "b *l e"], path: Path, seed: int
) -> Path:
    """Sample a motion of up to six seconds for each prompt, and render them side by side in one video."""
    frames = min(_MOST_FRAMES, model.config.max_frames)
    seeds = range(seed, seed + len(prompts))
    features = sample(model, text, [frames] * len(prompts), _OPTIONS, list(seeds))
    skeleton = model.skeleton
    motions = [Motion3D(joints, skeleton.fps, skeleton) for joints in model.to_joints(features).cpu().numpy()]
    return render_motion(motions, path, prompts, _SIZE)
