"""Left-right swaps are undone at any frame rate; limbs that cross are left alone."""

from dataclasses import replace

import numpy as np
import pytest
from wild import keypoints, waving

from crossdiff.pipeline.motion2d.cleaning import CleanConfig, clean
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33, HUMANML3D22, JHMDB15
from crossdiff.pipeline.motion2d.sides import PARTS, pairs
from crossdiff.types import Keypoints2D

RATES = [12.0, 25.0, 60.0, 120.0, 240.0]
LEFT, RIGHT, PART = pairs(BLAZEPOSE33)
LEGS = [k for k, part in zip(LEFT, PART, strict=True) if part == 3]
SIZE = 94.0  # of the body below, in pixels


def _unswap(given: Keypoints2D, **settings) -> Keypoints2D:
    return clean(given, 0.3, CleanConfig(outlier_window=0, **settings))


def _walking(fps: float, seconds: float = 3.0, noise: float = 0.5, turn: float = 0.0) -> Keypoints2D:
    """Someone who walks seen from the side, all limbs crossing; turn: radians per second about the vertical."""
    xy = waving(round(seconds * fps), fps)
    time = np.arange(len(xy)) / fps
    across = (xy[:, LEFT, 0] - xy[:, RIGHT, 0]) / 2 * np.sin(0.3 + turn * time)[:, None]
    stride = {0: 0.02, 1: -0.12, 2: 0.02, 3: 0.18}
    ahead = np.array([stride[p] for p in PART]) * SIZE * np.sin(2 * np.pi * 0.9 * time + 1)[:, None]
    xy[:, LEFT, 0], xy[:, RIGHT, 0] = 80 + across + ahead, 80 - across - ahead
    return keypoints(xy + np.random.default_rng(0).normal(scale=noise, size=xy.shape), fps)


def _swap(whole: Keypoints2D, start: float, seconds: float, left: list[int] = LEFT) -> Keypoints2D:
    """At least one frame from `start` on, in seconds, with the keypoints `left` and their counterparts swapped."""
    first = np.searchsorted(whole.time, start)
    rows = np.arange(first, max(first + 1, np.searchsorted(whole.time, start + seconds)))[:, None]
    right = [BLAZEPOSE33.mirror[k] for k in left]
    xy = whole.xy.copy()
    xy[rows, left + right] = whole.xy[rows, right + left]
    return replace(whole, xy=xy)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("turn", [0.0, 2.0])
def test_limbs_that_cross_are_left_alone(fps, turn):
    whole = _walking(fps, turn=turn)
    np.testing.assert_array_equal(_unswap(whole).xy, whole.xy)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.4, 1.0])
def test_the_whole_body_is_put_right(fps, seconds):
    whole = _walking(fps)
    np.testing.assert_array_equal(_unswap(_swap(whole, 0.9, seconds)).xy, whole.xy)


@pytest.mark.parametrize("fps", RATES[1:])
@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_legs_are_put_right(fps, seconds):
    whole = _walking(fps)
    np.testing.assert_array_equal(_unswap(_swap(whole, 1.0, seconds, LEGS)).xy, whole.xy)


@pytest.mark.parametrize("fps", RATES)
def test_shins_that_cross_while_sitting_down_are_left_alone(fps):
    """Facing the camera; ankles and feet cross within the first half second, knees stay apart."""
    xy = waving(round(2 * fps), fps)
    down = (1 - np.cos(np.pi * np.clip(np.arange(len(xy)) / fps / 0.5, 0, 1))) / 2
    lower = LEGS[1:]
    for here, there in (
        (lower, [BLAZEPOSE33.mirror[k] for k in lower]),
        ([BLAZEPOSE33.mirror[k] for k in lower], lower),
    ):
        xy[:, here, 0] += 0.9 * down[:, None] * (waving(1)[0, there, 0] - waving(1)[0, here, 0])
    xy[:, [k for k, p in zip(LEFT + RIGHT, [*PART, *PART], strict=True) if p < 3], 1] += 25 * down[:, None]
    whole = keypoints(xy, fps)
    np.testing.assert_array_equal(_unswap(whole).xy, whole.xy)


def test_a_blend_of_both_sides_at_the_boundary_hides_no_swap():
    """A detector that is unsure puts both sides on one place for a frame."""
    whole = _walking(60.0)
    given = _swap(whole, 0.9, 0.6)
    xy = given.xy.copy()
    blends = np.searchsorted(whole.time, [0.9, 1.5])
    xy[blends[:, None], LEFT + RIGHT] = (
        whole.xy[blends[:, None], LEFT + RIGHT] + whole.xy[blends[:, None], RIGHT + LEFT]
    ) / 2
    repaired = _unswap(replace(given, xy=xy)).xy
    others = np.delete(np.arange(len(xy)), blends)
    np.testing.assert_array_equal(repaired[others], whole.xy[others])


def test_uneven_steps_and_a_gap_in_time():
    whole = _walking(60.0)
    rng = np.random.default_rng(1)
    rows = np.flatnonzero((rng.random(len(whole.xy)) < 0.6) & ((whole.time < 1.8) | (whole.time > 2.2)))
    uneven = Keypoints2D(
        whole.xy[rows], whole.score[rows], whole.frame[rows], 60.0, whole.size, "blazepose33", time=whole.time[rows]
    )
    np.testing.assert_array_equal(_unswap(_swap(uneven, 0.9, 0.6)).xy, uneven.xy)


def test_scores_move_with_their_keypoints():
    whole = _walking(60.0)
    score = whole.score.copy()
    score[:, LEFT] = 0.7
    given = _swap(replace(whole, score=score.copy()), 0.9, 0.3)
    swapped = (given.xy != whole.xy).any(axis=(1, 2))
    assert swapped.sum() == 18
    given.score[np.ix_(swapped, LEFT)], given.score[np.ix_(swapped, RIGHT)] = 0.9, 0.7
    np.testing.assert_array_equal(_unswap(given).score, score)


def test_unseen_keypoints_are_no_evidence():
    whole = _walking(25.0)
    xy, score = whole.xy.copy(), whole.score.copy()
    gone = np.ix_(range(20, 40), LEGS)
    xy[gone], score[gone] = 0, 0
    whole = replace(whole, xy=xy, score=score)
    np.testing.assert_array_equal(_unswap(whole).xy, xy)


@pytest.mark.parametrize("table", [BLAZEPOSE33, JHMDB15, HUMANML3D22])
def test_pairs_are_counterparts(table):
    left, right, part = pairs(table)
    names = [(table.names[a], table.names[b]) for a, b in zip(left, right, strict=True)]
    assert all(a.replace("left", "right") == b for a, b in names)
    assert all(a.removeprefix("left_") in PARTS[p] for (a, _), p in zip(names, part, strict=True))
    assert set(part) == set(range(len(PARTS)))
