"""Parts of the body that evaluators read: all of it, or the upper or lower half (FID-U, FID-L of the paper)."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy import ndarray

from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D, Skeleton

Part = Literal["all", "upper", "lower"]
PARTS: tuple[Part, ...] = get_args(Part)
NUM_CONTACTS = 4


def lower_joints(skeleton: Skeleton) -> tuple[int, ...]:
    """Legs and feet, without the pelvis."""
    legs = ("hip", "knee", "ankle", "heel", "foot", "toe")
    return tuple(j for j, name in enumerate(skeleton.joint_names) if j and name[2:].startswith(legs))


@cache
def _indices(skeleton: Skeleton, part: Part) -> tuple[int, ...]:
    layout = layout_3d(skeleton)
    every = np.arange(layout.dim)
    lower = np.array(lower_joints(skeleton))
    groups = [every[layout.root]]
    for group, width in ((layout.positions, layout.position_dim), (layout.rotations, layout.rotation_dim)):
        groups.append(every[group].reshape(-1, width)[lower - 1].ravel())
    groups.append(every[layout.velocities].reshape(-1, layout.position_dim)[[0, *lower]].ravel())
    groups.append(every[layout.contacts])
    below = np.concatenate(groups)
    chosen = {"all": every, "lower": below, "upper": np.setdiff1d(every, below)}[part]
    return tuple(int(i) for i in np.sort(chosen))


def part_indices(part: Part, skeleton: Skeleton = HUMANML3D) -> ndarray:
    """Indices of a part's values in the 3D features, ascending.

    Lower: root, positions and rotations of the legs, velocities of the pelvis and the legs, contacts (107 values for
    22 joints); upper: the rest (156).
    """
    return np.array(_indices(skeleton, part))


def part_contacts(part: Part) -> int:
    """Number of foot contacts, a part's last values, which the movement encoder does not read."""
    return 0 if part == "upper" else NUM_CONTACTS
