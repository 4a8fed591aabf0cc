"""Motions cut into windows of one second: joints relative to the root, which is all that the classifiers see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator

from crossdiff.representation.features3d import canonicalise, retarget
from crossdiff.representation.projection import project_orthographic, view_yaw
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion2D

FRAMES = 20  # of a window
_STEP = 5  # frames from one window to the next
_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# Joints that annotators and the skeleton have alike.
NAMES = ("neck", "head", *(f"{side}_{part}" for part in _PARTS for side in "lr"))
_JOINTS = [HUMANML3D.index(name) for name in NAMES]
# For each joint the place of its counterpart in `NAMES`.
MIRROR = [NAMES.index({"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:]) for name in NAMES]
_VIEW_SPREAD = 25.0  # degrees: a view called "left" is about from the left


class Windows(NamedTuple):
    """Windows of several clips."""

    joints: Float[ndarray, "n 20 14 c"]
    """Metres relative to the root, in the order of `NAMES`; 0 where not seen."""
    seen: Bool[ndarray, "n 20 14"]
    clip: Int[ndarray, " n"]
    """The clip that each window is of, from 0."""


def flat_windows(motions: Sequence[Motion2D]) -> Windows:
    """Windows of 2D motions (20 frames per second). Motions shorter than a window have none."""
    return _gather([_cut(m.joints - m.joints[:, :1], m.valid & m.valid[:, :1]) for m in motions])


def solid_windows(motions: Sequence[Float[ndarray, "f 22 3"]]) -> Windows:
    """Windows of 3D motions (metres, Y up, 20 frames per second) on the skeleton's body, each first facing +Z."""
    windows = []
    for joints in motions:
        cut = _starts(len(joints))[:, None] + np.arange(FRAMES)
        placed = canonicalise(torch.from_numpy(on_one_body(joints)[cut])).numpy()
        local = (placed - placed[:, :, :1])[:, :, _JOINTS]
        windows.append((local, np.ones(local.shape[:-1], dtype=bool)))
    return _gather(windows)


def seen_from(joints: Float[ndarray, "f 22 3"], view: str, rng: Generator) -> Motion2D:
    """A 3D motion as a still camera sees it from about a named side; everything is visible."""
    yaw = view_yaw(view) + rng.normal(0, _VIEW_SPREAD)
    flat = project_orthographic(torch.from_numpy(on_one_body(joints)), yaw).numpy()
    return Motion2D(flat.astype(np.float32), np.ones(flat.shape[:2], dtype=bool), HUMANML3D.fps)


def on_one_body(joints: Float[ndarray, "f 22 3"]) -> Float[ndarray, "f 22 3"]:
    """The motion on the skeleton's body, as `crossdiff prepare` puts it there, first facing +Z."""
    body = torch.tensor(HUMANML3D.body)
    return canonicalise(retarget(torch.from_numpy(np.asarray(joints, dtype=np.float32)), body)).numpy()


def hide(windows: Windows, masks: Bool[ndarray, "m 20 14"], rng: Generator, times: int) -> Windows:
    """The windows without the joints that other windows, drawn by chance `times` times, do not show."""
    seen = windows.seen.copy()
    for _ in range(times):
        seen &= masks[rng.integers(len(masks), size=len(seen))]
    return windows._replace(joints=windows.joints * seen[..., None], seen=seen)


def _starts(frames: int) -> Int[ndarray, " n"]:
    return np.arange(0, frames - FRAMES + 1, _STEP)


def _cut(joints: Float[ndarray, "f 22 c"], seen: Bool[ndarray, "f 22"]) -> tuple[ndarray, ndarray]:
    at = _starts(len(joints))[:, None] + np.arange(FRAMES)
    visible = seen[:, _JOINTS][at]
    return joints[:, _JOINTS][at] * visible[..., None], visible


def _gather(windows: Sequence[tuple[ndarray, ndarray]]) -> Windows:
    clip = np.repeat(np.arange(len(windows)), [len(joints) for joints, _ in windows])
    joints, seen = (np.concatenate(parts) for parts in zip(*windows, strict=True))
    return Windows(joints.astype(np.float32), seen, clip)
