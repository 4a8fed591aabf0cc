"""Constructors that `crossdiff.diffusion.config` replaced; they go with the next release."""

from __future__ import annotations

import warnings
from typing import Any

from crossdiff.diffusion.config import LabelConfig, SamplingConfig

_DEFAULT = SamplingConfig()


def SamplingOptions(
    num_inference_steps: int = _DEFAULT.steps,
    guidance_scale: float = _DEFAULT.guidance_scale,
    solver: Any = _DEFAULT.solver,
    mixture: bool = _DEFAULT.mixture,
    switch_step: int = _DEFAULT.switch_step,
) -> SamplingConfig:
    """The `SamplingConfig` of these values."""
    _warn("sampling.SamplingOptions", "SamplingConfig")
    return SamplingConfig(
        steps=num_inference_steps,
        guidance_scale=guidance_scale,
        solver=solver,
        mixture=mixture,
        switch_step=switch_step,
    )


def LiftOptions(impute: bool = True, mirror: bool = True) -> LabelConfig:
    """The `LabelConfig` of these values."""
    _warn("lifting.LiftOptions", "LabelConfig")
    return LabelConfig(impute=impute, mirror=mirror)


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"crossdiff.diffusion.{old} is now crossdiff.diffusion.config.{new}; the old name goes with the next release",
        DeprecationWarning,
        stacklevel=3,
    )
