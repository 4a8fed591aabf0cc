"""How well a model lifts clean 2D views to 3D: error of the root-relative joints, beside that of the mean pose.

    python benchmarks/lifting.py DATASET [CHECKPOINT] [SPLIT]

Every clip of the split (default val) in one of the four side views, orthographic, without detector noise.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from crossdiff.checkpoint import load_model, shipped_model
from crossdiff.data.batch import collate
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.diffusion.lifting import lift
from crossdiff.models import CrossDiffModel

BATCH = 32


def local_error(model: CrossDiffModel, predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean distance of the joints in the root's frame, in millimetres; shape of the leading dimensions."""
    part = model.config.layout("3d").positions
    difference = (predicted - true)[..., part].unflatten(-1, (model.skeleton.num_joints - 1, 3))
    return 1000 * model.skeleton.metres_per_unit * difference.norm(dim=-1).mean(-1)


def main(data: Path, checkpoint: Path, split: str) -> None:
    model = load_model(checkpoint)
    dataset = MocapDataset(data, split, model.config.layout_2d)
    if dataset.skeleton != model.skeleton:
        sys.exit(f"{data}: {dataset.skeleton.name} motion, but {checkpoint} is of {model.skeleton.name}; give its own")
    mean = model.normalizers["3d"].mean
    rng = np.random.default_rng(0)
    lifted_errors, mean_errors = [], []
    for start in range(0, len(dataset), BATCH):
        rows = range(start, min(start + BATCH, len(dataset)))
        batch = collate([dataset.crop(i, model.config.max_frames, ViewConfig(), rng) for i in rows])
        lifted = lift(model, batch.features["2d"], batch.seen, batch.frames)
        lifted_errors.append(local_error(model, lifted, batch.features["3d"])[batch.frames])
        mean_errors.append(local_error(model, mean, batch.features["3d"])[batch.frames])
    for name, errors in (("lifted", lifted_errors), ("mean pose", mean_errors)):
        error = torch.cat(errors)
        print(f"{name}: mean {error.mean():.1f} mm, median {error.median():.1f} mm over {len(error)} frames")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else shipped_model(),
        sys.argv[3] if len(sys.argv) > 3 else "val",
    )
