"""How much a fine-tuned model still moves as the model before it did, for captions that both know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import ValidationError

from crossdiff.checkpoint import weights_hash
from crossdiff.config import Config
from crossdiff.device import pick_device
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import InputError
from crossdiff.files import read_json, write_json
from crossdiff.learnt import learnt_captions
from crossdiff.training.replay import draw_learnt
from crossdiff.wording import counted

_PROMPTS, _FRAMES = 16, 80


class Retention(Config):
    """Ratios of sampled motions after to before, of the same prompts and seeds."""

    prompts: int
    """Number of prompts."""
    travel: float
    """Mean speed of the root over the floor."""
    gesture: float
    """Mean speed of wrists and ankles, relative to the root."""
    weights: tuple[str, str]
    """Hashes of the weights before and after."""

    def __str__(self) -> str:
        return (
            f"{counted(self.prompts, 'known prompt')}: {self.travel:.2f} of their speed over the floor, "
            f"{self.gesture:.2f} of their limbs' movement"
        )


def measure_retention(before: Path, after: Path, record: Path, device: str = "auto") -> Retention | None:
    """Sample prompts that the checkpoint `before` learnt by both models; None if it lists none.

    record: file that keeps the outcome, so that it is measured once for the same weights.
    """
    known = learnt_captions(before)
    if not known:
        return None
    weights = (weights_hash(before), weights_hash(after))
    if (earlier := _recorded(record)) is not None and earlier.weights == weights:
        return earlier
    prompts = draw_learnt(known, _PROMPTS, seed=0)
    old, new = (_speeds(folder, prompts, device) for folder in (before, after))
    travel, gesture = (float(after / max(before, 1e-6)) for before, after in zip(old, new, strict=True))
    found = Retention(prompts=len(prompts), travel=round(travel, 4), gesture=round(gesture, 4), weights=weights)
    write_json(record, found.model_dump())
    return found


def _recorded(record: Path) -> Retention | None:
    """What was measured before; None if it is not there or damaged."""
    try:
        return Retention.model_validate(read_json(record))
    except (InputError, ValidationError):
        return None


def _speeds(checkpoint: Path, prompts: Sequence[str], device: str) -> tuple[float, float]:
    """Mean speed of the root over the floor, and of wrists and ankles relative to it, in units per second."""
    pipe = CrossDiffPipeline.from_pretrained(checkpoint, pick_device(device))
    skeleton = pipe.model.skeleton
    ends = [skeleton.joint_names.index(f"{side}_{joint}") for side in "lr" for joint in ("wrist", "ankle")]
    motions = pipe(prompts, min(_FRAMES, pipe.model.config.max_frames), seed=0)
    joints: Float[ndarray, "n f j 3"] = np.stack([motion.joints for motion in motions])
    steps = np.diff(joints, axis=1) * skeleton.fps
    root = steps[:, :, :1]
    across = np.linalg.norm(root[..., [0, 2]], axis=-1).mean()
    return float(across), float(np.linalg.norm(steps[:, :, ends] - root, axis=-1).mean())
