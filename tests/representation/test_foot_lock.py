"""Feet that slide are held, legs keep their lengths, knees their side, and all else stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.errors import InputError
from crossdiff.representation.foot_lock import contacts, legs, lock_feet
from crossdiff.representation.physics import jerk, skating
from crossdiff.skeleton import HUMANML3D, KIT

LEG_JOINTS = [4, 5, 7, 8, 10, 11]
OTHERS = [j for j in range(22) if j not in LEG_JOINTS]


def standing(frames: int) -> np.ndarray:
    """Someone who stands with bent knees, facing +Z: (F, 22, 3)."""
    joints = np.zeros((22, 3))
    for j in range(22):
        joints[j] = (0.0, 0.9 + 0.02 * j, 0.0)
    for side, (hip, knee, ankle, toe) in ((1, (1, 4, 7, 10)), (-1, (2, 5, 8, 11))):
        joints[[hip, knee, ankle, toe]] = [
            (0.1 * side, 0.82, 0.0), (0.1 * side, 0.45, 0.12), (0.1 * side, 0.09, 0.0), (0.1 * side, 0.02, 0.13),
        ]  # fmt: skip
    return np.tile(joints, (frames, 1, 1))


def bones(joints):
    up, down = np.array(HUMANML3D.bones).T
    return np.linalg.norm(joints[:, down] - joints[:, up], axis=-1)


def stepping(frames: int = 40) -> np.ndarray:
    """The left foot slides ahead by 10 cm over the first 16 frames, then is lifted over 30 cm and put down."""
    joints = standing(frames)
    time = np.arange(frames)
    slide = 0.10 * np.clip(time / 15, 0, 1)
    swing = np.clip((time - 16) / 8, 0, 1)
    ahead = slide + 0.2 * (3 * swing**2 - 2 * swing**3)
    lift = 0.15 * np.sin(np.pi * swing)
    hip, knee, ankle, toe = 1, 4, 7, 10
    move = np.stack([0 * ahead, lift, ahead], axis=1)
    move[:, 2] -= 0.15
    before = joints[:, [knee, ankle]].copy()
    joints[:, ankle] += move
    joints[:, toe] += move
    thigh, shin = (
        np.linalg.norm(before[:, 0] - joints[:, hip], axis=1),
        np.linalg.norm(before[:, 1] - before[:, 0], axis=1),
    )
    reach = joints[:, ankle] - joints[:, hip]
    distance = np.linalg.norm(reach, axis=1)
    axis = reach / distance[:, None]
    along = (distance**2 + thigh**2 - shin**2) / (2 * distance)
    out = np.cross((1.0, 0.0, 0.0), axis)
    out *= np.sign(out[:, 2:])
    joints[:, knee] = joints[:, hip] + along[:, None] * axis + np.sqrt(thigh**2 - along**2)[:, None] * out
    return joints


def test_a_sliding_foot_is_held_where_it_is_on_average():
    joints = stepping()
    locked = lock_feet(joints)
    touching = contacts(joints)[:, 0]
    assert touching[:15].all() and not touching[19:22].any() and touching[-10:].all()
    assert np.ptp(joints[:15, 10, 2]) > 0.09
    assert np.ptp(locked[:15, 10, 2]) < 0.004
    first = touching.argmin()
    assert locked[:first, 10, 2].mean() == pytest.approx(joints[:first, 10, 2].mean(), abs=2e-3)
    np.testing.assert_allclose(locked[..., 10, 1], joints[..., 10, 1], atol=1e-3)


def test_bones_keep_their_lengths_and_knees_their_side():
    joints = stepping()
    locked = lock_feet(joints)
    np.testing.assert_allclose(bones(locked), bones(joints), atol=1e-9)
    np.testing.assert_array_equal(locked[:, OTHERS], joints[:, OTHERS])
    assert (locked[:, 4, 2] > np.minimum(locked[:, 1, 2], locked[:, 7, 2])).all()  # bent to the front
    assert np.abs(locked[:, 4, 0] - 0.1).max() < 1e-3  # and not to the side


def test_the_foot_moves_no_rougher_than_before():
    joints = stepping()
    assert jerk(lock_feet(joints), HUMANML3D) < 1.15 * jerk(joints, HUMANML3D)


def test_heights_stay():
    """A foot that slides and trembles up and down is held over the floor alone."""
    joints = standing(30)
    joints[:, [7, 10], 2] += np.linspace(0, 0.1, 30)[:, None]
    joints[:, [7, 10], 1] += 0.01 * np.sin(np.arange(30))[:, None]
    locked = lock_feet(joints)
    assert np.ptp(locked[:, 10, 2]) < 0.004
    np.testing.assert_allclose(locked[:, 10, 1], joints[:, 10, 1], atol=1e-6)


def test_a_foot_that_stands_is_left_alone():
    joints = standing(30)
    np.testing.assert_allclose(lock_feet(joints), joints, atol=1e-9)


def test_feet_in_the_air_are_left_alone():
    """A jump over 2 m: no foot is near the floor in the middle."""
    joints = standing(41)
    joints[10:31] += (0, 1, 0)
    joints[10:31, :, 2] += np.linspace(0, 2, 21)[:, None]
    joints[31:, :, 2] += 2
    assert not contacts(joints)[11:30].any()
    np.testing.assert_allclose(lock_feet(joints)[14:27], joints[14:27], atol=1e-6)


def test_a_nearly_straight_leg_does_not_flip():
    """The knee lies a hair behind the leg, as an error puts it there; a foot drawn nearer bends it to the front."""
    joints = standing(20)
    joints[:, 1], joints[:, 4], joints[:, 7] = (0.1, 0.82, 0), (0.1, 0.455, -0.002), (0.1, 0.09, 0.0)
    joints[:, [7, 10], 2] += np.linspace(-0.1, 0.1, 20)[:, None]
    joints[:, 7, 1] = 0.455 - np.sqrt(0.365**2 - joints[:, 7, 2] ** 2) + 0.02
    locked = lock_feet(joints)
    middle = (locked[:, 1] + locked[:, 7]) / 2
    ahead = (locked[:, 4] - middle)[:, 2]
    moved = np.abs(locked[:, 10, 2] - joints[:, 10, 2]) > 0.01
    assert (ahead[moved] > -0.01).all()
    assert np.abs(np.diff(locked[:, 4], axis=0)).max() < 0.03


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 40))
def test_any_motion_keeps_its_bones_and_its_upper_body(seed, frames):
    rng = np.random.default_rng(seed)
    joints = standing(frames) + np.cumsum(rng.normal(0, 0.01, (frames, 22, 3)), axis=0)
    locked = lock_feet(joints)
    assert np.isfinite(locked).all()
    np.testing.assert_allclose(bones(locked), bones(joints), atol=1e-6)
    np.testing.assert_array_equal(locked[:, OTHERS], joints[:, OTHERS])


@given(seed=st.integers(0, 2**32 - 1))
def test_trembling_feet_of_someone_who_stands_come_to_rest(seed):
    """The whole body sways by some cm: its feet stand still afterwards."""
    rng = np.random.default_rng(seed)
    time = np.arange(60)[:, None] / 20
    sway = 0.04 * np.sin(time * rng.uniform(1, 3, 3) + rng.uniform(0, 6, 3)) * (1, 0, 1)
    joints = standing(60) + sway[:, None]
    before, after = (skating(j, HUMANML3D)[1] for j in (joints, lock_feet(joints)))
    assert before > 1 and after < 0.1 * before


def test_other_skeletons_and_shapes_are_refused():
    assert legs()[0].middle == HUMANML3D.index("l_knee")
    with pytest.raises(InputError, match="kit"):
        lock_feet(np.zeros((9, 21, 3)), KIT)
    with pytest.raises(InputError, match=r"expected joints \(frames, 22, 3\), got \(9, 21, 3\)"):
        lock_feet(np.zeros((9, 21, 3)))
