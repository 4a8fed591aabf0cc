"""Repairs of keypoints: left-right swaps and outliers."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wild import keypoints, waving

from crossdiff.pipeline.motion2d.cleaning import CleanConfig, clean, outliers
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.types import Keypoints2D

PART = [BLAZEPOSE33.names.index(f"left_{name}") for name in ("knee", "ankle", "heel", "foot_index")]
OTHER = [BLAZEPOSE33.mirror[k] for k in PART]
K = BLAZEPOSE33.names.index


def _clean(given: Keypoints2D, **settings) -> Keypoints2D:
    return clean(given, 0.3, CleanConfig(**settings))


def _walking_sideways(frames: int, fps: float = 25.0, height: float = 100.0) -> np.ndarray:
    """Knees, ankles and feet swing past each other, as seen from the side."""
    xy = waving(frames, fps, height)
    swing = np.sin(2 * np.pi * np.arange(frames) / fps)[:, None] * height
    xy[:, PART, 0], xy[:, OTHER, 0] = 80 + swing * 0.2, 80 - swing * 0.2
    return xy


@given(noise=st.floats(0, 1.0), seed=st.integers(0, 99), fps=st.sampled_from([15.0, 25.0, 50.0]))
def test_motion_without_mistakes_stays_as_it_is_although_limbs_cross(noise, seed, fps):
    xy = _walking_sideways(100, fps) + np.random.default_rng(seed).normal(scale=noise, size=(100, 33, 2))
    whole = keypoints(xy, fps)
    cleaned = _clean(whole)
    np.testing.assert_array_equal(cleaned.xy, whole.xy)
    assert (cleaned.score > 0).mean() > 0.99


def test_nothing_changes_when_swaps_cost_nothing():
    swapped = keypoints(waving(100), 25.0)
    swapped.xy[30:36] = swapped.xy[30:36][:, BLAZEPOSE33.mirror]
    assert (_clean(swapped, outlier_window=0).xy != swapped.xy).any()
    np.testing.assert_array_equal(_clean(swapped, swap_cost=0, outlier_window=0).xy, swapped.xy)


def test_keypoints_in_space_are_swapped_with_those_in_the_picture():
    world = np.random.default_rng(0).random((100, 33, 3))
    whole = replace(keypoints(waving(100), 25.0), world=world)
    xy, wrong = whole.xy.copy(), world.copy()
    xy[40:46], wrong[40:46] = xy[40:46][:, BLAZEPOSE33.mirror], world[40:46][:, BLAZEPOSE33.mirror]
    body = BLAZEPOSE33.body
    np.testing.assert_array_equal(_clean(replace(whole, xy=xy, world=wrong)).world[:, body], world[:, body])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_point_that_jumps_away_is_marked_and_no_other(axis):
    whole = keypoints(waving(100), 25.0)
    xy = whole.xy.copy()
    xy[[20, 21, 70], K("left_elbow"), axis] += 15
    cleaned = _clean(replace(whole, xy=xy))
    np.testing.assert_array_equal(np.argwhere(cleaned.score == 0), [[n, K("left_elbow")] for n in (20, 21, 70)])


@given(zoom=st.floats(0.1, 30), shift=st.floats(-500, 500))
def test_size_and_place_do_not_matter(zoom, shift):
    xy = waving(60) + np.random.default_rng(0).normal(scale=2, size=(60, 33, 2))
    xy[30, 15] += 40
    xy[10:14] = xy[10:14][:, BLAZEPOSE33.mirror]
    here, there = _clean(keypoints(xy)), _clean(keypoints(xy * zoom + shift))
    np.testing.assert_array_equal(here.score, there.score)


def test_unseen_points_count_neither_as_outliers_nor_beside_them():
    whole = keypoints(waving(60))
    xy, score = whole.xy.copy(), whole.score.copy()
    xy[10:30, 15], score[10:30, 15] = 0, 0
    cleaned = _clean(replace(whole, xy=xy, score=score))
    np.testing.assert_array_equal(cleaned.score, score)


def test_a_long_track_needs_little_memory():
    whole = keypoints(waving(2000), 25.0)
    tracemalloc.start()
    outliers(whole.xy, whole.score > 0, 25.0, 75.0, CleanConfig())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * whole.xy.nbytes


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_tracks_of_few_frames(frames):
    whole = keypoints(waving(frames))
    np.testing.assert_array_equal(_clean(whole).xy, whole.xy)


def test_short_movements_of_poses_that_are_seconds_apart_are_no_outliers():
    xy = np.repeat(waving(1), 40, axis=0)
    xy[20:23, K("left_wrist"), 1] -= 60
    sparse = keypoints(xy, fps=25.0, frame=5 * np.arange(40))
    assert (_clean(sparse).score > 0).all()
    assert not (_clean(keypoints(xy, fps=25.0)).score > 0).all()
