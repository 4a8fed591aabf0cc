"""The learning rate's schedule and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from crossdiff.training.config import LoopConfig


def rate(step: int, cfg: LoopConfig) -> float:
    """Factor of the learning rate: linear warm-up, then constant or a half cosine down to 1 %."""
    if step < cfg.warmup_steps:
        return (step + 1) / cfg.warmup_steps
    if cfg.decay == "constant":
        return 1.0
    done = (step - cfg.warmup_steps) / max(1, cfg.steps - cfg.warmup_steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential average with a decay that rises to its value, so that the first weights do not dominate it."""

    @torch.no_grad()
    def update(averaged: Any, current: Any, updates: Any) -> None:
        n = float(updates)
        torch._foreach_lerp_(averaged, current, 1.0 - min(decay, (1 + n) / (10 + n)))

    return update
