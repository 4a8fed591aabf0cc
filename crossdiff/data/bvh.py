"""BVH files of any skeleton: reading, forward kinematics, and our joints by a map of names.

This is not left to a library: bvhio 1.5.4, the only maintained one, hangs on truncated files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation

from crossdiff.config import Config
from crossdiff.errors import ClipError
from crossdiff.skeleton import SKELETONS

_AXES = "XYZ"
_CHANNELS = {axis + kind for axis in _AXES for kind in ("position", "rotation")}


class JointMap(Config):
    """Joints of a BVH skeleton that make up ours. Position and facing do not matter: features turn frame 0 to +Z."""

    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    """Skeleton that the joints are mapped to."""
    metres_per_unit: float = Field(gt=0)
    """Unit of length of the file, in metres."""
    up: Literal["y", "z"] = "y"
    """Axis of the file that points up."""
    skip_frames: int = Field(0, ge=0)
    """Frames left out at the start, such as a T-pose."""
    joints: dict[str, str | dict[str, float]]
    """Our joint -> a BVH joint, or weights of several that sum to 1; `NAME_end` is the end site of NAME."""

    @model_validator(mode="after")
    def _complete(self) -> JointMap:
        names = SKELETONS[self.skeleton].joint_names
        missing, extra = [n for n in names if n not in self.joints], sorted(self.joints.keys() - set(names))
        if missing or extra:
            raise ValueError(f"joints must be those of {self.skeleton}; missing: {missing}, unknown: {extra}")
        for name in names:
            if not np.isclose(sum(self.weights(name).values()), 1.0, atol=1e-3):
                raise ValueError(f"the weights of {name} must sum to 1")
        return self

    def weights(self, joint: str) -> dict[str, float]:
        """Weights of the BVH joints that make up one of ours."""
        made_of = self.joints[joint]
        return {made_of: 1.0} if isinstance(made_of, str) else made_of

    def matrix(self, names: list[str]) -> Float[ndarray, "j n"]:
        """Weights of the BVH joints `names` in each of ours; ClipError where one is missing."""
        rows = SKELETONS[self.skeleton].joint_names
        wanted = {name for row in rows for name in self.weights(row)}
        if missing := sorted(wanted - set(names)):
            raise ClipError(f"lacks the joints {', '.join(missing)} of the joint map; it has {', '.join(names)}")
        matrix = np.zeros((len(rows), len(names)))
        for i, row in enumerate(rows):
            for name, weight in self.weights(row).items():
                matrix[i, names.index(name)] += weight
        return matrix


@dataclass(frozen=True)
class BvhJoint:
    """A joint or an end site. parent: index, -1 for the root; offset: (3,) from the parent; channels in their order."""

    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bvh:
    """joints: parents before children; channels: (F, C) values per frame in the joints' order; degrees, file units."""

    joints: tuple[BvhJoint, ...]
    channels: Float[ndarray, "f c"]
    fps: float

    def __post_init__(self) -> None:
        width = sum(len(j.channels) for j in self.joints)
        if self.channels.ndim != 2 or self.channels.shape[1] != width:
            raise ClipError(f"BVH motion: expected {width} values per frame, got shape {self.channels.shape}")
        if not 0 < self.fps < np.inf:
            raise ClipError(f"BVH motion: the time between frames must be positive, got {self.fps} frames a second")

    @property
    def names(self) -> list[str]:
        return [joint.name for joint in self.joints]

    def positions(self) -> Float[ndarray, "f n 3"]:
        """World positions of all joints and end sites in the file's unit and axes.

        Position channels replace the joint's offset; rotations are applied in the order of the channels.
        """
        frames = len(self.channels)
        placed = np.zeros((frames, len(self.joints), 3))
        turned: list[Rotation] = []
        start = 0
        for i, joint in enumerate(self.joints):
            values = self.channels[:, start : start + len(joint.channels)]
            start += len(joint.channels)
            local = np.tile(np.array(joint.offset), (frames, 1))
            for axis, column in zip(joint.channels, values.T, strict=True):
                if axis.endswith("position"):
                    local[:, _AXES.index(axis[0])] = column
            order = [k for k, c in enumerate(joint.channels) if c.endswith("rotation")]
            own = _rotation("".join(joint.channels[k][0] for k in order), values[:, order])
            if joint.parent < 0:
                placed[:, i], world = local, own
            else:
                up = turned[joint.parent]
                placed[:, i], world = placed[:, joint.parent] + up.apply(local), up * own
            turned.append(world)
        return placed


def _rotation(order: str, degrees: ndarray) -> Rotation:
    if not order:
        return Rotation.identity(len(degrees))
    return Rotation.from_euler(order, degrees, degrees=True)


def joints_of(bvh: Bvh, joint_map: JointMap) -> Float[ndarray, "f j 3"]:
    """Our joints, metres, Y up, without the frames that the map skips."""
    weights = joint_map.matrix(bvh.names)
    kept = Bvh(bvh.joints, bvh.channels[joint_map.skip_frames :], bvh.fps)
    joints = np.einsum("jn,fnc->fjc", weights, kept.positions()) * joint_map.metres_per_unit
    return (z_up_to_y_up(joints) if joint_map.up == "z" else joints).astype(np.float32)


def z_up_to_y_up(points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Rotate Z up to Y up; handedness is kept."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, z, -y], axis=-1)


def read_bvh(path: Path) -> Bvh:
    """Read one file; ClipError names it and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"{path}: not readable as text ({error})") from None
    try:
        return parse_bvh(text)
    except ClipError as error:
        raise ClipError(f"{path}: {error}") from None


def parse_bvh(text: str) -> Bvh:
    head, found, motion = text.partition("MOTION")
    tokens = head.split()
    if not found or tokens[:2] != ["HIERARCHY", "ROOT"]:
        raise ClipError("not a BVH file: it must begin with HIERARCHY and ROOT and hold a MOTION")
    joints = _hierarchy(iter(tokens[1:]))
    values = motion.replace("Frame Time:", "Frames:").split("Frames:")
    try:
        count, (interval, *rest) = int(values[1]), values[2].split()
        frame_time, numbers = float(interval), np.array(rest, dtype=np.float64)
    except (IndexError, ValueError):
        raise ClipError("MOTION must hold Frames:, Frame Time: and numbers alone") from None
    width = sum(len(j.channels) for j in joints)
    if count < 1 or frame_time <= 0 or not width or numbers.size != count * width:
        raise ClipError(f"expected {count} frames of {width} values, got {numbers.size} values; is the file cut off?")
    return Bvh(joints, numbers.reshape(count, width), 1.0 / frame_time)


def _hierarchy(tokens: Iterator[str]) -> tuple[BvhJoint, ...]:
    """The joints between HIERARCHY and MOTION, in the order of their channels."""
    joints: list[BvhJoint] = []
    open_joints = [-1]
    try:
        for token in tokens:
            if token == "}":
                open_joints.pop()
                continue
            if token not in ("ROOT", "JOINT", "End"):
                raise ClipError(f"expected ROOT, JOINT, End Site or a closing brace, got {token!r}")
            parent, name = open_joints[-1], next(tokens)
            ends = token == "End"
            joints.append(_joint(f"{joints[parent].name}_end" if ends else name, parent, tokens, moves=not ends))
            open_joints.append(len(joints) - 1)
    except (StopIteration, IndexError, ValueError):
        raise ClipError("the HIERARCHY is broken: braces, offsets or channels do not fit") from None
    if open_joints != [-1]:
        raise ClipError("the HIERARCHY is broken: a closing brace is missing")
    return tuple(joints)


def _joint(name: str, parent: int, tokens: Iterator[str], moves: bool) -> BvhJoint:
    """Parse a joint up to its channels; an end site has none."""
    _expect(tokens, "{")
    _expect(tokens, "OFFSET")
    x, y, z = [float(next(tokens)) for _ in range(3)]
    if not moves:
        return BvhJoint(name, parent, (x, y, z))
    _expect(tokens, "CHANNELS")
    channels = tuple([next(tokens) for _ in range(int(next(tokens)))])
    if unknown := set(channels) - _CHANNELS:
        raise ClipError(f"joint {name}: unknown channels {', '.join(sorted(unknown))}")
    return BvhJoint(name, parent, (x, y, z), channels)


def _expect(tokens: Iterator[str], wanted: str) -> None:
    got = next(tokens)
    if got != wanted:
        raise ClipError(f"expected {wanted}, got {got!r}")
