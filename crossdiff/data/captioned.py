"""Batches of captions and lengths without motion, for a training that learns from what a model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crossdiff.data.batch import ClipWindow
from crossdiff.learnt import LearntCaption
from crossdiff.types import Domain

if TYPE_CHECKING:
    from crossdiff.data.simulation.filmed import FilmedClips

_SHORTEST = 24  # frames


class CaptionBatches:
    """Captions that a model has learnt, each as often as others of its origin; film has its share of the clips.

    All clips of a batch are equally long, so that nothing is padded. Lengths are uniform in their logarithm, since
    short clips cost less. Motion is all zeros.

    dims: values of a frame in each domain. max_frames: of the longest clips.
    """

    film: FilmedClips | None = None

    def __init__(
        self,
        known: Sequence[LearntCaption],
        dims: Mapping[Domain, int],
        batch_size: int,
        max_frames: int,
        seed: int,
    ) -> None:
        self._known, self._dims, self.batch_size, self.seed = known, dims, batch_size, seed
        self._lengths = min(_SHORTEST, max_frames), max_frames
        clips = {one.origin: sum(other.clips for other in known if other.origin == one.origin) for one in known}
        sentences = {origin: sum(one.origin == origin for one in known) for origin in clips}
        self._weights = np.array([clips[one.origin] / sentences[one.origin] for one in known]) / sum(clips.values())

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        low, high = self._lengths
        frames = int(low * ((high + 1) / low) ** np.random.default_rng((self.seed, 4, step)).random())
        rngs = [np.random.default_rng((self.seed, 5, step, row)) for row in rows]
        return [
            self._clip(frames, self._known[int(rng.choice(len(self._known), p=self._weights))].text) for rng in rngs
        ]

    def captions(self) -> list[str]:
        return sorted(one.text for one in self._known)

    def _clip(self, frames: int, caption: str) -> ClipWindow:
        empty = {domain: np.zeros((frames, dim), dtype=np.float32) for domain, dim in self._dims.items()}
        trusted = {domain: np.ones(x.shape, dtype=bool) for domain, x in empty.items()}
        return ClipWindow(empty, trusted, trusted["2d"], caption)
