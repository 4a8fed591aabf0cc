"""Objects that a pose model takes for people: their keypoints wander in a picture that does not change."""

import cv2
import numpy as np
import pytest
from wild import FakeBackend, keypoints, standing, texture, write_frames

from crossdiff.pipeline.backends import Person
from crossdiff.pipeline.tracks.objects import is_object, picture_change
from crossdiff.pipeline.tracks.people import PeopleConfig, find_people

LIMBS = [(11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 25), (25, 27), (24, 26), (26, 28)]


def drawn(xy: np.ndarray, seed: int) -> np.ndarray:
    """A grey picture of a body in a room, with the noise of a camera."""
    picture = (texture((160, 140))[..., 0] / 3 + 120).astype(np.float32)
    for a, b in LIMBS:
        cv2.line(picture, *(tuple(int(v) for v in xy[end]) for end in (a, b)), 30.0, 9)
    return (picture + np.random.default_rng(seed).normal(scale=1.0, size=picture.shape)).clip(0, 255).astype(np.uint8)


def looks_like_an_object(poses: np.ndarray, bodies: np.ndarray) -> bool:
    """Whether a track of poses is an object's where the picture shows bodies; both (frames, 33, 2)."""
    pictures = [cv2.blur(drawn(xy, seed), (3, 3)) for seed, xy in enumerate(bodies)]
    change = [np.array([np.nan])]
    for before, now, xy in zip(pictures[:-1], pictures[1:], poses[1:], strict=True):
        change.append(picture_change(before, now, np.concatenate([xy.min(axis=0), xy.max(axis=0)])[None]))
    return is_object(np.arange(len(poses)), poses, np.concatenate(change))


def wandering(frames: int, scale: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(0).normal(scale=scale, size=(frames, 33, 2))
    return standing() + noise


def walking(frames: int) -> np.ndarray:
    return standing() + np.arange(frames)[:, None, None] * np.array([1.2, 0.0]) - [20, 0]


def test_keypoints_that_wander_where_nothing_changes_are_an_objects():
    still = np.repeat(standing()[None], 30, axis=0)
    assert looks_like_an_object(wandering(30), still)


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.2])
def test_somebody_who_stands_still_is_a_person(scale):
    assert not looks_like_an_object(wandering(30, scale), np.repeat(standing()[None], 30, axis=0))


def test_somebody_who_moves_is_a_person_even_if_the_keypoints_are_noisy():
    walk = walking(30)
    assert not looks_like_an_object(walk, walk)
    assert not looks_like_an_object(walk + wandering(30) - standing(), walk)


def test_a_few_frames_do_not_tell():
    assert not looks_like_an_object(wandering(6), np.repeat(standing()[None], 6, axis=0))


def test_frames_that_are_missing_do_not_count():
    poses = wandering(30)
    assert not is_object(np.arange(30) * 2, poses, np.zeros(30))
    assert not is_object(np.arange(30), poses, np.full(30, np.nan))
    assert is_object(np.arange(30), poses, np.zeros(30))


def test_change_is_relative_to_contrast_and_unknown_outside_the_picture():
    before = np.zeros((40, 60), np.uint8)
    before[:, ::2] = 100
    boxes = np.array([[0.0, 0, 29, 39], [30, 0, 59, 39], [70, 0, 90, 39]])
    now = before.copy()
    now[:, :30] = 100 - before[:, :30]
    change = picture_change(before, now, boxes)
    np.testing.assert_allclose(change, [2.0, 0.0, np.nan])


def test_tracks_of_objects_are_left_out(tmp_path):
    class Wandering(FakeBackend):
        def estimate(self, frames):
            for pose, _ in zip(wandering(1000), frames, strict=False):
                still = Person.from_keypoints(standing(centre=(30.0, 20.0)), np.full(33, 0.9))
                yield [still, Person.from_keypoints(pose, np.full(33, 0.9))]

    room = texture((160, 140)) + 100
    found = find_people(write_frames(tmp_path / "a.mp4", [room] * 30), Wandering(), PeopleConfig(), lambda *_: None)
    (track,) = found.tracks
    assert found.measures["tracks"] == 1
    np.testing.assert_allclose(track.xy[0], keypoints(standing(centre=(30.0, 20.0))[None]).xy[0])
