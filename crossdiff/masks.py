"""Helpers for masks over frames."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from numpy import ndarray


def true_runs(mask: Bool[ndarray, " f"]) -> list[tuple[int, int]]:
    """The unbroken runs of True, each as (first frame, frame after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
