"""Small BVH files, AMASS files and body models with random but known content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from crossdiff.skeleton import HUMANML3D, Skeleton

_ORDER = "ZXY"


def turn(axis: str, degrees: float) -> ndarray:
    """Rotation matrix about an axis, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "X": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "Y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "Z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def write_bvh(
    path: Path, frames: int, skeleton: Skeleton = HUMANML3D, fps: float = 60.0, unit: float = 100.0, seed: int = 0
) -> ndarray:
    """A BVH whose joints are named as ours; returns their positions (F, J, 3) in metres.

    The body stands as the skeleton's rest directions say, and every joint turns about all axes over time.
    """
    rng = np.random.default_rng(seed)
    offsets = np.array([np.multiply(d, 0.2) for d in skeleton.rest])
    angles = rng.uniform(5, 30, (skeleton.num_joints, 3)) * np.sin(
        np.arange(frames)[:, None, None] / fps * rng.uniform(1, 3, (skeleton.num_joints, 3))
    )
    root = np.array([0.0, 0.9, 0.0]) + np.arange(frames)[:, None] / fps * np.array([0.1, 0.0, 0.8])
    world = np.zeros((frames, skeleton.num_joints, 3))
    for f in range(frames):
        turned: dict[int, ndarray] = {}
        for joint in _depth_first(skeleton):
            own = np.linalg.multi_dot([turn(a, d) for a, d in zip(_ORDER, angles[f, joint], strict=True)])
            up = skeleton.parents[joint]
            turned[joint] = own if up < 0 else turned[up] @ own
            world[f, joint] = root[f] if up < 0 else world[f, up] + turned[up] @ offsets[joint]
    order = _depth_first(skeleton)
    rows = [np.concatenate([root[f] * unit, angles[f, order].ravel()]) for f in range(frames)]
    numbers = "\n".join(" ".join(f"{v:.6f}" for v in row) for row in rows)
    tree = "\n".join(_tree(skeleton, 0, offsets * unit))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"HIERARCHY\n{tree}\nMOTION\nFrames: {frames}\nFrame Time: {1 / fps:.8f}\n{numbers}\n")
    return world


def _depth_first(skeleton: Skeleton, joint: int = 0) -> list[int]:
    children = [j for j, up in enumerate(skeleton.parents) if up == joint]
    return [joint, *(j for child in children for j in _depth_first(skeleton, child))]


def _tree(skeleton: Skeleton, joint: int, offsets: ndarray) -> list[str]:
    rotations = " ".join(f"{axis}rotation" for axis in _ORDER)
    channels = f"3 {rotations}" if joint else f"6 Xposition Yposition Zposition {rotations}"
    place = " ".join(f"{v:.6f}" for v in (offsets[joint] if joint else np.zeros(3)))
    lines = [f"{'JOINT' if joint else 'ROOT'} {skeleton.joint_names[joint]}", "{", f"OFFSET {place}"]
    lines.append(f"CHANNELS {channels}")
    children = [j for j, up in enumerate(skeleton.parents) if up == joint]
    for child in children:
        lines += _tree(skeleton, child, offsets)
    if not children:
        lines += ["End Site", "{", "OFFSET 0 10 0", "}"]
    return [*lines, "}"]


def own_names(skeleton: Skeleton = HUMANML3D, **changes: Any) -> dict[str, Any]:
    """A joint map for the files of `write_bvh`."""
    joints = {name: name for name in skeleton.joint_names}
    return {"skeleton": skeleton.name, "metres_per_unit": 0.01, "joints": joints} | changes


def body_arrays(seed: int = 0, vertices: int = 60) -> dict[str, ndarray]:
    """A random body of the SMPL-H kind: 52 joints, the first 22 in our tree, ten shapes, Y up as SMPL's are."""
    rng = np.random.default_rng(seed)
    parents = [*HUMANML3D.parents, *([20, 22, 23] * 5), *([21, 37, 38] * 5)]
    rows = rng.random((52, vertices))
    weights = rng.random((vertices, 52))
    return {
        "v_template": rng.normal(size=(vertices, 3)),
        "shapedirs": 0.05 * rng.normal(size=(vertices, 3, 16)),
        "posedirs": np.zeros((vertices, 3, 51 * 9)),
        "J_regressor": rows / rows.sum(1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(52)], dtype=np.uint32),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": np.array([[0, 1, 2]], dtype=np.uint32),
        **{
            f"hands_{kind}{side}": np.zeros(shape)
            for kind, shape in (("mean", 45), ("components", (45, 45)))
            for side in "lr"
        },
    }


def write_amass(path: Path, frames: int, fps: float = 60.0, gender: str = "male", seed: int = 0) -> dict[str, ndarray]:
    """An AMASS recording with slowly changing random poses."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / fps
    content: dict[str, Any] = {
        "poses": 0.4 * np.sin(time * rng.uniform(0.5, 2, 156) + rng.uniform(0, 6, 156)),
        "trans": np.concatenate([0.3 * time, 0.1 * time, 1 + 0 * time], axis=1),
        "betas": rng.normal(size=16),
        "mocap_framerate": np.array(fps),
        "gender": np.array(gender),
        "dmpls": np.zeros((frames, 8)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return content
