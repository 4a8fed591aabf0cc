"""A set of prompts from a file, and the same motion under several switch steps of mixture sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from crossdiff.cli.steps import SampleSummary, sample_to_folder
from crossdiff.config import Config
from crossdiff.data.motion_files import read_motion
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.schedule import NUM_STEPS
from crossdiff.progress import track
from crossdiff.viewing.video import render_motion

_SIZE = 320


class PromptSet(Config):
    """Prompts that belong together. switch_steps: those of a sweep over mixture sampling's alpha."""

    prompts: tuple[str, ...] = Field(min_length=1)
    switch_steps: tuple[Annotated[int, Field(ge=0, lt=NUM_STEPS)], ...] = Field((1,), min_length=1)


@dataclass(frozen=True)
class SweepSummary:
    out: Path
    made: list[SampleSummary]

    def __str__(self) -> str:
        motions = sum(len(s.names) for s in self.made)
        return f"{motions} motions in {self.out}: standard and {len(self.made) - 1} switch steps of mixture sampling"


def sweep(
    prompts: Sequence[str],
    switch_steps: Sequence[int],
    frames: int,
    seed: int,
    options: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
) -> SweepSummary:
    """Sample every prompt the standard way and by mixture at each switch step, into folders of their own.

    With videos, one per prompt shows all its motions side by side.
    """
    runs = {"standard": replace(options, mixture=False, switch_step=1)}
    runs |= {f"alpha_{a:03d}": replace(options, mixture=True, switch_step=a) for a in switch_steps}
    made = {
        name: sample_to_folder(prompts, frames, seed, chosen, checkpoint, out / name, video=False, device=device)
        for name, chosen in runs.items()
    }
    if video:
        for n, motion in enumerate(track(made["standard"].names, "draw")):
            motions = [read_motion(out / name / f"{s.names[n]}.npy") for name, s in made.items()]
            render_motion(motions, out / f"{motion}.mp4", [name.replace("_", " ") for name in made], _SIZE)
    return SweepSummary(out, list(made.values()))
