"""Batches as a pure function of seed and step, so that a resumed run sees exactly what an unbroken one would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy import ndarray
from torch.utils.data import DataLoader, Dataset

from crossdiff.data.batch import Crop, MotionBatch, collate
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.data.wild import WildDataset

# Clips are sorted by length within this many batches, so that a batch holds clips of like length.
_BUCKET_BATCHES = 16


class BatchSource(Protocol):
    """Where the training loop gets its batches."""

    def batch(self, step: int) -> MotionBatch:
        """The batch of this step, the same whenever it is asked for."""
        ...

    def captions(self) -> list[str]:
        """Every caption that can come up."""
        ...


class _Steps(Dataset[MotionBatch]):
    """Batches by step, as torch's loader wants them."""

    def __init__(self, batches: BatchSource) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> MotionBatch:
        return self._batches.batch(step)


def load_steps(batches: BatchSource, steps: range, workers: int = 0) -> Iterable[MotionBatch]:
    """The batches of the steps, in order; with workers they are made ahead of time in processes of their own."""
    return DataLoader(_Steps(batches), batch_size=None, sampler=steps, num_workers=workers)


class MocapBatches:
    """Batches of 3D clips with their views, in length buckets, reshuffled every epoch."""

    def __init__(self, data: MocapDataset, batch_size: int, most: int, views: ViewConfig, seed: int) -> None:
        self.data, self.batch_size, self.most, self.views, self.seed = data, batch_size, most, views, seed
        _ = data.packed  # here, once, and not by every worker
        self._order: tuple[int, list[ndarray]] = (-1, [])

    def crops(self, step: int) -> list[Crop]:
        batches = max(1, len(self.data) // self.batch_size)
        epoch, number = divmod(step, batches)
        if self._order[0] != epoch:
            self._order = (epoch, self._shuffled(epoch))
        rng = np.random.default_rng((self.seed, 1, step))
        return self.data.crops(self._order[1][number].tolist(), self.most, self.views, rng)

    def batch(self, step: int) -> MotionBatch:
        return collate(self.crops(step))

    def captions(self) -> list[str]:
        return sorted({c.text for clip in self.data.captions for c in clip})

    def _shuffled(self, epoch: int) -> list[ndarray]:
        rng = np.random.default_rng((self.seed, 0, epoch))
        order = rng.permutation(len(self.data))
        bucket = self.batch_size * _BUCKET_BATCHES
        parts = [order[i : i + bucket] for i in range(0, len(order), bucket)]
        clipped = np.minimum(self.data.lengths, self.most)
        order = np.concatenate([p[np.argsort(clipped[p], kind="stable")] for p in parts])
        full = len(order) // self.batch_size * self.batch_size
        if not full:
            return [rng.choice(len(order), self.batch_size)]
        rows = order[:full].reshape(-1, self.batch_size)
        return list(rows[rng.permutation(len(rows))])


class WildBatches:
    """Batches of wild clips, drawn with replacement: runs are often smaller than a batch."""

    def __init__(self, data: WildDataset, batch_size: int, most: int, seed: int) -> None:
        self.data, self.batch_size, self.most, self.seed = data, batch_size, most, seed

    def crops(self, step: int) -> list[Crop]:
        rng = np.random.default_rng((self.seed, 2, step))
        return [self.data.crop(int(i), self.most, rng) for i in rng.integers(len(self.data), size=self.batch_size)]

    def batch(self, step: int) -> MotionBatch:
        return collate(self.crops(step))

    def captions(self) -> list[str]:
        return sorted({c for clip in self.data.captions for c in clip if c})


class MixedBatches:
    """Wild and 3D clips side by side in every batch."""

    def __init__(self, wild: WildBatches, mocap: MocapBatches) -> None:
        self.wild, self.mocap = wild, mocap

    def batch(self, step: int) -> MotionBatch:
        return collate([*self.wild.crops(step), *self.mocap.crops(step)])

    def captions(self) -> list[str]:
        return sorted({*self.wild.captions(), *self.mocap.captions()})
