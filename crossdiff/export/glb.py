"""Writing a rig as GLB (binary glTF 2.0): a skinned figure of capsules, its skeleton and one animation.

A GLB has a JSON chunk and a binary chunk, which are assembled here without a library.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossdiff.export.rig import Rig
from crossdiff.files import write_atomically
from crossdiff.viewing.figure import Body, body_of

# Constants of the glTF 2.0 specification.
_FLOAT, _BYTE, _SHORT, _INT = 5126, 5121, 5123, 5125
_KINDS = {np.dtype("<f4"): _FLOAT, np.dtype("u1"): _BYTE, np.dtype("<u2"): _SHORT, np.dtype("<u4"): _INT}
_SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (16,): "MAT4"}
_VERTICES, _FACES = 34962, 34963
_JSON_CHUNK, _BINARY_CHUNK = b"JSON", b"BIN\0"
# Points around a capsule, and rings on the hemisphere at each of its ends.
_AROUND, _RINGS = 16, 5


def write_glb(rig: Rig, path: Path, name: str = "motion") -> None:
    """Write the figure with its animation: metres, Y up, facing +Z at rest, seconds, one key per frame, linear."""
    data = glb_bytes(rig, name)
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def glb_bytes(rig: Rig, name: str = "motion") -> bytes:
    rest, _ = _at_rest(rig)
    mesh = figure_mesh(rig, rest)
    numbers = _Numbers()
    joints = rig.skeleton.num_joints
    # Nodes: the joints in their order, then the mesh.
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "CrossDiff"},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [0, joints]}],
        "nodes": [*_joint_nodes(rig, rest), {"name": "figure", "mesh": 0, "skin": 0}],
        "meshes": [{"name": "figure", "primitives": [_primitive(mesh, numbers)]}],
        "materials": [
            {"name": "figure", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.7}},
        ],
        "skins": [
            {
                "joints": list(range(joints)),
                "skeleton": 0,
                "inverseBindMatrices": numbers.add(_inverse_bind(rest)),
            }
        ],
        "animations": [_animation(rig, name, numbers)],
    }
    document |= {"accessors": numbers.accessors, "bufferViews": numbers.views}
    document["buffers"] = [{"byteLength": len(numbers.data)}]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = b"".join(
        struct.pack("<I4s", len(chunk), kind) + chunk
        for kind, chunk in ((_JSON_CHUNK, text), (_BINARY_CHUNK, bytes(numbers.data)))
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class _Numbers:
    """The binary chunk, and the offsets of its arrays."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: ndarray, target: int | None = None, limits: bool = False) -> int:
        """Append an array (N, ...); returns its accessor's number. limits: state its least and largest values."""
        array = np.ascontiguousarray(array)
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes}
        self.views.append(view if target is None else view | {"target": target})
        self.data += array.tobytes()
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": _KINDS[array.dtype],
            "count": len(array),
            "type": _SHAPES[array.shape[1:]],
        }
        if limits:
            rows = array.reshape(len(array), -1)
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _at_rest(rig: Rig) -> tuple[Float[ndarray, "j 3"], Float[ndarray, " 3"]]:
    """Joints of the T-pose with the lowest joint on the floor and the root over the origin, and its root."""
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (1, rig.skeleton.num_joints, 1))
    joints = Rig(rig.offsets, np.zeros((1, 3)), identity, rig.fps, rig.skeleton).joints()[0]
    joints = joints - (0.0, joints[:, 1].min(), 0.0)
    return joints, joints[0]


def _joint_nodes(rig: Rig, rest: ndarray) -> list[dict[str, Any]]:
    nodes = []
    for joint, name in enumerate(rig.names):
        offset = rig.offsets[joint] if joint else rest[0]
        node: dict[str, Any] = {"name": name, "translation": offset.tolist()}
        children = [child for child, parent in enumerate(rig.skeleton.parents) if parent == joint]
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _inverse_bind(rest: Float[ndarray, "j 3"]) -> Float[ndarray, "j 16"]:
    """Inverse bind matrices, column-major as in glTF."""
    matrices = np.tile(np.eye(4, dtype="<f4"), (len(rest), 1, 1))
    matrices[:, 3, :3] = -rest
    return matrices.reshape(len(rest), 16)


def _primitive(mesh: FigureMesh, numbers: _Numbers) -> dict[str, Any]:
    bound, weight = np.zeros((len(mesh.joint), 4), dtype="u1"), np.zeros((len(mesh.joint), 4), dtype="<f4")
    bound[:, 0], weight[:, 0] = mesh.joint, 1.0
    attributes = {
        "POSITION": numbers.add(mesh.points.astype("<f4"), _VERTICES, limits=True),
        "NORMAL": numbers.add(mesh.normals.astype("<f4"), _VERTICES),
        # glTF's vertex colours are linear.
        "COLOR_0": numbers.add((mesh.colours**2.2).astype("<f4"), _VERTICES),
        "JOINTS_0": numbers.add(bound, _VERTICES),
        "WEIGHTS_0": numbers.add(weight, _VERTICES),
    }
    faces = numbers.add(mesh.faces.reshape(-1).astype("<u2" if len(mesh.points) < 2**16 else "<u4"), _FACES)
    return {"attributes": attributes, "indices": faces, "material": 0}


def _animation(rig: Rig, name: str, numbers: _Numbers) -> dict[str, Any]:
    """Channels for the root's position and every joint's rotation, as (x, y, z, w)."""
    times = numbers.add((np.arange(len(rig.root)) / rig.fps).astype("<f4"), limits=True)
    values = [("translation", 0, rig.root)]
    values += [("rotation", j, rig.rotations[:, j, [1, 2, 3, 0]]) for j in range(rig.skeleton.num_joints)]
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for kind, joint, array in values:
        channels.append({"sampler": len(samplers), "target": {"node": joint, "path": kind}})
        samplers.append({"input": times, "interpolation": "LINEAR", "output": numbers.add(array.astype("<f4"))})
    return {"name": name, "samplers": samplers, "channels": channels}


@dataclass(frozen=True)
class FigureMesh:
    """A mesh at rest.

    points, normals: (V, 3), metres.
    colours: (V, 3), sRGB in 0..1.
    faces: (T, 3), counter-clockwise from outside.
    joint: (V,), the joint that each point moves with.
    """

    points: Float[ndarray, "v 3"]
    normals: Float[ndarray, "v 3"]
    colours: Float[ndarray, "v 3"]
    faces: Int[ndarray, "t 3"]
    joint: Int[ndarray, " v"]


def figure_mesh(rig: Rig, rest: Float[ndarray, "j 3"]) -> FigureMesh:
    """The figure around joints at rest (J, 3); a capsule moves with the joint that its bone begins in."""
    body = body_of(rig.skeleton, rest[None])
    parts = []
    for ends, radii, colour, joint in zip(body.capsules(rest), body.radii, body.colours, _owners(body), strict=True):
        points, normals, faces = _capsule(ends, radii)
        parts.append((points, normals, np.tile(colour / 255, (len(points), 1)), faces, np.full(len(points), joint)))
    starts = np.cumsum([0] + [len(part[0]) for part in parts[:-1]])
    return FigureMesh(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        np.concatenate([p[3] + start for p, start in zip(parts, starts, strict=True)]),
        np.concatenate([p[4] for p in parts]),
    )


def _owners(body: Body) -> list[int]:
    """Joint of each capsule, in the order of `Body.capsules`: bones, head, hands."""
    return [int(up) for up, _ in body.bones] + [body.head[0]] + [wrist for wrist, _ in body.hands]


def _capsule(ends: Float[ndarray, "2 3"], radii: Float[ndarray, " 2"]) -> tuple[ndarray, ndarray, ndarray]:
    """Points, normals and faces of a tapered capsule: two hemispheres and the surface between them."""
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    axis = along / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
    around = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), other)
    # From pole to pole; the middle ring occurs twice, once at each end.
    polar = np.linspace(-np.pi / 2, np.pi / 2, 2 * _RINGS + 1)
    polar = np.concatenate([polar[: _RINGS + 1], polar[_RINGS:]])
    at_end = (np.arange(len(polar)) > _RINGS).astype(int)
    normals = np.sin(polar)[:, None, None] * axis + np.cos(polar)[:, None, None] * around
    points = ends[at_end][:, None] + radii[at_end][:, None, None] * normals
    first = np.arange(_AROUND)
    following = (first + 1) % _AROUND
    faces = []
    for ring in range(len(polar) - 1):
        low, high = ring * _AROUND, (ring + 1) * _AROUND
        if ring > 0:  # the ring at the pole is one point
            faces.append(np.stack([low + first, low + following, high + first], axis=1))
        if ring < len(polar) - 2:
            faces.append(np.stack([low + following, high + following, high + first], axis=1))
    return points.reshape(-1, 3), normals.reshape(-1, 3), np.concatenate(faces)
