"""Keypoints to 2D motion: axes, time, scale, gaps, smoothing, cutting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wild import keypoints, standing, waving

from crossdiff.errors import ClipError
from crossdiff.pipeline.mapping import BLAZEPOSE33
from crossdiff.pipeline.motion import BODY_LENGTH, MotionConfig, cut, pixels_per_metre, resample, smooth, to_motions
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


def test_frames_that_are_missing_in_the_source_keep_their_time():
    xy, frame = waving(80), np.delete(np.arange(80), [30, 31])
    (motion,) = to_motions(keypoints(xy[frame], frame=frame), CFG)
    (expected,) = to_motions(keypoints(xy), CFG)
    assert motion.valid.all()
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


def test_a_clip_is_cut_where_the_root_is_unseen():
    whole = keypoints(waving(130))
    score = whole.score.copy()
    score[60:80, BLAZEPOSE33.names.index("left_hip")] = 0
    motions = to_motions(Keypoints2D(whole.xy, score, whole.frame, 20.0, whole.size, "blazepose33"), CFG)
    assert [len(m.joints) for m in motions] == [60, 50]
    for motion in motions:
        assert motion.valid[:, 0].all()
        np.testing.assert_allclose(motion.joints[0, 0], 0, atol=1e-6)


def test_nothing_comes_of_a_clip_too_short_or_never_whole():
    assert to_motions(keypoints(waving(30)), CFG) == []
    assert to_motions(keypoints(waving(90), score=0.1), CFG) == []


def test_smoothing_takes_noise_away_without_lag():
    seconds = np.arange(100) / 20
    clean = np.stack([np.sin(3 * seconds), np.cos(3 * seconds)], axis=-1)[:, None]
    noisy = clean + np.random.default_rng(0).normal(scale=0.05, size=clean.shape)
    smoothed = smooth(noisy, 7, 2)
    assert np.abs(smoothed - clean).mean() < 0.7 * np.abs(noisy - clean).mean()
    shifts = [np.abs(smoothed[5 + k : 95 + k] - clean[5:95]).mean() for k in range(-3, 4)]
    assert int(np.argmin(shifts)) == 3


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_smoothing_short_motions_keeps_their_shape(frames):
    joints = np.random.default_rng(0).normal(size=(frames, 22, 2))
    assert smooth(joints, 7, 2).shape == joints.shape


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
    with pytest.raises(ClipError, match="no size"):
        pixels_per_metre(joints * 0, valid)


def test_resampling_at_the_source_rate_changes_nothing():
    joints = np.random.default_rng(0).normal(size=(50, 22, 2))
    valid = np.random.default_rng(1).random((50, 22)) > 0.2
    out, known = resample(joints, valid, np.arange(50) / 20, 20, max_gap=0.0)
    np.testing.assert_array_equal(known, valid)
    np.testing.assert_allclose(out[valid], joints[valid], atol=1e-6)


def test_a_joint_never_seen_follows_its_place_and_stays_unseen():
    joints = np.repeat(standing()[None, :22], 50, axis=0) + np.arange(50)[:, None, None]
    valid = np.ones((50, 22), bool)
    valid[:, 3] = False
    out, known = resample(joints, valid, np.arange(50) / 20, 20, 0.25)
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
