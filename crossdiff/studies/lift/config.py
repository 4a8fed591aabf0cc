"""Settings of a study of lifting. All of them are written into its result."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.pipeline.motion2d.motion import MotionConfig
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.detector import DetectorNoise, faults

LIFTED, NEAREST, MEAN = "lifted", "nearest training pose", "mean pose"
CLEAN_SIDES, NOISY_SIDES = "clean, side views", "noisy, side views"
CLEAN_YAWS, NOISY_YAWS = "clean, random yaws", "noisy, random yaws"
CONDITIONS = (CLEAN_SIDES, NOISY_SIDES, CLEAN_YAWS, NOISY_YAWS)


class NearestConfig(Config):
    """Baseline that takes the training pose nearest to each frame."""

    poses: int = Field(4000, ge=1)
    """Largest number of training frames, evenly spread."""
    yaws: int = Field(16, ge=1)
    """Cameras around each pose."""


class LiftStudyConfig(Config):
    """Clips, views and ways to lift of a study."""

    split: Literal["train", "val", "test"] = "test"
    """Split whose clips are lifted. Mirrored copies are left out."""
    clips: int | None = Field(None, ge=1)
    """Number of clips, drawn by the seed; null: all."""
    yaws: int = Field(1, ge=1)
    """Random views of each clip."""
    seed: int = Field(0, ge=0)
    """Seed of clips, views and noise."""
    noise: DetectorNoise = DetectorNoise()
    """Errors of the simulated detector."""
    motion: MotionConfig = MotionConfig()
    """Settings of `build-2d`."""
    lift: PseudoLabelConfig = PseudoLabelConfig()
    """Settings of `pseudo-label`."""
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Other ways to lift, by name: the settings that differ from `lift`."""
    nearest: NearestConfig = NearestConfig()
    """Baseline of the nearest training pose."""
    bootstrap: int = Field(1000, ge=10)
    """Draws of clips for the intervals."""
    examples: int = Field(3, ge=0)
    """Clips that are drawn as examples."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.motion.fps != HUMANML3D.fps:
            raise ValueError(f"motion.fps: expected {HUMANML3D.fps:g}, the true motion's, got {self.motion.fps:g}")
        _ = self.ways
        if LIFTED in self.variants:
            raise ValueError(f"variants: {LIFTED!r} is the name of `lift` itself; choose another")
        return self

    @property
    def ways(self) -> dict[str, PseudoLabelConfig]:
        """The ways to lift of the variants."""
        whole = self.lift.model_dump()
        return {name: PseudoLabelConfig.model_validate(whole | changed) for name, changed in self.variants.items()}

    def conditions(self) -> dict[str, tuple[bool, DetectorNoise]]:
        """By condition: whether it uses the side views, and its noise. The four, then each kind of error alone."""
        clean = self.noise.model_copy(update={"strength": 0.0})
        four = ((True, clean), (True, self.noise), (False, clean), (False, self.noise))
        return dict(zip(CONDITIONS, four, strict=True)) | {k: (False, n) for k, n in faults(self.noise).items()}
