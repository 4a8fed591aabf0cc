"""Feature statistics, and normalisation to zero mean and unit standard deviation, with its inverse."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from crossdiff.errors import InputError
from crossdiff.representation.layouts import FeatureLayout

# Avoids division by zero for constant values, such as a contact that never changes.
MIN_STD = 1e-4


class Normalizer(nn.Module):
    """(x - mean) / std, with buffers that are saved with the model."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Float[ndarray, " d"] | Tensor, std: Float[ndarray, " d"] | Tensor) -> None:
        super().__init__()
        mean, std = torch.as_tensor(mean, dtype=torch.float32), torch.as_tensor(std, dtype=torch.float32)
        if mean.shape != std.shape or mean.ndim != 1:
            raise InputError(
                "statistics: mean and std must be vectors of one length, "
                f"got {tuple(mean.shape)} and {tuple(std.shape)}"
            )
        if not mean.is_meta:
            if not (torch.isfinite(mean).all() and torch.isfinite(std).all()):
                raise InputError("statistics: mean or std has NaN or infinite values; prepare the dataset again")
            if not (std > 0).all():
                raise InputError("statistics: std must be above 0 everywhere; prepare the dataset again")
            std = std.clamp_min(MIN_STD)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    @classmethod
    def identity(cls, dim: int) -> Normalizer:
        return cls(torch.zeros(dim), torch.ones(dim))

    def forward(self, features: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        return (features - self.mean) / self.std

    def inverse(self, normalized: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        return normalized * self.std + self.mean


class RunningStatistics:
    """Mean and standard deviation over many clips in a stream, without masked values."""

    def __init__(self, dim: int) -> None:
        self._count = np.zeros(dim)
        self._sum = np.zeros(dim)
        self._square = np.zeros(dim)

    def add(self, features: Float[ndarray, "t d"], mask: ndarray | None = None) -> None:
        x = features.astype(np.float64)
        seen = np.ones_like(x) if mask is None else mask.astype(np.float64)
        self._count += seen.sum(0)
        self._sum += (x * seen).sum(0)
        self._square += (x * x * seen).sum(0)

    def result(self, layout: FeatureLayout) -> tuple[Float[ndarray, " d"], Float[ndarray, " d"]]:
        """Mean of each value, and standard deviation averaged over each group, as in HumanML3D.

        The root's is averaged over its parts: yaw, x and z velocity, height (3D); x and y (2D).
        """
        if not self._count.all():
            raise InputError(
                "statistics: some feature values are masked in all clips; the dataset is empty or fully masked"
            )
        mean = self._sum / self._count
        std = np.sqrt(np.maximum(self._square / self._count - mean**2, 0.0))
        for part in (*_root_parts(layout), *(s for n, s in layout.groups.items() if n != "root")):
            std[part] = std[part].mean()
        return mean.astype(np.float32), np.maximum(std, MIN_STD).astype(np.float32)


def _root_parts(layout: FeatureLayout) -> list[slice]:
    parts = (1, 2, 1) if layout.position_dim == 3 else (2,)
    starts = np.cumsum((0, *parts))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(starts)]
