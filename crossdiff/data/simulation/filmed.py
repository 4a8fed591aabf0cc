"""Batches of filmed clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from crossdiff.data.batch import FilmedBatch
from crossdiff.data.mocap import MocapDataset
from crossdiff.data.simulation.bodies import bend, mix_halves, reshape_body, turn_over
from crossdiff.data.simulation.cameras import film
from crossdiff.data.simulation.config import FilmConfig
from crossdiff.data.simulation.detections import detect
from crossdiff.data.simulation.noise import chosen, uniform
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.representation.layouts import layout_2d

# The longest windows are as long as this many clips allow, so that no clip is repeated too often.
_FEWEST = 64


class FilmedClips:
    """Filmed windows of a dataset's clips; a batch depends on the seed and the step alone."""

    def __init__(self, data: MocapDataset, cfg: FilmConfig, max_frames: int, seed: int) -> None:
        self.data, self.cfg, self.seed = data, cfg, seed
        self.most = min(cfg.max_frames, max_frames)

    def batch(self, step: int, rows: Sequence[int] | None = None) -> FilmedBatch:
        """The batch of a step, or some rows of it."""
        draws = np.random.default_rng((self.seed, 3, step))
        joints = torch.from_numpy(self._windows(draws)) * self.data.skeleton.metres_per_unit
        made = self._film(joints, Generator().manual_seed(int(draws.integers(2**62))))
        return made if rows is None else made.each(lambda x: x[list(rows)])

    def _windows(self, rng: np.random.Generator) -> np.ndarray:
        """Random windows (B, T + 1, J, 3) of one random length, short ones more often."""
        cfg, lengths = self.cfg, self.data.lengths
        most = min(self.most, int(np.sort(lengths)[-min(_FEWEST, len(lengths))]))
        least = min(cfg.min_frames, most)
        frames = int(least * (most / least) ** (rng.random() ** 1.5)) // 4 * 4 or most
        long = np.flatnonzero(lengths >= frames)
        weights = lengths[long] - frames + 40.0  # a long clip has more windows
        picked = rng.choice(long, cfg.batch_size, p=weights / weights.sum())
        starts = [int(rng.integers(lengths[i] - frames + 1)) for i in picked]
        return np.stack([self.data.packed.joints(i, s, s + frames + 1) for i, s in zip(picked, starts, strict=True)])

    def _film(self, joints: Float[Tensor, "b t+1 j 3"], rng: Generator) -> FilmedBatch:
        cfg, skeleton, batch = self.cfg, self.data.skeleton, len(joints)
        mixed, bent, over = (chosen(batch, share, rng) for share in (cfg.mixed, cfg.bent, cfg.turned_over))
        joints = mix_halves(joints, mixed, skeleton)
        joints = bend(joints, bent, cfg.bent_degrees, skeleton, rng)
        joints = turn_over(joints, over, rng)
        body = reshape_body(joints, cfg.proportions, skeleton, rng)
        scene = film(body, cfg.tilted, cfg.near, cfg.stretched, skeleton, rng)
        found = detect(scene, uniform((batch,), *cfg.noise, rng), cfg.lost, cfg.exchanged, skeleton, rng)
        flat, trusted = joints_to_features_2d(scene, skeleton, self.data.layout)
        observed, seen = joints_to_features_2d(found.flat, skeleton, self.data.layout, found.visible)
        pathless = chosen(batch, cfg.hide_path, rng)
        moving = torch.from_numpy(layout_2d(skeleton, self.data.layout).moving)
        seen = seen & ~(pathless[:, None, None] & moving)
        motion = joints_to_features_3d(joints / skeleton.metres_per_unit, skeleton)
        return FilmedBatch(motion, flat, trusted, observed, seen)
