"""Measures of motions whose skating, depth, jerk and bones are known."""

from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from synthetic import person

from crossdiff.errors import InputError
from crossdiff.representation.physics import MEASURES, MotionMeasures, measure_motion
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton


def standing(frames: int = 30, skeleton: Skeleton = HUMANML3D) -> np.ndarray:
    """One pose, its lowest joint on the floor."""
    pose = person(1, skeleton)[0].double().numpy()
    pose[:, 1] -= pose[:, 1].min()
    return np.repeat(pose[None], frames, axis=0)


def moved(joints: np.ndarray, speed: float, axis: int, fps: float = 20.0) -> np.ndarray:
    """The clip at a constant speed, in m/s."""
    return joints + (np.arange(len(joints)) * speed / fps)[:, None, None] * np.eye(3)[axis]


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
def test_all_measures_of_someone_who_stands_are_zero(skeleton):
    assert_allclose(list(asdict(measure_motion(standing(30, skeleton), skeleton)).values()), 0, atol=1e-9)


@pytest.mark.parametrize("speed, share", [(0.4, 0.0), (0.6, 1.0), (2.0, 1.0)])
@pytest.mark.parametrize("axis", [0, 2])
def test_someone_who_slides_skates_at_that_speed(speed, share, axis):
    found = measure_motion(moved(standing(), speed, axis), HUMANML3D)
    assert found.skating_share == share
    assert_allclose(found.skating_speed, 100 * speed)


def test_part_of_the_time():
    joints = standing(41)
    joints[21:] = moved(joints[21:], 1.0, 0) + np.array([0.05, 0, 0])
    found = measure_motion(joints, HUMANML3D)
    assert_allclose((found.skating_share, found.skating_speed), (0.5, 50.0))


def test_feet_in_the_air_do_not_skate():
    joints = standing(40)
    joints[10:30, :, 1] += 1.0
    joints[10:30] = moved(joints[10:30], 3.0, 0)
    joints[30:, :, 0] = joints[29, :, 0]
    assert measure_motion(joints, HUMANML3D).skating_speed == 0


def test_one_bad_frame_is_not_the_floor():
    joints = moved(standing(60), 1.0, 0)
    joints[5, :, 1] -= 0.5
    assert measure_motion(joints, HUMANML3D).skating_share == 1.0


def test_depth_below_the_floor():
    sunk = standing() - [0, 0.03, 0]
    assert_allclose(measure_motion(sunk, HUMANML3D).floor_penetration, 3)
    half = np.concatenate([sunk, standing() + np.array([0, 0.5, 0])])
    assert_allclose(measure_motion(half, HUMANML3D).floor_penetration, 1.5)


def test_jerk_is_the_third_derivative():
    time = np.arange(30)[:, None, None] / 20.0
    assert measure_motion(standing() + 4 * time**2, HUMANML3D).jerk < 1e-6
    cubic = standing() + 2 * time**3 * np.eye(3)[0]
    assert_allclose(measure_motion(cubic, HUMANML3D).jerk, 12)


def test_bones_drift_by_their_scale():
    scale = np.where(np.arange(30) % 2, 1.1, 0.9)[:, None, None]
    assert_allclose(measure_motion(standing() * scale, HUMANML3D).bone_drift, 10)
    one = standing()
    up, joint = HUMANML3D.bones[-1]
    one[:, joint] = one[:, up] + (one[:, joint] - one[:, up]) * scale[:, 0]
    assert_allclose(measure_motion(one, HUMANML3D).bone_drift, 10 / 21)


@given(angle=st.floats(-4, 4), x=st.floats(-50, 50), z=st.floats(-50, 50))
def test_neither_turning_about_y_nor_moving_along_the_floor_matters(angle, x, z):
    joints = person(30).double().numpy()
    cos, sin = np.cos(angle), np.sin(angle)
    turned = joints @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) + [x, 0, z]
    one, other = (asdict(measure_motion(j, HUMANML3D)) for j in (joints, turned))
    assert_allclose(list(other.values()), list(one.values()), rtol=1e-6)


def test_every_measure_is_in_the_table():
    assert [f.name for f in fields(MotionMeasures)] == list(MEASURES)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="4 frames or more, 22"):
        measure_motion(standing(3), HUMANML3D)
    with pytest.raises(InputError, match="of the kit skeleton"):
        measure_motion(standing(), KIT)
    with pytest.raises(InputError, match="1980 values are not finite"):
        measure_motion(standing() * np.nan, HUMANML3D)
