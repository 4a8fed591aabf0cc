"""The random numbers of a training step, independent for each row of a batch.

They depend only on the run's seed, the step and the row. So resuming is exact, and several devices agree with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from crossdiff.diffusion.schedule import NUM_STEPS


@dataclass(frozen=True)
class Draws:
    """Random numbers of some rows.

    t: timestep of each row.
    keep_text: False where the caption is dropped.
    seeds: seeds of each row's noise.
    """

    t: Int[Tensor, " b"]
    keep_text: Bool[Tensor, " b"]
    seeds: list[int]

    def noise(self, lengths: Sequence[int], dim: int, stream: int, device: torch.device) -> Float[Tensor, "b t d"]:
        """Normal values for each row's real frames, zeros after them; stream: 0 or 1, by domain."""
        generator = torch.Generator(device)
        rows = [
            torch.randn(n, dim, generator=generator.manual_seed(2 * seed + stream), device=device)
            for n, seed in zip(lengths, self.seeds, strict=True)
        ]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def draw(key: Sequence[int], rows: Sequence[int], text_dropout: float) -> Draws:
    """Draws of some rows; key: the run's seed, the step, and other numbers that identify the batch."""
    rngs = [np.random.default_rng((*key, row)) for row in rows]
    return Draws(
        torch.tensor([int(rng.integers(NUM_STEPS)) for rng in rngs]),
        torch.tensor([bool(rng.random() >= text_dropout) for rng in rngs]),
        [int(rng.integers(2**31)) for rng in rngs],
    )
