"""A small walking person, built from the skeleton's own tree, and what the viewing tests read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossdiff.skeleton import HUMANML3D, KIT, Skeleton
from crossdiff.types import Motion3D
from crossdiff.video import VideoReader

_UPRIGHT = {"hip": (0.1, -0.05), "shoulder": (0.18, -0.02), "collar": (0.06, 0.08)}  # sideways, up
_DROP = {"knee": 0.4, "ankle": 0.4, "heel": 0.04, "foot": 0.03, "elbow": 0.27, "wrist": 0.25}
_RISE = {"spine": 0.15, "chest": 0.2, "neck": 0.16, "head": 0.1, "spine1": 0.12, "spine2": 0.13, "spine3": 0.07}


def _walking(frames: int = 12, speed: float = 0.06, skeleton: Skeleton = HUMANML3D, fps: float = 20.0) -> Motion3D:
    """Someone who swings arms and legs and walks along +z, `speed` metres per frame; left is +x."""
    pose = np.zeros((skeleton.num_joints, 3))
    pose[0, 1] = 0.96
    for up, joint in skeleton.bones:
        name = skeleton.joint_names[joint]
        part, side = name.removeprefix("l_").removeprefix("r_"), {"l_": 1, "r_": -1}.get(name[:2], 0)
        sideways, rise = _UPRIGHT.get(part, (0.0, _RISE.get(part, -_DROP.get(part, 0.0))))
        ahead = 0.12 if part == "foot" else 0.0
        pose[joint] = pose[up] + (side * sideways, rise, ahead)
    joints = np.repeat(pose[None], frames, axis=0)
    swing = np.sin(np.arange(frames) * 0.6)
    for j, name in enumerate(skeleton.joint_names):
        if name[2:] in ("ankle", "foot", "heel", "knee", "wrist", "elbow"):
            joints[:, j, 2] += (1 if name[0] == "l" else -1) * 0.2 * swing
    joints[..., 2] += speed * np.arange(frames)[:, None]
    return Motion3D(joints, fps, skeleton)


@pytest.fixture(params=[HUMANML3D, KIT], ids=lambda s: s.name)
def skeleton(request: pytest.FixtureRequest) -> Skeleton:
    return request.param


@pytest.fixture
def walking() -> Callable[..., Motion3D]:
    """Makes a walking person: `walking(frames, speed, skeleton, fps)`."""
    return _walking


@pytest.fixture
def frames_of() -> Callable[[Path], list[np.ndarray]]:
    return lambda path: list(VideoReader(path).frames())
