"""BVH files of any skeleton: reading, forward kinematics, and our joints by a map of names.

This is not left to a library: bvhio 1.5.4, the only maintained one, hangs on truncated files.
"""

from __future__ import annotations

import re
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
from crossdiff.files import decoding
from crossdiff.skeleton import SKELETONS

_AXES = "XYZ"
_CHANNELS = {axis + kind for axis in _AXES for kind in ("position", "rotation")}
# The hierarchy ends at the word before "Frames:"; joints may have names such as MOTION_x.
_MOTION = re.compile(r"(?<!\S)MOTION\s+Frames\s*:\s*(\d{1,9})\s+Frame\s*Time\s*:\s*(\S+)", re.IGNORECASE)
# A joint's name is the rest of its line; a brace may follow on the same line.
_NAME = re.compile(r"(?<!\S)(ROOT|JOINT|End)\s+([^\n{]*?)[ \t]*(?=[{\n])", re.IGNORECASE)
# Positions of all joints that are in memory at once, to bound it for long takes.
_BLOCK = 2_000_000


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
        if twice := sorted(name for name in wanted if names.count(name) > 1):
            raise ClipError(f"has several joints named {', '.join(twice)}, which the joint map uses")
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

    def __post_init__(self) -> None:
        if unknown := set(self.channels) - _CHANNELS:
            raise ClipError(f"joint {self.name}: unknown channels {', '.join(sorted(unknown))}")
        if len(set(self.channels)) < len(self.channels):
            raise ClipError(f"joint {self.name}: a channel appears twice in {' '.join(self.channels)}")
        if not np.isfinite(self.offset).all():
            raise ClipError(f"joint {self.name}: the offset holds NaN or infinity")


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
        finite = np.isfinite(self.channels).all(axis=1)
        if not finite.all():
            raise ClipError(f"frame {int(np.argmin(finite)) + 1} of {len(finite)} holds NaN or infinity")

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
    kept = bvh.channels[joint_map.skip_frames :]
    size = max(1, _BLOCK // len(bvh.joints))
    blocks = [Bvh(bvh.joints, kept[i : i + size], bvh.fps).positions() for i in range(0, len(kept), size)]
    joints = np.concatenate([np.einsum("jn,fnc->fjc", weights, block) for block in blocks] or [np.zeros((0, 1, 3))])
    joints = joints.reshape(len(kept), len(weights), 3) * joint_map.metres_per_unit
    return (z_up_to_y_up(joints) if joint_map.up == "z" else joints).astype(np.float32)


def z_up_to_y_up(points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Rotate Z up to Y up; handedness is kept."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, z, -y], axis=-1)


def read_bvh(path: Path) -> Bvh:
    """Read one file; ClipError names it and what is wrong."""
    with decoding(path, "a readable BVH file", ClipError):
        text = path.read_text(encoding="utf-8-sig")
        try:
            return parse_bvh(text)
        except ClipError as error:
            raise ClipError(f"{path}: {error}") from None


def parse_bvh(text: str) -> Bvh:
    """The joints and channels of a file's text, as the programs write it.

    Names of joints may hold spaces, keywords any case, and "Frames :" a space. ClipError says what is wrong.
    """
    motion = _MOTION.search(text)
    if motion is None or not re.match(r"\s*HIERARCHY\s+ROOT\b", text, re.IGNORECASE):
        raise ClipError("not a BVH file: it must begin with HIERARCHY and ROOT, and hold MOTION, Frames and Frame Time")
    joints = _hierarchy(text[: motion.start()])
    count = int(motion[1])
    try:
        frame_time, numbers = float(motion[2]), np.array(text[motion.end() :].split(), dtype=np.float64)
    except ValueError as error:
        raise ClipError(f"MOTION must hold Frames:, Frame Time: and numbers alone ({error})") from None
    width = sum(len(j.channels) for j in joints)
    if count < 1 or not width or numbers.size != count * width:
        raise ClipError(f"expected {count} frames of {width} values, got {numbers.size} values; is the file cut off?")
    if not 0 < frame_time < np.inf:
        raise ClipError(f"the time between frames must be positive, got {motion[2]}")
    return Bvh(joints, numbers.reshape(count, width), 1.0 / max(frame_time, 1e-300))


def _hierarchy(text: str) -> tuple[BvhJoint, ...]:
    """The joints between HIERARCHY and MOTION, in the order of their channels."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    names = [found[2] for found in _NAME.finditer(text)]
    # Without the names, which may hold spaces and keywords.
    tokens = _NAME.sub(r" \1 ", text).replace("{", " { ").replace("}", " } ").split()[1:]
    return _joints(iter(tokens), iter(names))


def _joints(tokens: Iterator[str], names: Iterator[str]) -> tuple[BvhJoint, ...]:
    joints: list[BvhJoint] = []
    open_joints = [-1]
    try:
        for token in tokens:
            if token == "}":
                open_joints.pop()
                continue
            if token.upper() not in ("ROOT", "JOINT", "END"):
                raise ClipError(f"expected ROOT, JOINT, End Site or a closing brace, got {token[:80]!r}")
            parent, name = open_joints[-1], next(names)
            ends = token.upper() == "END"
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
    channels = tuple([_channel(next(tokens)) for _ in range(int(next(tokens)))])
    return BvhJoint(name, parent, (x, y, z), channels)


def _channel(token: str) -> str:
    return token[:1].upper() + token[1:].lower()


def _expect(tokens: Iterator[str], wanted: str) -> None:
    got = next(tokens)
    if got.upper() != wanted:
        raise ClipError(f"expected {wanted}, got {got[:80]!r}")
