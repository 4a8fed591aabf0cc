"""Clips that share captions, which are neither wrong matches nor valid negatives of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy import sparse

from crossdiff.data.captions import Caption
from crossdiff.errors import InputError


class SharedCaptions:
    """Pairs of clips in which any caption of one is a caption of the other."""

    def __init__(self, captions: Sequence[Sequence[Caption]]) -> None:
        numbers: dict[str, int] = {}
        rows, columns = [], []
        for row, clip in enumerate(captions):
            for text in {_plain(c.text) for c in clip}:
                rows.append(row)
                columns.append(numbers.setdefault(text, len(numbers)))
        ones = np.ones(len(rows), dtype=np.int32)
        self._has = sparse.csr_array((ones, (rows, columns)), shape=(len(captions), len(numbers)))

    def between(self, clips: Sequence[int] | ndarray) -> Bool[ndarray, "n n"]:
        """Matrix over some clips, True where two share a caption, diagonal included."""
        chosen = self._has[np.asarray(clips)]
        return (chosen @ chosen.T).toarray() > 0

    def distinct_batches(self, clips: ndarray, size: int, rng: np.random.Generator) -> list[ndarray]:
        """Batches of `size` clips without shared captions, drawn without replacement until none can be filled.

        Batches are filled in a random order, so the clips left over are those with frequent captions. At most
        len(clips) // size batches. Raises InputError if no batch can be filled.
        """
        remaining = list(rng.permutation(clips))
        batches: list[ndarray] = []
        while len(remaining) >= size:
            positions = self.first_batch(remaining, size)
            if len(positions) < size:
                break
            batches.append(np.array([remaining[i] for i in positions]))
            used = set(positions)
            remaining = [clip for i, clip in enumerate(remaining) if i not in used]
        if not batches:
            raise InputError(
                f"evaluation: no batch of {size} clips without a common caption among {len(clips)} clips; "
                "use a larger split, or a smaller protocol.batch_size"
            )
        return batches

    def first_batch(self, order: Sequence[int] | ndarray, size: int) -> list[int]:
        """Positions of the first clips, at most `size`, without shared captions."""
        used = np.zeros(self._has.shape[1], dtype=bool)
        positions: list[int] = []
        for position, clip in enumerate(order):
            own = self._has.indices[self._has.indptr[clip] : self._has.indptr[clip + 1]]
            if not used[own].any():
                used[own] = True
                positions.append(position)
                if len(positions) == size:
                    break
        return positions


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
