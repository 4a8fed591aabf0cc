"""The root's path over the floor: from 3D features, corrected there, and back into them.

Points of the floor are complex numbers, z + ix, so that a heading psi (radians from +Z towards +X) turns them as
exp(i psi).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D, Skeleton


@dataclass(frozen=True)
class RootTrack:
    """Place and heading of one motion's root in each frame."""

    place: Complex[ndarray, " t"]
    """z + ix, in metres."""
    heading: Float[ndarray, " t"]
    """Radians from +Z towards +X, without jumps by whole turns."""

    def moved(self, turn: float, start: complex) -> RootTrack:
        """Turned as a whole about the origin, then moved so that frame 0 is at `start`."""
        turned = self.place * np.exp(1j * turn)
        return RootTrack(turned - turned[0] + start, self.heading + turn)

    def turned(self, turn: Float[ndarray, " t"]) -> RootTrack:
        """Other headings, with the same steps in the body's frame, from the same place."""
        heading = self.heading + turn
        steps = np.diff(self.place) * np.exp(1j * turn[1:])
        return RootTrack(self.place[0] + np.concatenate([[0], np.cumsum(steps)]), heading)


def root_track(features: Float[Tensor, "t d"], skeleton: Skeleton = HUMANML3D) -> RootTrack:
    """The track of 3D features, not normalised; frame 0 is at the origin and faces +Z (see `features_to_joints`)."""
    yaw, x, z = (features[:, layout_3d(skeleton).root].double().cpu().numpy().T)[:3]
    heading = -2 * np.concatenate([[0], np.cumsum(yaw[:-1])])
    steps = (z + 1j * x)[:-1] * np.exp(1j * heading[1:]) * skeleton.metres_per_unit
    return RootTrack(np.concatenate([[0], np.cumsum(steps)]), heading)


def with_root_track(
    features: Float[Tensor, "t d"], track: RootTrack, skeleton: Skeleton = HUMANML3D
) -> Float[Tensor, "t d"]:
    """The features with the root's steps of another track; the last row, whose step leads beyond it, keeps its own."""
    steps = np.diff(track.place) * np.exp(-1j * track.heading[1:]) / skeleton.metres_per_unit
    values = np.stack([-np.diff(track.heading) / 2, steps.imag, steps.real], axis=-1)
    changed = features.clone()
    root = layout_3d(skeleton).root
    changed[:-1, root.start : root.start + values.shape[1]] = torch.as_tensor(values).to(features)
    return changed


def place_joints(joints: Float[ndarray, "t j 3"], turn: float, start: complex) -> Float[ndarray, "t j 3"]:
    """Joints whose frame 0 is at the origin, turned about it by `turn` and moved to the floor's point `start`."""
    floor = (joints[..., 2] + 1j * joints[..., 0]) * np.exp(1j * turn) + start
    return np.stack([floor.imag, joints[..., 1], floor.real], axis=-1).astype(joints.dtype)
