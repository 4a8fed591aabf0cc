"""Named slices of the feature vectors, the only place with widths and indices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from crossdiff.skeleton import HUMANML3D, Skeleton

Layout2D = Literal["paper", "official"]


@dataclass(frozen=True)
class FeatureLayout:
    """Groups of a feature vector, in their order: root | positions | rotations | velocities | contacts."""

    name: str
    num_joints: int
    root_dim: int
    position_dim: int
    rotation_dim: int
    velocity_joints: tuple[int, ...]

    def _widths(self) -> tuple[int, ...]:
        others = self.num_joints - 1
        return (
            self.root_dim,
            self.position_dim * others,
            self.rotation_dim * others,
            self.position_dim * len(self.velocity_joints),
            4,
        )

    def _slice(self, group: int) -> slice:
        widths = self._widths()
        start = sum(widths[:group])
        return slice(start, start + widths[group])

    @cached_property
    def dim(self) -> int:
        return sum(self._widths())

    @cached_property
    def root(self) -> slice:
        return self._slice(0)

    @cached_property
    def pose(self) -> slice:
        """Everything but the root."""
        return slice(self.root_dim, self.dim)

    @cached_property
    def positions(self) -> slice:
        return self._slice(1)

    @cached_property
    def rotations(self) -> slice:
        return self._slice(2)

    @cached_property
    def velocities(self) -> slice:
        return self._slice(3)

    @cached_property
    def contacts(self) -> slice:
        return self._slice(4)

    @cached_property
    def moving(self) -> Bool[ndarray, " d"]:
        """True for the values that depend on the global path: root, velocities and contacts."""
        mask = np.zeros(self.dim, dtype=bool)
        for group in (self.root, self.velocities, self.contacts):
            mask[group] = True
        return mask

    @property
    def groups(self) -> dict[str, slice]:
        names = ("root", "positions", "rotations", "velocities", "contacts")
        return {name: self._slice(i) for i, name in enumerate(names)}


@cache
def layout_3d(skeleton: Skeleton = HUMANML3D) -> FeatureLayout:
    """HumanML3D's vector: root (yaw velocity, x and z velocity, height), 3D positions, 6D rotations, velocities."""
    j = skeleton.num_joints
    return FeatureLayout("humanml3d", j, 4, 3, 6, tuple(range(j)))


@cache
def layout_2d(skeleton: Skeleton = HUMANML3D, layout: Layout2D = "paper") -> FeatureLayout:
    """CrossDiff's 2D vector: root velocity, 2D positions, (cos, sin) rotations, velocities, contacts.

    `paper` counts velocities without the root (132 values for 22 joints), `official` with it (134).
    """
    j = skeleton.num_joints
    return FeatureLayout(layout, j, 2, 2, 2, tuple(range(1 if layout == "paper" else 0, j)))
