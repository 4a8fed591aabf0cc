"""Rotations from joints: rigid bones come back exactly, drifting ones as near as their lengths allow."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from moving import BODY, random_rig
from scipy.spatial.transform import Rotation
from synthetic import person

from crossdiff.errors import ClipError
from crossdiff.export.rig import JOINT_NAMES, Rig, bone_medians, end_offsets, fit_rig, resample_rig, rest_offsets
from crossdiff.representation.features3d import retarget
from crossdiff.skeleton import HUMANML3D, KIT
from crossdiff.types import Motion3D


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 12), most=st.floats(0, 2.5))
def test_rigid_bones_come_back(seed, frames, most):
    rig = random_rig(frames, seed, most)
    fit = fit_rig(Motion3D(rig.joints(), 20.0))
    assert fit.largest_error < 1e-5
    np.testing.assert_allclose(fit.rig.joints(), rig.joints(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(fit.rig.offsets, axis=1), BODY, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_rotations_do_not_depend_on_where_the_person_stands_and_faces(seed):
    rig = random_rig(4, seed)
    turn = Rotation.from_euler("Y", 100, degrees=True)
    joints = rig.joints()
    moved = turn.apply(joints.reshape(-1, 3)).reshape(joints.shape) + np.array([3.0, 0.0, -1.0])
    one, other = (fit_rig(Motion3D(j, 20.0), rig.offsets).rig.rotations[:, 1:] for j in (joints, moved))
    np.testing.assert_allclose(np.abs((one * other).sum(-1)), 1.0, atol=1e-6)


def test_forward_kinematics_by_hand():
    """The left elbow bends by 90 degrees about Y: the forearm, at rest along +X, points to -Z."""
    local = np.tile([1.0, 0.0, 0.0, 0.0], (1, 22, 1))
    elbow, wrist = HUMANML3D.index("l_elbow"), HUMANML3D.index("l_wrist")
    local[0, elbow] = [np.sqrt(0.5), 0, np.sqrt(0.5), 0]
    offsets = rest_offsets(BODY)
    offsets[wrist] = [0.25, 0, 0]
    joints = Rig(offsets, np.array([[0.0, 1.0, 0.0]]), local, 20.0).joints()[0]
    np.testing.assert_allclose(joints[wrist] - joints[elbow], [0, 0, -0.25], atol=1e-12)
    np.testing.assert_allclose(joints[0], [0, 1, 0])


def test_the_rest_pose_is_a_t_pose_that_faces_ahead():
    joints = Rig(rest_offsets(BODY), np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 22, 1)), 20.0).joints()[0]
    at = {name: joints[j] for j, name in enumerate(HUMANML3D.joint_names)}
    assert at["l_wrist"][0] > 0.6 and at["r_wrist"][0] < -0.6
    assert abs(at["l_wrist"][1] - at["l_shoulder"][1]) < 0.05
    assert at["head"][1] > 0.5 > -0.7 > at["l_ankle"][1]
    assert at["l_foot"][2] - at["l_ankle"][2] > 0.1
    ends = end_offsets(rest_offsets(BODY))
    assert {HUMANML3D.joint_names[j] for j in ends} == {"head", "l_foot", "r_foot", "l_wrist", "r_wrist"}


def test_drifting_bones_get_their_median_length_and_say_how_far_joints_go():
    joints = person(30).double().numpy()
    rng = np.random.default_rng(0)
    noisy = joints + rng.normal(0, 0.01, joints.shape)
    fit = fit_rig(Motion3D(noisy, 20.0))
    np.testing.assert_allclose(np.linalg.norm(fit.rig.offsets, axis=1), bone_medians(noisy), atol=1e-9)
    away = np.linalg.norm(fit.rig.joints() - noisy, axis=-1)
    assert fit.largest_error == pytest.approx(away.max()) and fit.mean_error == pytest.approx(away.mean())
    assert 0.001 < fit.mean_error < 0.03
    np.testing.assert_allclose(fit.rig.root, noisy[:, 0])


def test_neighbouring_frames_have_neighbouring_quaternions():
    rig = fit_rig(Motion3D(random_rig(60, 3, 2.0).joints(), 20.0)).rig
    assert ((rig.rotations[1:] * rig.rotations[:-1]).sum(-1) > 0).all()


def test_bones_that_point_back_along_their_rest_are_solved():
    rig = random_rig(1, 0, 0.0)
    rotations = rig.rotations.copy()
    rotations[0, HUMANML3D.index("l_elbow")] = [0, 0, 0, 1.0]  # the forearm folded onto the upper arm
    joints = Rig(rig.offsets, rig.root, rotations, 20.0).joints()
    assert fit_rig(Motion3D(joints, 20.0)).largest_error < 1e-5


def test_other_skeletons_and_empty_motions_are_refused():
    with pytest.raises(ClipError, match="kit"):
        fit_rig(Motion3D(np.zeros((5, 21, 3)), 20.0, KIT))
    with pytest.raises(ClipError, match="no frames"):
        fit_rig(Motion3D(np.zeros((0, 22, 3)), 20.0))
    with pytest.raises(ClipError, match=r"offsets of shape \(22, 3\)"):
        Rig(np.zeros((3, 3)), np.zeros((1, 3)), np.zeros((1, 22, 4)), 20.0)


@pytest.mark.shared
@pytest.mark.parametrize(("source", "mean", "largest"), [("bnr", 2e-4, 1e-3), ("cmu", 5e-3, 5e-2)])
def test_real_motion_moves_by_little(shared, source, mean, largest):
    """Captured motion on HumanML3D's body. The shoulders of the source `cmu` move against the upper spine."""
    with np.load(shared / "data" / "motions.npz", allow_pickle=False) as z:
        delta, starts, unit, ids = z["joints_delta"], z["offsets"], float(z["unit_m"]), z["ids"]
    chosen = np.flatnonzero(np.char.startswith(ids, source))
    assert len(chosen) > 100
    for n in chosen[:: len(chosen) // 10]:
        clip = np.cumsum(delta[starts[n] : starts[n + 1]].astype(np.int64), axis=0) * unit
        joints = retarget(torch.from_numpy(clip), torch.tensor(BODY)).numpy()
        fit = fit_rig(Motion3D(joints, 20.0))
        assert fit.mean_error < mean and fit.largest_error < largest, ids[n]


@pytest.mark.parametrize("fps", [7.0, 20.0, 24.0, 30.0, 120.0])
def test_resampling_keeps_the_movement_and_its_bones(fps):
    """Turning and moving steadily, every frame in between is known."""
    seconds = np.arange(41) / 20
    still = np.tile([1.0, 0, 0, 0], (41, 22, 1))
    still[:, 3] = np.stack([np.cos(seconds), 0 * seconds, np.sin(seconds), 0 * seconds], axis=-1)
    still[11:, 3] *= -1  # the same rotation
    rig = Rig(rest_offsets(BODY), seconds[:, None] * (1.0, 0, 0.5), still, 20.0)
    resampled = resample_rig(rig, fps)
    at = np.arange(len(resampled.root)) / fps
    assert resampled.fps == fps and 2 - 1 / fps < at[-1] <= 2 + 1e-9
    np.testing.assert_allclose(resampled.root, at[:, None] * (1.0, 0, 0.5), atol=1e-9)
    turned = np.stack([np.cos(at), 0 * at, np.sin(at), 0 * at], axis=-1)
    np.testing.assert_allclose(np.abs((resampled.rotations[:, 3] * turned).sum(-1)), 1, atol=1e-9)
    np.testing.assert_allclose(resampled.joints()[0], rig.joints()[0], atol=1e-9)


@pytest.mark.parametrize("names", JOINT_NAMES.values(), ids=JOINT_NAMES)
def test_joints_have_names_of_their_own_that_say_the_side(names):
    sides = {"Left": "Right", "left": "right", "l_": "r_", "_l": "_r"}
    sides |= {right: left for left, right in sides.items()}
    assert len(set(names)) == 22
    for name, other in zip(names, (names[joint] for joint in HUMANML3D.mirror), strict=True):
        assert re.sub("Left|Right|^left|^right|^[lr]_|_[lr]$", lambda found: sides[found[0]], name) == other
    for name, ours in zip(names, HUMANML3D.joint_names, strict=True):
        assert ours.startswith("l_") == bool(re.search("Left|^left|^l_|_l$", name))
