"""Time to sample one motion with the network at the paper's size: few steps with guidance, and 1000 without.

    python benchmarks/sampling.py [--frames 120] [--steps 20] [--checkpoint FOLDER] [--compile]

Plain is the authors' way: 1000 ancestral steps (DDPM), no guidance. Both are measured in the same run. Without a
checkpoint the weights are random, which does not change the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from crossdiff.checkpoint import load_model
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import compile_network
from crossdiff.diffusion.sampling import sample
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.progress import progress_bar

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def seconds(model: CrossDiffModel, frames: int, options: SamplingConfig, name: str) -> float:
    """Time of one motion, after one of few steps that is not counted."""
    text = model.null_text(1, words=16) + 1
    sample(
        model,
        text,
        [frames],
        SamplingConfig(steps=2, guidance_scale=options.guidance_scale, solver=options.solver),
        [0],
    )
    with progress_bar() as bar:
        task = bar.add_task(name, total=options.steps, note="")
        start = time.perf_counter()
        motion = sample(model, text, [frames], options, [0], lambda done, _: bar.update(task, completed=done))
        _ = motion.cpu()  # waits for the device
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    model = load_model(args.checkpoint) if args.checkpoint else CrossDiffModel(ModelConfig()).eval()
    model.to(DEVICE)
    if args.compile:
        compile_network(model)
    size = sum(p.numel() for p in model.network.parameters()) / 1e6
    print(f"{size:.1f} M parameters, {args.frames} frames, {torch.get_num_threads()} threads, on {DEVICE}")
    few = seconds(model, args.frames, SamplingConfig(steps=args.steps, guidance_scale=2.5, solver="dpm++"), "few")
    print(f"DPM-Solver++, {args.steps} steps, guidance: {few:8.2f} s")
    many = seconds(model, args.frames, SamplingConfig(steps=1000, guidance_scale=1.0, solver="ddpm"), "1000")
    print(f"DDPM, 1000 steps, no guidance:  {many:8.2f} s")
    print(f"{many / few:.1f} times as fast")


if __name__ == "__main__":
    sys.exit(main())
