"""Effects of solvers on motion, compared with real motion: spread of normalised features, jerk, depth below the floor.

Then the error of x_start after one denoising step of real motion, by timestep, and after repeated denoising at the last
of 20 timesteps.

python benchmarks/solvers.py DATASET [--checkpoint stage2-small] [--clips 12]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crossdiff import CrossDiffPipeline
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.diffusion.schedule import add_noise
from crossdiff.evaluation.real import RealClips
from crossdiff.models.model import CrossDiffModel
from crossdiff.progress import track
from crossdiff.representation.physics import floor_penetration, jerk
from crossdiff.text import embed, stack_text

# (solver, steps, guidance)
RUNS = (
    ("ddim", 20, 1.25),
    ("ddim", 20, 1.0),
    ("ddim", 200, 1.0),
    ("ddpm", 20, 1.0),
    ("ddpm", 100, 1.0),
    ("ddpm", 100, 2.5),
)


def row(model: CrossDiffModel, features: list[Tensor]) -> str:
    """Of normalised features (T, D) of each motion."""
    joints = [model.to_joints(f).cpu().numpy() for f in features]
    spread = torch.cat(features).std(0).mean()
    shaking = np.mean([jerk(j, model.skeleton) for j in joints])
    return f"{spread:.3f} | {shaking:.0f} | {np.mean([floor_penetration(j) for j in joints]):.2f} |"


def denoised(model: CrossDiffModel, real: list[Tensor], text: Tensor, timestep: int, rounds: int = 1) -> list[Tensor]:
    """x_start of real motion with the noise of a timestep, then of that with new noise, and so on."""
    made = []
    generator = torch.Generator().manual_seed(0)
    t = torch.tensor([timestep])
    for x, caption in zip(real, text, strict=True):
        for _ in range(rounds):
            noisy = add_noise(x[None], torch.randn(x[None].shape, generator=generator), t)
            x = model.network({"3d": noisy}, t, caption[None], None, targets=("3d",))["3d", "3d"][0]
        made.append(x)
    return made


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", default="stage2-small")
    parser.add_argument("--clips", type=int, default=12)
    args = parser.parse_args()
    pipe = CrossDiffPipeline.from_pretrained(args.checkpoint)
    model = pipe.model
    clips = RealClips(MocapDataset(args.data, split="val"), max_frames=model.config.max_frames)
    chosen = np.random.RandomState(0).permutation(len(clips))[: args.clips]
    real = [model.normalize("3d", torch.from_numpy(clips.features(i, *clips.span(i, 0)))) for i in map(int, chosen)]
    lengths = [len(f) for f in real]
    sequence = model.config.text == "sequence"
    text = stack_text(embed(pipe.encoder, [clips.caption(i, 0).text for i in chosen], sequence), sequence)
    rows = [f"| real | | | {row(model, real)}"]
    for solver, steps, guidance in track(RUNS, "solvers"):
        x = sample(
            model,
            text,
            lengths,
            SamplingConfig(steps=steps, guidance_scale=guidance, solver=solver),
            range(len(chosen)),
        )
        rows.append(
            f"| {solver} | {steps} | {guidance} | {row(model, [f[:n] for f, n in zip(x, lengths, strict=True)])}"
        )
    print(
        "| solver | steps | guidance | spread | jerk, m/s³ | below floor, cm |\n| --- | --- | --- | --- | --- | --- |"
    )
    print("\n".join(rows))
    print("\n| timestep | rounds | error of x_start | spread | jerk, m/s³ | below floor, cm |")
    print("| --- | --- | --- | --- | --- | --- |")
    for timestep, rounds in ((0, 1), (49, 1), (200, 1), (400, 1), (600, 1), (800, 1), (49, 5), (49, 10)):
        made = denoised(model, real, text, timestep, rounds)
        error = torch.cat([(m - r).square().mean(1) for m, r in zip(made, real, strict=True)]).mean()
        print(f"| {timestep} | {rounds} | {error:.4f} | {row(model, made)}")


if __name__ == "__main__":
    sys.exit(main())
