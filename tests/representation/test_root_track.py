"""The root's path over the floor: out of features and back, and corrections of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import person

from crossdiff.representation.features3d import features_to_joints, joints_to_features_3d
from crossdiff.representation.root_track import RootTrack, hold, place_joints, root_track, with_root_track
from crossdiff.skeleton import HUMANML3D, KIT

skeletons = pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)


def features(skeleton=HUMANML3D, frames=60, seed=1) -> torch.Tensor:
    return joints_to_features_3d(person(frames, skeleton, seed, turn=3.0) / skeleton.metres_per_unit, skeleton, False)


def floor(joints: np.ndarray) -> np.ndarray:
    return joints[:, 0, 2] + 1j * joints[:, 0, 0]


@skeletons
def test_a_track_is_where_the_joints_are(skeleton):
    joints = features_to_joints(features(skeleton), skeleton).numpy() * skeleton.metres_per_unit
    track = root_track(features(skeleton), skeleton)
    np.testing.assert_allclose(track.place, floor(joints), atol=1e-4)


@skeletons
def test_features_with_another_track_have_that_track_up_to_place_and_heading(skeleton):
    bent = root_track(features(skeleton), skeleton).turned(np.linspace(0.3, 2, 59))
    bent = RootTrack(bent.place + 0.1 * np.sin(np.arange(59) / 9) + 3, bent.heading)
    changed = with_root_track(features(skeleton), bent, skeleton)
    again = root_track(changed, skeleton).moved(bent.heading[0], bent.place[0])
    np.testing.assert_allclose(again.place, bent.place, atol=1e-4)
    np.testing.assert_allclose(again.heading, bent.heading, atol=1e-4)
    joints = features_to_joints(changed, skeleton).numpy() * skeleton.metres_per_unit
    np.testing.assert_allclose(floor(place_joints(joints, bent.heading[0], bent.place[0])), bent.place, atol=1e-3)


def test_turning_keeps_the_steps_in_the_bodys_frame():
    track = root_track(features())
    turned = track.turned(np.linspace(0, 2, 59))
    for one in (track, turned):
        steps = np.diff(one.place) * np.exp(-1j * one.heading[1:])
        np.testing.assert_allclose(steps, np.diff(track.place) * np.exp(-1j * track.heading[1:]), atol=1e-9)


def test_held_frames_are_where_they_should_be_and_the_way_there_is_smooth():
    track, known = root_track(features(seed=1)), root_track(features(seed=2)).moved(0.4, 2 + 1j)
    held = np.zeros(59, dtype=bool)
    held[:8] = held[-8:] = True
    led = hold(track, known, held)
    np.testing.assert_allclose(led.place[held], known.place[held], atol=1e-9)
    np.testing.assert_allclose(np.exp(1j * led.heading[held]), np.exp(1j * known.heading[held]), atol=1e-9)
    assert np.abs(np.diff(led.place, 2)).max() < 0.1


def test_nothing_held_changes_nothing():
    track = root_track(features())
    assert hold(track, track, np.zeros(59, dtype=bool)) is track
