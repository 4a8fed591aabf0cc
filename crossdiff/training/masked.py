"""Errors of the values that are trusted."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mse(
    predicted: Float[Tensor, "b t d"], target: Float[Tensor, "b t d"], trusted: Bool[Tensor, "b t d"]
) -> Float[Tensor, " b"]:
    """Mean over the trusted values of each clip; 0 if there are none."""
    weight = trusted.to(predicted.dtype)
    error = (predicted - target).square() * weight
    return error.sum((1, 2)) / weight.sum((1, 2)).clamp_min(1.0)
