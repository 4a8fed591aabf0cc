"""Batches as a pure function of seed, step and row.

A resumed run gets the same batches as an uninterrupted one, and devices that share a batch make only their own rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy import ndarray
from torch.utils.data import DataLoader, Dataset

from crossdiff.data.batch import ClipWindow, MotionBatch, collate
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.data.simulation.filmed import FilmedClips
from crossdiff.data.wild import WildDataset

# Clips are sorted by length within this many batches, so that clips of a batch have similar lengths.
_BUCKET_BATCHES = 16


class BatchSource(Protocol):
    """Source of the training loop's batches, each of `batch_size` rows, perhaps with filmed clips beside them."""

    batch_size: int

    @property
    def film(self) -> FilmedClips | None: ...

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        """Some rows of a step's batch, in ascending order; they do not depend on the other rows asked for."""
        ...

    def captions(self) -> list[str]:
        """All captions of the clips."""
        ...


def make_batch(batches: BatchSource, step: int, rank: int = 0, world_size: int = 1) -> MotionBatch:
    """The batch of a step, or every `world_size`-th row of it from `rank` on."""
    rows = range(rank, batches.batch_size, world_size)
    batch = collate(batches.crops(step, rows), rows)
    if batches.film is None:
        return batch
    return replace(batch, filmed=batches.film.batch(step, range(rank, batches.film.cfg.batch_size, world_size)))


class _StepDataset(Dataset[MotionBatch]):
    """Batches by step, for torch's loader."""

    def __init__(self, batches: BatchSource, rank: int, world_size: int) -> None:
        self._batches, self._rank, self._world_size = batches, rank, world_size

    def __getitem__(self, step: int) -> MotionBatch:
        return make_batch(self._batches, step, self._rank, self._world_size)


def load_steps(
    batches: BatchSource, steps: range, workers: int = 0, rank: int = 0, world_size: int = 1
) -> Iterable[MotionBatch]:
    """The batches of the steps, in order; workers prepare them ahead of time in separate processes.

    Each device gets every `world_size`-th row from its rank on, so that all get clips of similar length.
    """
    source, pinned = _StepDataset(batches, rank, world_size), torch.cuda.is_available()
    return DataLoader(source, None, sampler=steps, num_workers=workers, pin_memory=pinned)


class MocapBatches:
    """Batches of 3D clips with their views, in length buckets, reshuffled every epoch.

    `share_3d` of the clips are used with their 3D motion, and those up to `share_2d` by their 2D views alone (paper,
    table 2: 0.5 and 0.5, 0.5 and 1, 1 and 1).
    max_frames: length of the longest window.
    first: (steps, frames), the maximum in the first steps of training.
    film: filmed clips that every batch has beside these.
    balance: clips are drawn with replacement and weights n ** -balance, where n clips have the same first caption.
    """

    def __init__(
        self,
        data: MocapDataset,
        batch_size: int,
        max_frames: int,
        views: ViewConfig,
        seed: int,
        share_3d: float = 1.0,
        share_2d: float = 1.0,
        first: tuple[int, int] | None = None,
        film: FilmedClips | None = None,
        balance: float = 0.0,
    ) -> None:
        self.data, self.batch_size, self.views, self.seed, self.film = data, batch_size, views, seed, film
        self._max_frames, self._first = max_frames, first
        _ = data.packed  # packed once, before the workers start
        place = split_positions(data.ids, seed)
        self._clips = np.flatnonzero(place < max(share_2d, share_3d))
        self._has_3d = place < share_3d
        self._weights = _rarity([data.captions[i][0].text for i in self._clips], balance) if balance else None
        self._order: tuple[int, list[ndarray]] = (-1, [])

    def clips(self, step: int) -> ndarray:
        """Indices of the clips in a step's batch."""
        epoch, number = divmod(step, self._batches)
        if self._order[0] != epoch:
            self._order = (epoch, self._shuffled(epoch))
        return self._order[1][number]

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        chosen = self.clips(step)[list(rows)].tolist()
        rngs = [np.random.default_rng((self.seed, 1, step, row)) for row in rows]
        crops = self.data.crops(chosen, self._max_frames_at(step), self.views, rngs)
        return [c if self._has_3d[i] else c.without_3d() for c, i in zip(crops, chosen, strict=True)]

    def captions(self) -> list[str]:
        return sorted({c.text for i in self._clips for c in self.data.captions[i]})

    @property
    def _batches(self) -> int:
        """Number of batches in an epoch."""
        return max(1, len(self._clips) // self.batch_size)

    def _max_frames_at(self, step: int) -> int:
        return self._first[1] if self._first is not None and step < self._first[0] else self._max_frames

    def _shuffled(self, epoch: int) -> list[ndarray]:
        """Indices of the clips of every batch of an epoch."""
        rng = np.random.default_rng((self.seed, 0, epoch))
        if self._weights is None:
            order = rng.permutation(self._clips)
        else:
            order = rng.choice(self._clips, len(self._clips), p=self._weights)
        if len(order) < self.batch_size:
            return [rng.choice(order, self.batch_size)]
        # Clips of the incomplete batch are dropped before sorting by length, or they would always be the longest.
        order = order[: self._batches * self.batch_size]
        bucket = self.batch_size * _BUCKET_BATCHES
        parts = [order[i : i + bucket] for i in range(0, len(order), bucket)]
        clipped = np.minimum(self.data.lengths, self._max_frames_at(epoch * self._batches))
        order = np.concatenate([p[np.argsort(clipped[p], kind="stable")] for p in parts])
        batches = order.reshape(-1, self.batch_size)
        return list(batches[rng.permutation(len(batches))])


def _rarity(captions: Sequence[str], balance: float) -> ndarray:
    """Probability of each clip by the number of clips with its caption; sums to 1."""
    counts = Counter(captions)
    weights = np.array([counts[caption] ** -balance for caption in captions])
    return weights / weights.sum()


def split_positions(ids: Sequence[str], seed: int) -> ndarray:
    """A position in [0, 1) for each clip, evenly spaced in a random order of the names.

    A mirrored copy (`M` before the name) has the position of its original, so that both get into the same part.
    """
    known = set(ids)
    originals = [i.removeprefix("M") if i.removeprefix("M") in known else i for i in ids]
    order = sorted(set(originals), key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())
    place = {name: n / len(order) for n, name in enumerate(order)}
    return np.array([place[name] for name in originals])


class WildBatches:
    """Batches of wild clips, drawn with replacement: runs are often smaller than a batch.

    clips: which; else all. balance: as in `MocapBatches`.
    """

    film: FilmedClips | None = None

    def __init__(
        self,
        data: WildDataset,
        batch_size: int,
        max_frames: int,
        seed: int,
        clips: ndarray | None = None,
        balance: float = 0.0,
    ) -> None:
        self.data, self.batch_size, self.max_frames, self.seed = data, batch_size, max_frames, seed
        self._clips = np.arange(len(data)) if clips is None else clips
        self._weights = _rarity([data.captions[i][0] for i in self._clips], balance) if balance else None

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        rngs = [np.random.default_rng((self.seed, 2, step, row)) for row in rows]
        return [self.data.crop(int(rng.choice(self._clips, p=self._weights)), self.max_frames, rng) for rng in rngs]

    def captions(self) -> list[str]:
        return sorted({c for i in self._clips for c in self.data.captions[i] if c})


class MixedBatches:
    """Batches of wild and 3D clips, the wild ones first."""

    def __init__(self, wild: WildBatches, mocap: MocapBatches) -> None:
        self.wild, self.mocap = wild, mocap
        self.batch_size = wild.batch_size + mocap.batch_size

    @property
    def film(self) -> FilmedClips | None:
        return self.mocap.film

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        count = self.wild.batch_size
        wild, mocap = [r for r in rows if r < count], [r - count for r in rows if r >= count]
        return [*self.wild.crops(step, wild), *(self.mocap.crops(step, mocap) if mocap else [])]

    def captions(self) -> list[str]:
        return sorted({*self.wild.captions(), *self.mocap.captions()})
