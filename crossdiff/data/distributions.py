"""How long clips are and how fast joints move, in space and in the views (paper, figure 5b)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.files import save_npz
from crossdiff.representation.projection import project_orthographic
from crossdiff.skeleton import Skeleton

FILE = "distributions.npz"
# From behind a joint moves as fast as from the front, from the right as fast as from the left.
SEEN = ("3d", "front", "left")
# Metres per second; faster joints count in the last bin.
SPEED_EDGES = np.linspace(0.0, 6.0, 121)


def joint_speeds(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> dict[str, Float[ndarray, "f-1 j"]]:
    """Speed of every joint in space and in the front and left view, metres per second. joints: feature units, Y up."""
    metres = torch.as_tensor(joints) * skeleton.metres_per_unit
    seen = {"3d": metres, **{view: project_orthographic(metres, view) for view in SEEN[1:]}}
    return {name: (x.diff(dim=0).norm(dim=-1) * skeleton.fps).numpy() for name, x in seen.items()}


class Distributions:
    """Histograms over clips, without keeping them."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.seconds: dict[str, list[float]] = {}
        self.counts = np.zeros((len(SEEN), skeleton.num_joints, len(SPEED_EDGES) - 1), dtype=np.int64)

    def add(self, split: str, joints: Float[ndarray, "f j 3"]) -> None:
        """One clip. Lengths count in every split, speeds in the training split."""
        self.seconds.setdefault(split, []).append((len(joints) - 1) / self.skeleton.fps)
        if split != "train":
            return
        bins = len(SPEED_EDGES) - 1
        for row, speeds in zip(self.counts, joint_speeds(joints, self.skeleton).values(), strict=True):
            place = np.minimum(np.digitize(speeds, SPEED_EDGES) - 1, bins - 1)
            flat = place + bins * np.arange(self.skeleton.num_joints)
            row += np.bincount(flat.ravel(), minlength=row.size).reshape(row.shape)

    def save(self, path: Path) -> None:
        """counts: (3 of SEEN, joints, bins of SPEED_EDGES); seconds_SPLIT: (clips,)."""
        lengths = {f"seconds_{split}": np.array(values) for split, values in self.seconds.items()}
        save_npz(path, counts=self.counts, edges=SPEED_EDGES, seen=np.array(SEEN), **lengths)
