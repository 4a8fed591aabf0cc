"""Writing a rig as BVH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from crossdiff.export.rig import Rig, end_offsets
from crossdiff.files import write_text

Unit = Literal["cm", "m"]
PER_METRE: dict[Unit, float] = {"cm": 100.0, "m": 1.0}
# Blender's importer takes lengths as metres, and by default puts each frame of the file on one of the scene's, of which
# a new scene has 24 a second.
BLENDER_FPS = 24.0
# As in CMU's and most other files: intrinsic rotations in this order.
_ORDER = "ZXY"


def write_bvh(rig: Rig, path: Path, unit: Unit = "m") -> None:
    """Write the skeleton and its motion: Y up, facing +Z at rest, rotations as ZXY angles in degrees.

    The root has position channels, in the unit, and no offset; other joints have rotations only. Head, wrists and toes
    have end sites.
    """
    write_text(path, bvh_text(rig, unit))


def bvh_text(rig: Rig, unit: Unit = "m") -> str:
    scale = PER_METRE[unit]
    order = _depth_first(rig)
    angles = np.stack([euler_angles(rig.rotations[:, joint]) for joint in order], axis=1)
    rows = np.concatenate([rig.root * scale, angles.reshape(len(angles), -1)], axis=1)
    head = ["HIERARCHY", *_joint(rig, 0, scale, end_offsets(rig.offsets, rig.skeleton), 0)]
    head += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / rig.fps:.8f}"]
    return "\n".join([*head, *(" ".join(f"{value:.6f}" for value in row) for row in rows)]) + "\n"


def euler_angles(rotations: Float[ndarray, "f 4"]) -> Float[ndarray, "f 3"]:
    """Angles about Z, X and Y in degrees, continuous in time where possible.

    Of the two representations of a rotation, modulo full turns, the nearest to the previous frame is taken, so that
    interpolation between frames is right. At X = +-90 degrees, Z and Y are not unique.
    """
    w, x, y, z = np.moveaxis(rotations, -1, 0)
    matrix = Rotation.from_quat(np.stack([x, y, z, w], axis=-1)).as_matrix()
    level = np.hypot(matrix[:, 2, 0], matrix[:, 2, 2])
    about_x = np.arctan2(matrix[:, 2, 1], level)
    locked = level < 1e-6
    about_z = np.where(
        locked, np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]), np.arctan2(-matrix[:, 0, 1], matrix[:, 1, 1])
    )
    about_y = np.where(locked, 0.0, np.arctan2(-matrix[:, 2, 0], matrix[:, 2, 2]))
    angles = np.degrees(np.stack([about_z, about_x, about_y], axis=-1))
    for now in range(1, len(angles)):
        z, x, y = angles[now]
        either = np.array([(z, x, y), (z + 180, 180 - x, y + 180)])
        near = either - 360 * np.round((either - angles[now - 1]) / 360)
        angles[now] = near[np.abs(near - angles[now - 1]).sum(axis=1).argmin()]
    return angles


def _depth_first(rig: Rig, joint: int = 0) -> list[int]:
    """The order of the file's channels."""
    return [joint, *(j for child in _children(rig, joint) for j in _depth_first(rig, child))]


def _children(rig: Rig, joint: int) -> list[int]:
    return [child for child, parent in enumerate(rig.skeleton.parents) if parent == joint]


def _joint(rig: Rig, joint: int, scale: float, ends: dict[int, ndarray], depth: int) -> Iterator[str]:
    """The lines of a joint and of its descendants."""
    kind, channels = ("JOINT", "3") if joint else ("ROOT", "6 Xposition Yposition Zposition")
    rotations = " ".join(f"{axis}rotation" for axis in _ORDER)
    yield "\t" * depth + f"{kind} {rig.names[joint]}"
    yield "\t" * depth + "{"
    yield "\t" * (depth + 1) + _offset(rig.offsets[joint] * scale)
    yield "\t" * (depth + 1) + f"CHANNELS {channels} {rotations}"
    for child in _children(rig, joint):
        yield from _joint(rig, child, scale, ends, depth + 1)
    if joint in ends:
        yield "\t" * (depth + 1) + "End Site"
        yield "\t" * (depth + 1) + "{"
        yield "\t" * (depth + 2) + _offset(ends[joint] * scale)
        yield "\t" * (depth + 1) + "}"
    yield "\t" * depth + "}"


def _offset(offset: ndarray) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in offset)
