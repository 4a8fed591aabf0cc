"""Tracks that show the same moment twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wild import keypoints, standing

from crossdiff.pipeline.motion2d import window_search
from crossdiff.pipeline.motion2d.duplicates import distance_at, find_duplicates, signature
from crossdiff.pipeline.motion2d.window_search import descriptors

LIMIT = 0.025


def moving(seed: int, frames: int = 120, fps: float = 20.0, height: float = 100.0, start: float = 0.0) -> np.ndarray:
    """Keypoints of a person whose limbs swing in ways of their own: equal seeds are the same moment."""
    rng = np.random.default_rng(seed)
    hertz, phase, reach = rng.uniform(0.2, 1, (33, 2)), rng.uniform(0, 6, (33, 2)), rng.uniform(0.05, 0.15, (33, 2))
    at = (start + np.arange(frames) / fps)[:, None, None]
    return standing(height) + height * reach * np.sin(2 * np.pi * hertz * at + phase)


def sign(xy: np.ndarray, fps: float = 20.0) -> np.ndarray:
    return signature(keypoints(xy, fps))


def test_a_copy_of_another_size_rate_and_sharpness_is_found():
    noise = np.random.default_rng(0).normal(scale=0.4, size=(180, 33, 2))
    tracks = {"a": sign(moving(1)), "other": sign(moving(2)), "b": sign(2 * moving(1, 180, 30) + 300 + noise, 30)}
    found = find_duplicates(tracks, LIMIT)
    assert {name: d.of for name, d in found.items()} == {"b": "a"} and found["b"].distance < 0.02


@pytest.mark.parametrize(("start", "found"), [(0.0, True), (2.13, True), (4.0, False)])
def test_cuts_that_share_half_of_the_shorter_are_duplicates(start, found):
    tracks = {"a": sign(moving(1)), "b": sign(moving(1, 100, start=start))}
    assert ("b" in find_duplicates(tracks, LIMIT)) == found


def test_a_track_is_no_duplicate_of_one_that_is_left_out_itself():
    """b shares half with a, and c with b, but c nothing with a."""
    cuts = {name: sign(moving(1, 100, start=start)) for name, start in (("a", 0), ("b", 2.5), ("c", 5))}
    assert set(find_duplicates(cuts, LIMIT)) == {"b"}
    assert set(find_duplicates({name: cuts[name] for name in "bac"}, LIMIT)) == {"a", "c"}


def test_tracks_too_short_to_compare_and_a_limit_of_nothing_are_left_alone():
    short = {name: sign(moving(1, 20)) for name in "ab"} | {"c": sign(moving(1, 1))}
    assert find_duplicates(short, LIMIT) == {}
    assert find_duplicates({name: sign(moving(1)) for name in "ab"}, 0) == {}


@given(st.integers(0, 50), st.integers(51, 100), st.integers(0, 60))
def test_descriptors_are_never_further_apart_than_the_poses(one, two, frame):
    a, b = sign(moving(one))[frame : frame + 32], sign(moving(two))[:32]
    apart = np.linalg.norm(descriptors(a)[0] - descriptors(b)[0])
    mean = [p.astype(float) - p.mean(axis=(0, 1), dtype=float) for p in (a, b)]
    sizes = [np.median(np.ptp(p, axis=1).max(axis=1)) for p in mean]
    rms = np.sqrt(((mean[0] / sizes[0] - mean[1] / sizes[1]) ** 2).sum(axis=-1).mean())
    assert apart <= rms + 1e-3
    assert distance_at(a, a, 0) == 0 and distance_at(a, b, 20) == float("inf")


def brute_force(tracks: dict[str, np.ndarray]) -> set[str]:
    """Names of the duplicates, from all pairs at all shifts."""
    kept: list[str] = []
    for name, poses in tracks.items():
        shifts = {other: range(-len(poses) // 2, len(tracks[other]) // 2 + 1) for other in kept}
        if not any(distance_at(poses, tracks[o], s) < LIMIT for o, all_of in shifts.items() for s in all_of):
            kept.append(name)
    return tracks.keys() - set(kept)


@pytest.mark.parametrize("seed", range(2))
def test_the_verdicts_are_those_of_all_pairs_at_all_shifts(seed):
    rng = np.random.default_rng(seed)
    tracks = {}
    for number in range(16):
        who = int(rng.integers(0, 10))  # many are a copy of another, in part, at another rate or with noise
        frames, fps = int(rng.integers(50, 90)), float(rng.choice([15, 20, 30]))
        xy = moving(100 * seed + who, round(frames * fps / 20), fps, start=rng.uniform(0, 1.5))
        tracks[str(number)] = sign(xy + rng.normal(scale=0.3, size=xy.shape), fps)
    found = find_duplicates(tracks, LIMIT)
    assert found.keys() == brute_force(tracks) and 2 < len(found) < 14
    for name, duplicate in found.items():
        assert duplicate.of not in found and duplicate.distance < LIMIT
        assert list(tracks).index(duplicate.of) < list(tracks).index(name)


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_of_very_many_copies_the_first_alone_is_kept(noise):
    """More than the search finds for one of them."""
    rng = np.random.default_rng(0)
    copy = moving(1)
    tracks = {str(n): sign(copy + rng.normal(scale=noise, size=copy.shape)) for n in range(60)}
    found = find_duplicates(tracks, LIMIT)
    assert len(found) == 59 and {duplicate.of for duplicate in found.values()} == {"0"}


def test_a_person_who_stands_still_for_long_is_found_behind_her_own_windows():
    still = np.repeat(standing()[None], 600, axis=0)
    rng = np.random.default_rng(0)
    tracks = {name: sign(still + rng.normal(scale=0.01, size=still.shape)) for name in "ab"}
    assert set(find_duplicates(tracks, LIMIT)) == {"b"}


def test_the_candidates_of_a_track_do_not_grow_with_the_tracks():
    crowd = [sign(moving(seed // 40, start=0.01 * (seed % 40))) for seed in range(120)]
    assert all(len(found.others) <= window_search._MOST for found in window_search.search(crowd, LIMIT))
