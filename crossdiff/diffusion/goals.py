"""Points in space that a hand or foot reaches at a given time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.errors import InputError
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.limbs import Limb, limb_of, move_end, pelvis_facing
from crossdiff.representation.root_track import RootTrack, place_joints, with_root_track
from crossdiff.skeleton import HUMANML3D, Skeleton

# Seconds before and after the goal's time over which the limb moves there and back (one standard deviation).
_WIDTH = 0.25
# Metres of a horizontal distance that the limb itself covers; the root takes the rest by walking.
_BY_LIMB = 0.1
# Share of the displacement of a limb's end that its middle joint gets, before the network sees it.
_MIDDLE = 0.5
_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*"
_TEXT = re.compile(rf"\s*(\w+)\s*={_NUMBER},{_NUMBER},{_NUMBER}@{_NUMBER}s?\s*")


@dataclass(frozen=True)
class Goal:
    """A joint, and where it is at a time of the motion."""

    joint: str
    """l_wrist, r_wrist, l_ankle or r_ankle."""
    position: tuple[float, float, float]
    """x, y and z in metres, in the motion's axes: Y up, frame 0 over the origin facing +Z unless a path says where."""
    seconds: float
    """Time from the motion's start."""

    def __post_init__(self) -> None:
        if self.joint not in _ends(HUMANML3D):
            raise InputError(f"goal: expected one of {', '.join(_ends(HUMANML3D))}, got {self.joint!r}")
        if len(self.position) != 3 or not np.isfinite([*self.position, self.seconds]).all() or self.seconds < 0:
            raise InputError(f"goal: expected x, y, z and a time from 0 on, got {self.position} at {self.seconds}")

    @classmethod
    def parse(cls, text: str) -> Goal:
        """The goal of `r_wrist=0.5,1.2,0.3@2.5`: joint, x, y and z in metres, seconds."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise InputError(f"goal: expected JOINT=X,Y,Z@SECONDS, such as r_wrist=0.5,1.2,0.3@2.5, got {text!r}")
        x, y, z, seconds = map(float, match.groups()[1:])
        return cls(match[1], (x, y, z), seconds)

    def frame(self, frames: int, fps: float) -> int:
        """The frame of its time; InputError if the motion ends before."""
        frame = round(self.seconds * fps)
        if frame >= frames:
            raise InputError(
                f"goal: expected a time within the motion's {frames / fps:.2f} seconds, got {self.seconds:g}; "
                "sample a longer motion"
            )
        return frame

    def limb(self, skeleton: Skeleton) -> Limb:
        return limb_of(skeleton.index(self.joint), skeleton)


def _ends(skeleton: Skeleton) -> tuple[str, ...]:
    return tuple(name for name in skeleton.joint_names if name.endswith(("_wrist", "_ankle")))


def approach(
    track: RootTrack,
    features: Float[Tensor, "t d"],
    goals: Sequence[Goal],
    held: Bool[ndarray, " t"],
    skeleton: Skeleton = HUMANML3D,
) -> RootTrack:
    """The track with the root moved towards the goals, as far as the limbs alone should not reach.

    held: frames in which the root stays where it is; frame 0 always does. Between them the displacement changes
    smoothly, and after the last goal it stays.
    """
    from scipy.interpolate import PchipInterpolator  # slow to import

    missing = _missing(track, features, goals, skeleton)
    wanted: dict[int, list[complex]] = {}
    for goal, away in zip(goals, missing, strict=True):
        floor = complex(away[2], away[0])
        share = max(0.0, 1.0 - _BY_LIMB / max(abs(floor), 1e-9))
        wanted.setdefault(goal.frame(len(track.place), skeleton.fps), []).append(share * floor)
    anchors = {int(f): 0j for f in np.flatnonzero(held)} | {0: 0j}
    anchors = {f: complex(np.mean(ways)) for f, ways in wanted.items()} | anchors
    if len(anchors) < 2:
        return track
    frames = np.array(sorted(anchors))
    values = np.array([[anchors[f].real, anchors[f].imag] for f in frames])
    shift = PchipInterpolator(frames, values)(np.arange(len(track.place)).clip(0, frames[-1]))
    return RootTrack(track.place + shift @ np.array([1, 1j]), track.heading)


def stretch(
    features: Float[Tensor, "t d"], track: RootTrack, goals: Sequence[Goal], skeleton: Skeleton = HUMANML3D
) -> Float[Tensor, "t d"]:
    """The features with the positions of the goals' limbs moved to the goals; other values stay as they are."""
    changed = features.clone()
    for goal, away in zip(goals, _missing(track, features, goals, skeleton), strict=True):
        limb = goal.limb(skeleton)
        near = _nearness(goal, len(features), skeleton)
        turned = (away[2] + 1j * away[0]) * np.exp(-1j * track.heading)
        shift = near[:, None] * np.stack([turned.imag, np.full(len(near), away[1]), turned.real], axis=1)
        positions = changed[:, layout_3d(skeleton).positions].unflatten(-1, (-1, 3))
        for joint, share in ((limb.middle, _MIDDLE), (limb.end, 1.0), (limb.tip, 1.0)):
            if joint is not None:
                positions[:, joint - 1] += torch.as_tensor(share * shift / skeleton.metres_per_unit).to(positions)
    return changed


def reach(
    joints: Float[ndarray, "t j 3"], goals: Sequence[Goal], skeleton: Skeleton = HUMANML3D
) -> Float[ndarray, "t j 3"]:
    """Joints (metres) whose limbs reach the goals as far as they can, with bones of unchanged length."""
    reached = np.array(joints, dtype=np.float64)
    for goal in goals:
        limb, frame = goal.limb(skeleton), goal.frame(len(joints), skeleton.fps)
        away = np.array(goal.position) - reached[frame, limb.end]
        bend = pelvis_facing(reached, skeleton) * (1 if limb.end in skeleton.feet else -1)
        move_end(reached, limb, _nearness(goal, len(joints), skeleton)[:, None] * away, bend)
    return reached.astype(joints.dtype)


def _missing(
    track: RootTrack, features: Float[Tensor, "t d"], goals: Sequence[Goal], skeleton: Skeleton
) -> list[Float[ndarray, "3"]]:
    """The vector in metres from each goal's joint to the goal."""
    local = features_to_joints(with_root_track(features, track, skeleton), skeleton) * skeleton.metres_per_unit
    joints = place_joints(local.double().cpu().numpy(), float(track.heading[0]), complex(track.place[0]))
    return [
        np.array(goal.position) - joints[goal.frame(len(joints), skeleton.fps), skeleton.index(goal.joint)]
        for goal in goals
    ]


def _nearness(goal: Goal, frames: int, skeleton: Skeleton) -> Float[ndarray, " t"]:
    """1 at the goal's time, falling to 0 before and after it."""
    away = (np.arange(frames) - goal.frame(frames, skeleton.fps)) / (_WIDTH * skeleton.fps)
    return np.exp(-0.5 * away**2)
