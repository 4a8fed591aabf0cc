"""Motions that the models of a held-out study sample for a few prompts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.progress import track
from crossdiff.types import Motion3D
from crossdiff.viewing.stills import contact_sheet
from crossdiff.viewing.video import render_motion

_FRAMES, _SIZE = 100, 320


def draw_prompts(
    models: dict[str, Path], prompts: Sequence[str], sampling: SamplingConfig, seed: int, folder: Path, device: str
) -> list[tuple[Path, str]]:
    """A captioned video for each prompt, with a motion of each model from the same noise, and its contact sheet."""
    if not prompts:
        return []
    motions: dict[str, list[Motion3D]] = {}
    for name, checkpoint in models.items():
        pipeline = CrossDiffPipeline.from_pretrained(checkpoint, device)
        motions[name] = pipeline(
            list(prompts), min(_FRAMES, pipeline.model.config.max_frames), seed=seed, **sampling.keywords()
        )
    drawn = []
    for n, prompt in enumerate(track(prompts, "draw")):
        video = render_motion([m[n] for m in motions.values()], folder / f"{n:02d}.mp4", list(motions), _SIZE)
        contact_sheet(video, folder / f"{n:02d}.png", columns=1, count=4, width=3 * _SIZE)
        drawn.append((video, prompt))
    return drawn
