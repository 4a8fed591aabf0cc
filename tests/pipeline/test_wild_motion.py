"""Keypoints to 2D motion: axes, time, scale, gaps, smoothing, cutting."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wild import keypoints, standing, waving

from crossdiff.errors import ClipError
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.pipeline.motion2d.motion import (
    BODY_LENGTH,
    TRUNK_LENGTH,
    UPPER_LENGTH,
    MotionConfig,
    cut,
    pixels_per_metre,
    resample,
    to_motions,
)
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

J = HUMANML3D.index
CFG = MotionConfig()


def test_a_person_facing_the_camera_stands_upright_in_metres_with_the_left_side_at_the_right():
    (motion,) = to_motions(keypoints(waving(60)), CFG)
    joints = motion.joints
    assert motion.fps == 20 and joints.shape == (60, 22, 2) and motion.valid.all()
    np.testing.assert_allclose(joints[0, 0], 0, atol=1e-6)
    assert joints[:, J("head"), 1].min() > 0.4 and joints[:, J("l_ankle"), 1].max() < -0.6
    assert (joints[:, J("l_shoulder"), 0] > joints[:, J("r_shoulder"), 0]).all()
    assert 1.4 < np.ptp(joints[0, :, 1]) < 1.8


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_size_and_place_in_the_picture_do_not_matter(factor):
    xy = waving(60)
    (motion,) = to_motions(keypoints(xy), CFG)
    (other,) = to_motions(keypoints(xy * factor + [40, -7]), CFG)
    np.testing.assert_allclose(other.joints, motion.joints, atol=1e-4)


@pytest.mark.parametrize("fps", [12.5, 25.0, 30.0, 59.94])
def test_the_source_frame_rate_does_not_matter(fps):
    frames = round(4 * fps) + 1
    (motion,) = to_motions(keypoints(waving(frames, fps), fps), CFG)
    (expected,) = to_motions(keypoints(waving(len(motion.joints), 20)), CFG)
    assert abs(len(motion.joints) - 81) <= 1
    np.testing.assert_allclose(motion.joints, expected.joints, atol=0.06)


def test_motions_of_another_frame_rate():
    (motion,) = to_motions(keypoints(waving(120)), MotionConfig(fps=12.5))
    (expected,) = to_motions(keypoints(waving(120)), CFG)
    assert motion.fps == 12.5 and len(motion.joints) == 75
    times = np.arange(75) / 12.5
    wrist = expected.joints[:, J("l_wrist"), 1]
    np.testing.assert_allclose(
        motion.joints[:, J("l_wrist"), 1], np.interp(times, np.arange(120) / 20, wrist), atol=0.08
    )


def test_frames_that_are_missing_in_the_source_keep_their_time():
    xy, frame = waving(80), np.delete(np.arange(80), [30, 31])
    (motion,) = to_motions(keypoints(xy[frame], frame=frame), CFG)
    (expected,) = to_motions(keypoints(xy), CFG)
    assert motion.valid.all()
    assert np.flatnonzero(motion.filled.all(axis=1)).tolist() == [30, 31]
    np.testing.assert_allclose(motion.joints, expected.joints, atol=0.03)


def test_nothing_is_made_up_where_the_person_was_gone():
    frame = np.r_[:50, 150:200]
    motions = to_motions(keypoints(waving(200)[frame], frame=frame), CFG)
    assert [(len(m.joints), m.start) for m in motions] == [(50, 0), (50, 7.5)]
    assert not any(m.filled.any() for m in motions)


def test_evenly_thinned_annotations_are_one_motion():
    frame = np.arange(0, 286, 15)
    frame[1::2] += 1
    (motion,) = to_motions(keypoints(waving(300, 30.0)[frame], 30.0, frame=frame), CFG)
    assert motion.valid.all() and len(motion.joints) == 191


def test_frames_at_uneven_times_are_put_in_their_places():
    seconds = np.sort(np.random.default_rng(0).choice(np.arange(240) / 60, 100, replace=False))
    seconds[[0, -1]] = 0, 239 / 60
    fine = waving(240, 60.0)
    uneven = replace(keypoints(fine[np.round(seconds * 60).astype(int)], 25.0), time=seconds)
    (motion,) = to_motions(uneven, CFG)
    (expected,) = to_motions(keypoints(fine, 60.0), CFG)
    np.testing.assert_allclose(motion.joints, expected.joints, atol=0.03)


def test_unseen_joints_are_interpolated_over_short_gaps_and_masked_over_long_ones():
    whole = keypoints(waving(80))
    wrist = BLAZEPOSE33.names.index("left_wrist")
    score = whole.score.copy()
    score[10:14, wrist] = 0
    score[30:50, wrist] = 0
    gaps = Keypoints2D(whole.xy, score, whole.frame, whole.fps, whole.size, whole.keypoint_set)
    (motion,) = to_motions(gaps, CFG)
    unseen = np.flatnonzero(~motion.valid[:, J("l_wrist")])
    np.testing.assert_array_equal(unseen, np.arange(30, 50))
    assert motion.valid[:, J("r_wrist")].all() and np.isfinite(motion.joints).all()
    np.testing.assert_array_equal(np.argwhere(motion.filled), [[n, J("l_wrist")] for n in range(10, 14)])


def test_a_clip_is_cut_where_the_root_is_unseen():
    whole = keypoints(waving(130))
    score = whole.score.copy()
    score[60:80, [BLAZEPOSE33.names.index(f"{side}_hip") for side in ("left", "right")]] = 0
    motions = to_motions(Keypoints2D(whole.xy, score, whole.frame, 20.0, whole.size, "blazepose33"), CFG)
    assert [len(m.joints) for m in motions] == [60, 50]
    assert [m.start for m in motions] == [0, 4]
    for motion in motions:
        assert motion.valid[:, 0].all()
        np.testing.assert_allclose(motion.joints[0, 0], 0, atol=1e-6)


def test_nothing_comes_of_a_clip_too_short_or_never_whole():
    assert to_motions(keypoints(waving(19)), CFG) == []
    assert to_motions(keypoints(waving(90), score=0.1), CFG) == []


def test_the_scale_is_that_of_the_frames_in_which_the_body_is_seen_whole():
    joints = np.zeros((10, 22, 2))
    joints[:, J("neck"), 1], joints[:, [J("l_knee"), J("r_knee")], 1] = 40, -30
    joints[:, [J("l_ankle"), J("r_ankle")], 1] = -60
    valid = np.ones((10, 22), bool)
    assert pixels_per_metre(joints, valid) == pytest.approx(100 / BODY_LENGTH)
    joints[0] *= 50
    valid[0] = False
    assert pixels_per_metre(joints, valid) == pytest.approx(100 / BODY_LENGTH)
    with pytest.raises(ClipError, match="scale is unknown"):
        pixels_per_metre(joints, ~np.ones((10, 22), bool))
    with pytest.raises(ClipError, match="lie on one point"):
        pixels_per_metre(joints * 0, valid)


def test_the_scale_of_a_body_without_legs_is_that_of_its_trunk_and_arms():
    joints = np.zeros((10, 22, 2))
    joints[:, J("neck"), 1] = 40
    joints[:, [J("l_elbow"), J("r_elbow")], 0], joints[:, [J("l_wrist"), J("r_wrist")], 0] = 20, 38
    valid = np.ones((10, 22), bool)
    valid[:, [J(f"{s}_{part}") for s in "lr" for part in ("knee", "ankle")]] = False
    assert pixels_per_metre(joints, valid) == pytest.approx(78 / UPPER_LENGTH)
    valid[:, [J("l_wrist"), J("r_elbow")]] = False
    assert pixels_per_metre(joints, valid) == pytest.approx(40 / TRUNK_LENGTH)
    valid[:, J("neck")] = False
    with pytest.raises(ClipError, match="scale is unknown"):
        pixels_per_metre(joints, valid)


def test_resampling_at_the_source_rate_changes_nothing():
    joints = np.random.default_rng(0).normal(size=(50, 22, 2))
    valid = np.random.default_rng(1).random((50, 22)) > 0.2
    out, known, filled = resample(joints, valid, np.arange(50) / 20, np.arange(50), 20, max_gap=0.0)
    np.testing.assert_array_equal(known, valid)
    assert not filled.any()
    np.testing.assert_allclose(out[valid], joints[valid], atol=1e-6)


def test_a_joint_never_seen_follows_its_place_and_stays_unseen():
    joints = np.repeat(standing()[None, :22], 50, axis=0) + np.arange(50)[:, None, None]
    valid = np.ones((50, 22), bool)
    valid[:, 3] = False
    out, known, _ = resample(joints, valid, np.arange(50) / 20, np.arange(50), 20, 0.25)
    assert not known[:, 3].any() and known[:, 4].all()
    np.testing.assert_allclose(out[:, 3], joints[:, 3])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 40))
def test_pieces_lie_in_the_runs_and_have_the_right_length(whole, least, extra):
    most = 2 * least + extra
    pieces = cut(np.array(whole), least, most)
    taken = np.zeros(len(whole), int)
    for piece in pieces:
        assert least <= piece.stop - piece.start <= most and all(whole[piece])
        taken[piece] += 1
    assert taken.max() <= 1
    runs = "".join("x" if w else " " for w in whole).split()
    assert taken.sum() == sum(len(run) for run in runs if len(run) >= least)


def _seen_by(xy, zoom, shift):
    """Keypoints of `xy` as a camera sees them that zooms and moves: zoom (F,), shift (F, 2) in pixels."""
    camera = np.concatenate([np.eye(2) / zoom[:, None, None], (-shift / zoom[:, None])[..., None]], axis=-1)
    moved = xy * zoom[:, None, None] + shift[:, None]
    return replace(keypoints(moved), camera=camera)


def _walking(frames):
    return waving(frames) + np.arange(frames)[:, None, None] * (1.0, 0.0)


def test_a_moving_camera_does_not_change_the_motion():
    xy, share = _walking(80), np.linspace(0, 1, 80)
    (expected,) = to_motions(keypoints(xy), CFG)
    (motion,) = to_motions(_seen_by(xy, 1 + 0.4 * share, share[:, None] * (-90.0, 12.0)), CFG)
    assert (expected.camera, motion.camera) == ("still", "compensated")
    assert np.ptp(expected.joints[:, 0, 0]) > 1
    np.testing.assert_allclose(motion.joints, expected.joints, atol=1e-3)


def test_a_camera_that_is_mostly_unknown_leaves_the_pose_and_no_path():
    xy = _walking(80)
    known = np.arange(80) % 3 == 0
    (expected,) = to_motions(keypoints(xy), CFG)
    (motion,) = to_motions(replace(keypoints(xy), camera_known=known), CFG)
    assert motion.camera == "unknown" and not motion.path_known.any()
    np.testing.assert_array_equal(motion.joints[:, 0], 0)
    np.testing.assert_allclose(motion.joints, expected.joints - expected.joints[:, :1], atol=1e-6)


@pytest.mark.parametrize(("fps", "frame"), [(20.0, 20), (25.0, 25)])
def test_one_lost_frame_of_the_camera_costs_the_steps_to_it_alone(fps, frame):
    xy = _walking(60)
    known = np.arange(60) != frame
    (expected,) = to_motions(keypoints(xy, fps), CFG)
    (motion,) = to_motions(replace(keypoints(xy, fps), camera_known=known), CFG)
    assert motion.camera == "still"
    assert np.flatnonzero(~motion.path_known).tolist() == [20]
    steps, wanted = (np.diff(m.joints[:, 0], axis=0) for m in (motion, expected))
    wanted[19] = 0
    np.testing.assert_allclose(steps, wanted, atol=1e-6)
    assert np.ptp(motion.joints[:, 0, 0]) > 1
    np.testing.assert_allclose(
        motion.joints - motion.joints[:, :1], expected.joints - expected.joints[:, :1], atol=1e-6
    )


def test_the_detectors_own_joints_come_along_upright_and_on_the_skeletons_body():
    frames = 60
    world = np.zeros((frames, 33, 3))
    world[..., :2] = standing() * 0.7 / 100 - (standing() * 0.7 / 100)[[23, 24]].mean(0)
    world[:, BLAZEPOSE33.names.index("left_wrist"), 2] = -0.4  # towards the camera
    world[40] = np.nan
    (motion,) = to_motions(replace(keypoints(waving(frames)), world=world), CFG)
    assert motion.world.shape == (frames, 22, 3) and motion.world.dtype == np.float32
    assert np.isfinite(motion.world).all(axis=(1, 2)).all()  # one missing frame is filled, as in the picture
    np.testing.assert_allclose(motion.world[:, 0], 0, atol=1e-6)
    assert (motion.world[:, J("head"), 1] > 0.4).all() and (motion.world[:, J("l_wrist"), 2] > 0.2).all()
    way = sum(
        np.linalg.norm(motion.world[0, J(a)] - motion.world[0, J(b)])
        for a, b in (("neck", "pelvis"), ("pelvis", "l_knee"), ("l_knee", "l_ankle"))
    )
    assert way == pytest.approx(BODY_LENGTH, rel=0.02)
    world[20:50] = np.nan
    (motion,) = to_motions(replace(keypoints(waving(frames)), world=world), CFG)
    assert np.isnan(motion.world[20:50]).all() and np.isfinite(motion.world[:20]).all()
    assert to_motions(keypoints(waving(frames)), CFG)[0].world.shape == (frames, 0, 3)


def test_noise_of_the_camera_is_not_taken_for_movement():
    camera = np.tile(np.eye(2, 3), (60, 1, 1))
    camera[:, :, 2] += np.random.default_rng(0).normal(scale=0.1, size=(60, 2))
    (motion,) = to_motions(replace(keypoints(waving(60)), camera=camera), CFG)
    (expected,) = to_motions(keypoints(waving(60)), CFG)
    assert motion.camera == "still"
    np.testing.assert_array_equal(motion.joints, expected.joints)
