"""FID of sampled motion, and of the same motion with one part of its features from the real clip.

python benchmarks/fid_parts.py DATASET [--evaluators DATASET/evaluators] [--checkpoint stage2-small]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

from crossdiff import CrossDiffPipeline
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.evaluation.metrics import frechet_distance
from crossdiff.evaluation.real import RealClips
from crossdiff.evaluators.evaluators import load_evaluator
from crossdiff.progress import track
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D
from crossdiff.text import embed, stack_text

BATCH = 16
ANKLES = tuple(HUMANML3D.joint_names.index(f"{side}_ankle") for side in "lr")


def parts() -> dict[str, ndarray]:
    """Columns of the 263 features by name."""
    layout = layout_3d(HUMANML3D)
    every = np.arange(layout.dim)
    rotations = every[layout.rotations].reshape(-1, 6)  # of all joints but the root
    return {
        "root": every[layout.root],
        "positions": every[layout.positions],
        "velocities": every[layout.velocities],
        "rotations": rotations.ravel(),
        "ankles' rotations": rotations[[joint - 1 for joint in ANKLES]].ravel(),
    }


def generate(pipe: CrossDiffPipeline, captions: Sequence[str], lengths: Sequence[int]) -> list[ndarray]:
    """Features (T, D), not normalised, of the default's sampling; seeds are the captions' numbers."""
    motions: list[ndarray] = [np.zeros(0)] * len(captions)
    order = np.argsort(lengths, kind="stable")
    sequence = pipe.model.config.text == "sequence"
    for start in track(range(0, len(order), BATCH), "generate"):
        rows = [int(i) for i in order[start : start + BATCH]]
        text = stack_text(embed(pipe.encoder, [captions[i] for i in rows], sequence), sequence)
        x = sample(pipe.model, text, [lengths[i] for i in rows], SamplingConfig(), rows)
        for i, features in zip(rows, pipe.model.denormalize("3d", x).numpy(), strict=True):
            motions[i] = features[: lengths[i]]
    return motions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--evaluators", type=Path)
    parser.add_argument("--checkpoint", default="stage2-small")
    parser.add_argument("--clips", type=int, default=464)
    args = parser.parse_args()
    pipe = CrossDiffPipeline.from_pretrained(args.checkpoint)
    evaluator = load_evaluator((args.evaluators or args.data / "evaluators") / "t2m-all")
    clips = RealClips(MocapDataset(args.data, split="test"), max_frames=pipe.model.config.max_frames)
    originals = [i for i, name in enumerate(clips.data.ids) if not name.startswith("M")]
    rng = np.random.RandomState(1)
    chosen = [originals[i] for i in rng.permutation(len(originals))][: args.clips]
    captions = [clips.caption(i, rng.randint(len(clips.data.captions[i]))).text for i in chosen]
    real = [clips.features(i, *clips.span(i, 0)) for i in chosen]
    made = generate(pipe, captions, [len(f) for f in real])
    reference = evaluator.embed_motion(real)

    def fid(columns: ndarray, value: Callable[[ndarray, ndarray], ndarray]) -> float:
        changed = [m.copy() for m in made]
        for motion, truth in zip(changed, real, strict=True):
            motion[:, columns] = value(motion[:, columns], truth[:, columns])
        return frechet_distance(reference, evaluator.embed_motion(changed))

    print("| taken from the real clip | FID |\n| --- | --- |")
    print(f"| nothing | {fid(np.arange(0), lambda motion, _: motion):.2f} |")
    for name, columns in parts().items():
        print(f"| {name} | {fid(columns, lambda _, truth: truth):.2f} |")
    mean = fid(parts()["ankles' rotations"], lambda motion, truth: motion - motion.mean(0) + truth.mean(0))
    print(f"| mean of the ankles' rotations over the clip | {mean:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
