"""Rates of the motion features, in one run on one core: 2D features in 4 views beside a plain numpy loop; 3D features.

    python benchmarks/representation.py

The loop does what a direct transcription does: clip by clip, view by view, a 2x2 rotation matrix per bone, multiplied
along the chains. Rates are frames per second (frame-views for 2D), for clips of 196 feature frames; the loop's result
is compared with ours.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import torch

from crossdiff.representation.features2d import CONTACT_THRESHOLD, joints_to_features_2d
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.representation.projection import VIEW_YAW, project_orthographic
from crossdiff.skeleton import HUMANML3D

CLIPS, FRAMES = 16, 197
SECONDS = 3.0


def motions(count: int) -> torch.Tensor:
    """Smooth random motions around a standing body, shape (count, FRAMES, 22, 3), metres."""
    generator = torch.Generator().manual_seed(0)
    body = torch.tensor(HUMANML3D.body)[:, None] * torch.tensor(HUMANML3D.rest)
    standing = torch.zeros(22, 3)
    for parent, joint in HUMANML3D.bones:
        standing[joint] = standing[parent] + body[joint]
    steps = torch.randn(count, FRAMES, 22, 3, generator=generator) * 0.01
    return standing + steps.cumsum(1)


def loop_2d(joints: np.ndarray) -> np.ndarray:
    """2D features (paper layout) of one clip in one view, (T, 22, 2) -> (T - 1, 132), the plain way."""
    frames, count = joints.shape[:2]
    turns = np.zeros((frames, count, 2))
    for chain in HUMANML3D.chains:
        before = np.tile(np.eye(2), (frames, 1, 1))
        for parent, joint in itertools.pairwise(chain):
            bone = joints[:, joint] - joints[:, parent]
            bone = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
            world = np.stack([np.stack([bone[:, 0], -bone[:, 1]], -1), np.stack([bone[:, 1], bone[:, 0]], -1)], -2)
            local = np.matmul(np.transpose(before, (0, 2, 1)), world)
            turns[:, joint] = np.stack([local[:, 0, 0], local[:, 0, 1]], -1)
            before = np.matmul(before, local)
    step = joints[1:] - joints[:-1]
    contact = (step[:, list(HUMANML3D.feet)] ** 2).sum(-1) < CONTACT_THRESHOLD
    parts = [step[:, 0], joints[:-1, 1:] - joints[:-1, :1], turns[:-1, 1:], step[:, 1:], contact[..., None]]
    return np.concatenate([p.reshape(frames - 1, -1) for p in parts], axis=-1)


def rate(work: Callable[[], object], frames: int) -> float:
    """Frames per second of repeated calls."""
    work()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        work()
        calls += 1
    return frames * calls / (time.perf_counter() - start)


def main() -> None:
    torch.set_num_threads(1)
    joints = motions(CLIPS)
    yaws = torch.tensor(list(VIEW_YAW.values()))[:, None, None, None]
    views = project_orthographic(joints, yaws)
    plain = views.double().numpy()
    difference = np.abs(loop_2d(plain[0, 0]) - joints_to_features_2d(views[0, 0])[0].numpy()).max()
    frame_views = views.shape[0] * CLIPS * (FRAMES - 1)

    loop = rate(lambda: [loop_2d(plain[v, c]) for v in range(len(plain)) for c in range(CLIPS)], frame_views)
    ours = rate(lambda: joints_to_features_2d(project_orthographic(joints, yaws)), frame_views)
    ours_3d = rate(lambda: joints_to_features_3d(joints), CLIPS * (FRAMES - 1))
    print(f"2D features, numpy loop          {loop:12,.0f} frame-views/s")
    print(f"2D features with projection      {ours:12,.0f} frame-views/s  ({ours / loop:.1f} times the loop)")
    print(f"3D features                      {ours_3d:12,.0f} frames/s")
    print(f"largest difference of the two 2D ways: {difference:.1e}")


if __name__ == "__main__":
    main()
