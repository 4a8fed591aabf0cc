"""The root's path over the floor: from 3D features, corrected there, and back into them.

Points of the floor are complex numbers, z + ix, so that a heading psi (radians from +Z towards +X) turns them as
exp(i psi).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.representation.filters import smoothest_curve
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D, Skeleton

# Weights of frames in which a place is known, and of all others, against the smoothness of the correction.
_KNOWN, _FREE = 1e3, 1e-6


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


def hold(track: RootTrack, known: RootTrack, held: Bool[ndarray, " t"]) -> RootTrack:
    """The track moved so that the root is where `known` says, with its heading, in the frames of `held`.

    The track is moved as a whole to the first of these frames. Then the headings are turned, and the steps with them,
    by the smoothest curve through what is missing; then places are moved in the same way.
    """
    frames = np.flatnonzero(held)
    if not len(frames):
        return track
    first = frames[0]
    turn = known.heading[first] - track.heading[first]
    moved = track.moved(turn, 0j)
    moved = moved.moved(0.0, known.place[first] - moved.place[first])
    missing = np.unwrap(_wrapped(known.heading[frames] - moved.heading[frames]))
    turned = moved.turned(_through(missing[:, None], frames, len(held))[:, 0])
    away = known.place[frames] - turned.place[frames]
    shift = _through(np.stack([away.real, away.imag], axis=1), frames, len(held)) @ np.array([1, 1j])
    return RootTrack(turned.place + shift, turned.heading)


def _wrapped(angle: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """The angle between -pi and pi."""
    return np.angle(np.exp(1j * angle))


def _through(values: Float[ndarray, "n c"], frames: ndarray, count: int) -> Float[ndarray, "t c"]:
    """The smoothest curve over `count` frames with these values in some of them."""
    wanted, weight = np.zeros((count, values.shape[1])), np.full(count, _FREE)
    wanted[frames], weight[frames] = values, _KNOWN
    curve = smoothest_curve(wanted, weight)
    curve[frames] = values
    return curve


def place_joints(joints: Float[ndarray, "t j 3"], turn: float, start: complex) -> Float[ndarray, "t j 3"]:
    """Joints whose frame 0 is at the origin, turned about it by `turn` and moved to the floor's point `start`."""
    floor = (joints[..., 2] + 1j * joints[..., 0]) * np.exp(1j * turn) + start
    return np.stack([floor.imag, joints[..., 1], floor.real], axis=-1).astype(joints.dtype)
