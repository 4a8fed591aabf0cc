"""BVH files: read back by bvhio and by our own reader, joints are where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving import random_rig
from scipy.spatial.transform import Rotation
from synthetic import person

from crossdiff.data.bvh import parse_bvh, read_bvh
from crossdiff.export.bvh import bvh_text, euler_angles, write_bvh
from crossdiff.export.rig import fit_rig
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D

NAMES = list(HUMANML3D.joint_names)


def ours(bvh):
    """(F, 22, 3) in the file's unit, in our order."""
    return bvh.positions()[:, [bvh.names.index(name) for name in NAMES]]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), most=st.floats(0, 3))
def test_bvhio_finds_the_joints_within_a_millimetre(tmp_path_factory, seed, most):
    bvhio = pytest.importorskip("bvhio", reason="bvhio is not installed")
    rig = random_rig(4, seed, most)
    path = tmp_path_factory.mktemp("bvh") / "motion.bvh"
    write_bvh(rig, path)
    read = bvhio.readAsHierarchy(str(path))
    for frame, joints in enumerate(rig.joints()):
        read.loadPose(frame)
        found = {joint.Name: np.array(joint.PositionWorld) for joint, _, _ in read.layout()}
        np.testing.assert_allclose([found[name] for name in NAMES], joints, atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1), unit=st.sampled_from(["cm", "m"]))
def test_our_reader_finds_the_joints(seed, unit):
    rig = random_rig(5, seed)
    bvh = parse_bvh(bvh_text(rig, unit))
    np.testing.assert_allclose(ours(bvh) * {"cm": 0.01, "m": 1.0}[unit], rig.joints(), atol=2e-5)
    assert bvh.fps == pytest.approx(20.0)


def test_a_walk_from_joints_to_file_and_back(tmp_path):
    """The bones that leave this person's pelvis do not keep their angles: compared is the rig, which does."""
    rig = fit_rig(Motion3D(person(30).numpy(), 20.0)).rig
    write_bvh(rig, tmp_path / "walk.bvh")
    np.testing.assert_allclose(ours(read_bvh(tmp_path / "walk.bvh")), rig.joints(), atol=1e-4)


def test_what_the_file_says():
    rig = random_rig(3)
    text = bvh_text(rig)
    head, motion = text.split("MOTION\n")
    lines = [line.strip() for line in head.splitlines()]
    assert lines[:5] == [
        "HIERARCHY", "ROOT pelvis", "{", "OFFSET 0.000000 0.000000 0.000000",
        "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation",
    ]  # fmt: skip
    assert lines.count("CHANNELS 3 Zrotation Xrotation Yrotation") == 21 and lines.count("End Site") == 5
    assert motion.splitlines()[:2] == ["Frames: 3", "Frame Time: 0.05000000"]
    first = [float(v) for v in motion.splitlines()[2].split()]
    assert len(first) == 3 + 3 * 22
    np.testing.assert_allclose(first[:3], rig.root[0], atol=1e-6)


@given(vectors=st.lists(st.tuples(*[st.floats(-3.1, 3.1)] * 3), min_size=1, max_size=6))
def test_angles_are_the_rotation(vectors):
    turns = Rotation.from_rotvec(np.array(vectors))
    angles = euler_angles(turns.as_quat()[:, [3, 0, 1, 2]])
    back = Rotation.from_euler("ZXY", angles, degrees=True)
    assert (back.inv() * turns).magnitude().max() < 1e-5


def test_angles_at_the_locked_pose_and_past_it():
    """About X through 90 degrees and on, with Y and Z turned: the rotation is right in every frame."""
    turns = Rotation.from_euler("ZXY", [[20, x, -30] for x in (0, 45, 89.9, 90, 90.1, 135, 180, 270)], degrees=True)
    angles = euler_angles(turns.as_quat()[:, [3, 0, 1, 2]])
    back = Rotation.from_euler("ZXY", angles, degrees=True)
    assert (back.inv() * turns).magnitude().max() < 1e-4


def test_angles_run_on_past_a_full_turn():
    turning = np.arange(0, 800, 15.0)
    w, y = np.cos(np.radians(turning / 2)), np.sin(np.radians(turning / 2))
    angles = euler_angles(np.stack([w, 0 * w, y, 0 * w], axis=-1))
    np.testing.assert_allclose(angles, np.stack([0 * w, 0 * w, turning], axis=-1), atol=1e-6)
