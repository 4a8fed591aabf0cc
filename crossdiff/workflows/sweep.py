"""A set of prompts from a file, and the same motion under several switch steps of mixture sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from crossdiff.config import Config
from crossdiff.data.motion_files import read_motion
from crossdiff.diffusion.config import SamplingConfig, Timestep
from crossdiff.progress import track
from crossdiff.workflows.controls import TEXT_ALONE, SampleControls
from crossdiff.workflows.samples import SampleSummary, sample_to_folder

_SIZE = 320


class PromptSet(Config):
    """Prompts that belong together."""

    prompts: tuple[str, ...] = Field(min_length=1)
    switch_steps: tuple[Timestep, ...] = Field((1,), min_length=1)
    """Values of mixture sampling's alpha for a sweep."""


@dataclass(frozen=True)
class PromptSweepSummary:
    """Motions of a sweep, in a folder for each way of sampling."""

    out: Path
    made: list[SampleSummary]

    def __str__(self) -> str:
        motions = sum(len(s.names) for s in self.made)
        return f"{motions} motions in {self.out}: standard and {len(self.made) - 1} switch steps of mixture sampling"


def sample_sweep(
    prompts: Sequence[str],
    switch_steps: Sequence[int],
    frames: int,
    seed: int,
    cfg: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
    controls: SampleControls = TEXT_ALONE,
) -> PromptSweepSummary:
    """Sample every prompt the standard way and by mixture at each switch step, into one folder each.

    video: also write one video per prompt, which shows its motions side by side.
    """
    runs = {"standard": cfg.model_copy(update={"mixture": False, "switch_step": 1})}
    runs |= {f"alpha_{a:03d}": cfg.model_copy(update={"mixture": True, "switch_step": a}) for a in switch_steps}
    summaries = {
        name: sample_to_folder(prompts, frames, seed, chosen, checkpoint, out / name, False, device, controls)
        for name, chosen in runs.items()
    }
    if video:
        from crossdiff.viewing.video import render_motion  # with OpenCV and PyAV

        for n, motion in enumerate(track(summaries["standard"].names, "draw")):
            motions = [read_motion(out / name / f"{s.names[n]}.npy") for name, s in summaries.items()]
            render_motion(motions, out / f"{motion}.mp4", [name.replace("_", " ") for name in summaries], _SIZE)
    return PromptSweepSummary(out, list(summaries.values()))
