"""Settings of a study of film with measured 3D motion. All of them are written into its result."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from crossdiff.config import Config, make_config
from crossdiff.pipeline.build import BuildConfig
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.pipeline.tracks.people import PeopleConfig

MAIN = "main"


class LabellingConfig(Config):
    """Settings of the stages after extraction."""

    filter: FilterConfig = FilterConfig()
    """Settings of `filter`."""
    build: BuildConfig = BuildConfig()
    """Settings of `build-2d`."""
    pseudo_label: PseudoLabelConfig = PseudoLabelConfig()
    """Settings of `pseudo-label`."""


class FilmStudyConfig(LabellingConfig):
    """How the videos of a film folder are labelled, and which labels are measured."""

    backend: str = "mediapipe"
    """Pose estimator."""
    pose_settings: tuple[str, ...] = ()
    """Its settings, as `key=value`."""
    people: PeopleConfig = PeopleConfig()
    """Settings of `extract-2d`."""
    accepted_only: bool = False
    """Leave out labels that pseudo-label rejects by their quality. They are measured by default, and counted apart."""
    variants: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Other settings to measure, by name: those of `filter`, `build` and `pseudo_label` that differ."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.settings
        if MAIN in self.variants:
            raise ValueError(f"variants: {MAIN!r} is the name of the settings themselves; choose another")
        return self

    @property
    def settings(self) -> dict[str, LabellingConfig]:
        """The settings to measure by name, the main ones first."""
        main = {name: getattr(self, name) for name in LabellingConfig.model_fields}
        found = {MAIN: LabellingConfig(**main)}
        for name, changes in self.variants.items():
            values = found[MAIN].model_dump()
            for section, changed in changes.items():
                values[section] = values.get(section, {}) | changed
            found[name] = make_config(LabellingConfig, f"variants.{name}", **values)
        return found
