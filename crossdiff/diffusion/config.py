"""Settings of sampling and lifting, checked when they are loaded. Light to import: torch is loaded by the checks."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from crossdiff.config import Config
from crossdiff.diffusion.solvers import Solver

if TYPE_CHECKING:
    from crossdiff.models.config import ModelConfig


def _plain(value: object) -> object:
    """Integers of numpy as int."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _within_schedule(steps: int) -> int:
    from crossdiff.models.prediction import NUM_STEPS

    if not 1 <= steps <= NUM_STEPS:
        raise ValueError(f"expected 1 to {NUM_STEPS}")
    return steps


def _timestep(step: int) -> int:
    from crossdiff.models.prediction import NUM_STEPS

    if not 0 <= step < NUM_STEPS:
        raise ValueError(f"expected a timestep, 0 to {NUM_STEPS - 1}")
    return step


NumSteps = Annotated[int, BeforeValidator(_plain), AfterValidator(_within_schedule), Field(strict=True)]
GuidanceScale = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Timestep = Annotated[int, BeforeValidator(_plain), AfterValidator(_timestep), Field(strict=True)]


class SamplingConfig(Config):
    """How motion is sampled from text."""

    steps: NumSteps = 20
    """Number of solver steps, 1 to 1000. A distilled model takes its own number by default."""
    guidance_scale: GuidanceScale = 2.0
    """Scale of classifier-free guidance; 1 switches it off."""
    guidance_end: Timestep = 800
    """The timestep (0 to 999) below which 3D -> 3D is not guided (as in Kynkäänniemi et al. 2024); 0: it always
    is. 2D is guided at all of them."""
    solver: Solver = "ddim"
    """DPM-Solver++, DDIM, or ancestral DDPM."""
    mixture: bool = False
    """Mixture sampling: denoise in 2D first and in 3D afterwards."""
    switch_step: Timestep = 1
    """Mixture sampling: the paper's alpha, the timestep (0 to 999) at which it switches from 2D to 3D."""

    @property
    def given_steps(self) -> int | None:
        """The number of steps, if it is not the default."""
        return self.steps if "steps" in self.model_fields_set else None

    @property
    def timesteps(self) -> list[int]:
        """Timesteps of a model that is not distilled; mixture sampling includes the switch step."""
        from crossdiff.diffusion.schedule import inference_timesteps, mixture_timesteps

        timesteps = inference_timesteps(self.steps)
        return mixture_timesteps(timesteps, self.switch_step) if self.mixture else timesteps

    def for_model(self, model: ModelConfig) -> SamplingConfig:
        """These settings with a distilled model's own steps, switch step and end of guidance where none were given.

        InputError if it has not learnt those that were given.
        """
        if model.distilled is None:
            return self
        from crossdiff.diffusion.few_steps import check_few_steps

        distilled = model.distilled
        own = {name: getattr(distilled, name) for name in ("steps", "switch_step", "guidance_end")}
        fitted = self.model_copy(update={k: v for k, v in own.items() if k not in self.model_fields_set})
        check_few_steps(fitted, distilled)
        return fitted

    def keywords(self) -> dict[str, Any]:
        """The settings as keywords of a `CrossDiffPipeline` call."""
        return {"num_inference_steps": self.steps, **self.model_dump(exclude={"steps"})}


class LabelConfig(Config):
    """How 2D motion is lifted, and how the lifted motion becomes a pseudo label."""

    smooth_sigma: float = Field(1.5, ge=0)
    """Labels: standard deviation, in frames, of the zero-phase Gaussian over the lifted joints; 0 switches it off."""
    impute: bool = True
    """Lifting: fill hidden values with the model's own G_2D->2D prediction; otherwise they are lifted as their mean."""
    mirror: bool = True
    """Lifting: lift the mirror image too and average both."""
    fuse: bool = True
    """Labels: average the lifted joints with those that the detector itself places in space, where there are some, and
    take out the camera's tilt (see `representation.fusion.fuse`)."""
    fit_view: bool = True
    """Labels that are not fused: move the joints to their observed 2D positions (see `fit_to_view`) and the feet onto
    the floor."""
