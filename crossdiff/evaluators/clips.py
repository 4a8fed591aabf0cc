"""Batches of clips that evaluators learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from crossdiff.data.captions import Caption
from crossdiff.data.mocap import MocapDataset, clip_span
from crossdiff.errors import ConfigError
from crossdiff.evaluators.evaluators import MOST_FRAMES
from crossdiff.evaluators.shared_captions import SharedCaptions

# Frames of a window that the movement autoencoder learns from.
WINDOW = 40


class Clips:
    """A split, and random batches of its clips, each cropped to a window in the span of a random caption."""

    def __init__(self, data: MocapDataset) -> None:
        self.data = data
        self.shared = SharedCaptions(data.captions)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[ndarray, list[Caption], list[ndarray]]:
        """Indices of `count` clips, their captions and features (T, D), with T a multiple of 4 if long enough."""
        chosen = rng.choice(len(self.data), min(count, len(self.data)), replace=False)
        captions, features = [], []
        for i in chosen.tolist():
            caption = self.data.captions[i][rng.integers(len(self.data.captions[i]))]
            start, stop = clip_span(caption, int(self.data.lengths[i]), self.data.skeleton)
            length = max(4, min(stop - start, MOST_FRAMES) // 4 * 4)
            start += int(rng.integers(max(1, stop - start - length + 1)))
            captions.append(caption)
            features.append(self.data.packed.features(i, start, min(stop, start + length)))
        return chosen, captions, features

    def windows(self, count: int, rng: np.random.Generator) -> Float[Tensor, "n 40 d"]:
        """Random 40-frame windows; shorter clips are skipped."""
        long = np.flatnonzero(self.data.lengths >= WINDOW)
        if not len(long):
            raise ConfigError(
                f"{self.data.folder}: no clip of {WINDOW} frames in {self.data.split}.txt; use longer clips"
            )
        weights = self.data.lengths[long] / self.data.lengths[long].sum()
        chosen = rng.choice(long, count, p=weights)
        starts = [int(rng.integers(self.data.lengths[i] - WINDOW + 1)) for i in chosen]
        rows = [self.data.packed.features(i, s, s + WINDOW) for i, s in zip(chosen.tolist(), starts, strict=True)]
        return torch.from_numpy(np.stack(rows))


def pad(features: Sequence[ndarray], device: torch.device) -> tuple[Float[Tensor, "b t d"], Tensor]:
    """Clips as a padded batch, and their lengths."""
    rows = [torch.from_numpy(np.asarray(f, dtype=np.float32)) for f in features]
    lengths = torch.tensor([len(r) for r in rows])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device), lengths.to(device)
