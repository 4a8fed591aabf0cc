"""GLB files: what they hold, skinned by the test's own code as the glTF specification says."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving import random_rig
from scipy.spatial.transform import Rotation

from crossdiff.export.glb import figure_mesh, glb_bytes, write_glb
from crossdiff.skeleton import HUMANML3D

TYPES = {5126: "<f4", 5121: "u1", 5123: "<u2", 5125: "<u4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Gltf:
    """A GLB taken apart."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack("<4sII", data[:12])
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack("<I4s", data[12:20])
        assert kind == b"JSON" and size % 4 == 0
        self.document: dict[str, Any] = json.loads(data[20 : 20 + size])
        rest = data[20 + size :]
        binary, kind = struct.unpack("<I4s", rest[:8])
        assert kind == b"BIN\0" and binary % 4 == 0 and len(rest) == 8 + binary
        self.binary = rest[8:]

    def array(self, number: int) -> np.ndarray:
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        width = WIDTHS[accessor["type"]]
        count = accessor["count"] * width
        return np.frombuffer(self.binary, TYPES[accessor["componentType"]], count, view["byteOffset"]).reshape(
            -1, width
        )

    def attribute(self, name: str) -> np.ndarray:
        return self.array(self.document["meshes"][0]["primitives"][0]["attributes"][name])

    def world(self, frame: int | None) -> np.ndarray:
        """(22, 4, 4) matrices of the joints: at rest, or in a frame of the animation."""
        nodes, (animation,) = self.document["nodes"], self.document["animations"]
        local = [np.eye(4) for _ in nodes]
        for node, matrix in zip(nodes, local, strict=True):
            matrix[:3, 3] = node.get("translation", (0, 0, 0))
        for channel in animation["channels"] if frame is not None else []:
            value = self.array(animation["samplers"][channel["sampler"]]["output"])[frame]
            matrix = local[channel["target"]["node"]]
            if channel["target"]["path"] == "translation":
                matrix[:3, 3] = value
            else:
                matrix[:3, :3] = Rotation.from_quat(value).as_matrix()
        world: dict[int, np.ndarray] = {}

        def walk(node: int, up: np.ndarray) -> None:
            world[node] = up @ local[node]
            for child in nodes[node].get("children", []):
                walk(child, world[node])

        walk(self.document["skins"][0]["skeleton"], np.eye(4))
        return np.stack([world[j] for j in self.document["skins"][0]["joints"]])

    def skinned(self, frame: int | None) -> np.ndarray:
        bind = self.array(self.document["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        moved = self.world(frame) @ bind
        points = np.concatenate([self.attribute("POSITION"), np.ones((len(self.attribute("POSITION")), 1))], axis=1)
        each = np.einsum("vkij,vj->vki", moved[self.attribute("JOINTS_0")], points)
        return (each * self.attribute("WEIGHTS_0")[..., None]).sum(axis=1)[:, :3]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), most=st.floats(0, 3))
def test_joints_and_skin_move_as_the_rig_does(seed, most):
    rig = random_rig(3, seed, most)
    gltf = Gltf(glb_bytes(rig))
    rest, bound = gltf.world(None)[:, :3, 3], gltf.attribute("JOINTS_0")[:, 0]
    np.testing.assert_allclose(gltf.skinned(None), gltf.attribute("POSITION"), atol=1e-5)
    positions, rotations = rig.posed()
    for frame in range(3):
        np.testing.assert_allclose(gltf.world(frame)[:, :3, 3], positions[frame], atol=1e-5)
        turns = Rotation.from_quat(rotations[frame][bound][:, [1, 2, 3, 0]])
        expected = positions[frame][bound] + turns.apply(gltf.attribute("POSITION") - rest[bound])
        np.testing.assert_allclose(gltf.skinned(frame), expected, atol=1e-5)


def test_times_names_and_limits():
    gltf = Gltf(glb_bytes(random_rig(5), "walk"))
    assert [node["name"] for node in gltf.document["nodes"][:22]] == list(HUMANML3D.joint_names)
    assert gltf.document["animations"][0]["name"] == "walk"
    sampler = gltf.document["animations"][0]["samplers"][0]
    np.testing.assert_allclose(gltf.array(sampler["input"])[:, 0], [0, 0.05, 0.1, 0.15, 0.2], atol=1e-6)
    accessor = gltf.document["accessors"][sampler["input"]]
    assert accessor["min"] == [0.0] and accessor["max"] == [pytest.approx(0.2)]
    primitive = gltf.document["meshes"][0]["primitives"][0]
    limits = gltf.document["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_array_equal(limits["min"], gltf.attribute("POSITION").min(axis=0))
    np.testing.assert_array_equal(limits["max"], gltf.attribute("POSITION").max(axis=0))
    assert gltf.array(primitive["indices"]).max() == len(gltf.attribute("POSITION")) - 1
    for view in gltf.document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0


def test_capsules_follow_the_joint_that_their_bone_begins_in():
    """The left forearm's points lie around the line from elbow to wrist, and are bound to the elbow."""
    rig = random_rig(1)
    gltf = Gltf(glb_bytes(rig))
    elbow, wrist = HUMANML3D.index("l_elbow"), HUMANML3D.index("l_wrist")
    rest = gltf.world(None)[:, :3, 3]
    own = gltf.attribute("POSITION")[gltf.attribute("JOINTS_0")[:, 0] == elbow]
    along = (rest[wrist] - rest[elbow]) / np.linalg.norm(rest[wrist] - rest[elbow])
    away = np.linalg.norm(np.cross(own - rest[elbow], along), axis=1)
    assert len(own) and away.max() < 0.06
    assert rest[:, 1].min() == pytest.approx(0, abs=1e-6)


def test_faces_look_outwards():
    rig = random_rig(1)
    mesh = figure_mesh(rig, Gltf(glb_bytes(rig)).world(None)[:, :3, 3])
    a, b, c = (mesh.points[mesh.faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert ((normals * mesh.normals[mesh.faces].mean(axis=1)).sum(axis=1) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-9)


def test_trimesh_loads_the_figure(tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    rig = random_rig(3)
    write_glb(rig, tmp_path / "figure.glb")
    scene = trimesh.load(tmp_path / "figure.glb")
    (mesh,) = scene.geometry.values()
    low, high = mesh.bounds
    assert 1.4 < high[1] - low[1] < 2.0 and 1.3 < high[0] - low[0] < 2.0  # a person, arms spread
    assert mesh.volume > 0.02
    assert set(HUMANML3D.joint_names) <= set(scene.graph.nodes)
