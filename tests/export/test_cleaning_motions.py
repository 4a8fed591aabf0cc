"""Smoothing, rigid bones and the foot lock together."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import person

from crossdiff.export.clean import clean_motion, smooth_motion
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D


def trembling(frames=60, noise=0.01):
    joints = person(frames, turn=0.0).double().numpy()
    return Motion3D(joints + np.random.default_rng(0).normal(0, noise, joints.shape), 20.0)


def test_smoothing_lowers_jerk_and_rigid_bones_end_drift():
    motion = trembling()
    rough, smooth = clean_motion(motion), clean_motion(motion, sigma=1.0)
    assert rough.before == smooth.before and smooth.after.jerk < 0.3 * rough.after.jerk
    assert rough.before.bone_drift > 1
    for cleaned in (rough, smooth):
        assert cleaned.after.bone_drift < 1e-6
        assert 0 < cleaned.mean_moved < cleaned.most_moved
    away = np.linalg.norm(rough.rig.joints() - motion.joints, axis=-1)
    assert rough.most_moved == pytest.approx(away.max())


@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_measures_and_lock_know_the_frame_rate(fps):
    """A stiff person who is carried along at 1.2 m/s: too fast for a foot that slides."""
    path = np.arange(2 * fps)[:, None, None] / fps * np.array([1.2, 0, 0])
    motion = Motion3D(person(1).double().numpy() + path, fps)
    cleaned = clean_motion(motion, foot_lock=True)
    assert cleaned.contact_speed is None
    assert cleaned.before.skating_share == 1 and cleaned.before.skating_speed == pytest.approx(120)
    np.testing.assert_allclose(cleaned.rig.joints(), motion.joints, atol=1e-6)


@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_the_speed_of_feet_in_contact_counts_no_toe_that_swings_past(fps):
    """Somebody slides at 0.1 m/s, and for a while swings one toe 2 cm above the floor at 3 m/s."""
    path = np.arange(3 * fps)[:, None, None] / fps * np.array([0.1, 0, 0])
    joints = person(1).double().numpy() + path
    toe, swinging = HUMANML3D.feet[1], slice(int(fps), int(2 * fps))
    joints[swinging, toe] += np.array([0, 0.02, 0])
    joints[swinging, toe, 2] += 0.06 * (-1.0) ** np.arange(int(fps)) * 20 / fps
    locked, free = (clean_motion(Motion3D(joints, fps), foot_lock=lock) for lock in (True, False))
    assert locked.contact_speed is not None and free.contact_speed is not None
    assert locked.contact_speed[0] == free.contact_speed[0] == pytest.approx(10, abs=0.2)
    assert locked.contact_speed[1] < 1 < 8 < free.contact_speed[1]


def test_nothing_is_smoothed_without_being_asked():
    motion = trembling()
    assert smooth_motion(motion, 0.0) is motion
    still = Motion3D(np.tile(motion.joints[:1], (30, 1, 1)), 20.0)
    np.testing.assert_allclose(smooth_motion(still).joints, still.joints, atol=1e-12)


def test_the_lock_keeps_the_skeleton():
    """Rest pose and bone lengths are those of the motion without the lock."""
    motion = trembling()
    free, locked = clean_motion(motion, 1.0), clean_motion(motion, 1.0, foot_lock=True)
    np.testing.assert_array_equal(free.rig.offsets, locked.rig.offsets)
    assert locked.after.bone_drift < 1e-6
    upper = [j for j in range(22) if j not in (4, 5, 7, 8, 10, 11)]
    np.testing.assert_allclose(locked.rig.joints()[:, upper], free.rig.joints()[:, upper], atol=2e-3)
    assert HUMANML3D.joint_names[4] == "l_knee"
