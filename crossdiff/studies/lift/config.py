"""What a study of lifting is made of. Every value here is written into its result."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.pipeline.motion import MotionConfig
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.detector import DetectorNoise, faults

LIFTED, NEAREST, MEAN = "lifted", "nearest training pose", "mean pose"
CLEAN_SIDES, NOISY_SIDES = "clean, side views", "noisy, side views"
CLEAN_YAWS, NOISY_YAWS = "clean, random yaws", "noisy, random yaws"
CONDITIONS = (CLEAN_SIDES, NOISY_SIDES, CLEAN_YAWS, NOISY_YAWS)


class NearestConfig(Config):
    """poses: at most so many training frames, evenly spread; yaws: cameras around each."""

    poses: int = Field(4000, ge=1)
    yaws: int = Field(16, ge=1)


class LiftStudyConfig(Config):
    """clips: so many of the split, drawn by the seed; all without it. Mirrored copies are left out: they are the same
    motion again. yaws: random views of each clip. motion, lift: as `build-2d` and `pseudo-label`; variants: other ways
    to lift, by what differs from `lift`. bootstrap: draws of clips for the intervals. examples: clips of the pictures.
    """

    split: Literal["train", "val", "test"] = "test"
    clips: int | None = Field(None, ge=1)
    yaws: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)
    noise: DetectorNoise = DetectorNoise()
    motion: MotionConfig = MotionConfig()
    lift: PseudoLabelConfig = PseudoLabelConfig()
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    nearest: NearestConfig = NearestConfig()
    bootstrap: int = Field(1000, ge=10)
    examples: int = Field(3, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.motion.fps != HUMANML3D.fps:
            raise ValueError(f"motion.fps: expected {HUMANML3D.fps:g}, as the true motion, got {self.motion.fps:g}")
        _ = self.ways
        if LIFTED in self.variants:
            raise ValueError(f"variants: {LIFTED!r} is the way of `lift`; name it otherwise")
        return self

    @property
    def ways(self) -> dict[str, PseudoLabelConfig]:
        """The ways to lift of the variants."""
        whole = self.lift.model_dump()
        return {name: PseudoLabelConfig.model_validate(whole | changed) for name, changed in self.variants.items()}

    def conditions(self) -> dict[str, tuple[bool, DetectorNoise]]:
        """Whether each condition is seen from the sides, and its noise: the four, then each fault alone."""
        clean = self.noise.model_copy(update={"strength": 0.0})
        four = ((True, clean), (True, self.noise), (False, clean), (False, self.noise))
        return dict(zip(CONDITIONS, four, strict=True)) | {k: (False, n) for k, n in faults(self.noise).items()}
