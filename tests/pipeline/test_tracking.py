"""Tracks: one person each, cut where the detector jumps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from wild import standing

from crossdiff.pipeline.backends import Person
from crossdiff.pipeline.tracking import Tracker, TrackingConfig, box_iou


def _person(x: float, height: float = 100.0) -> Person:
    return Person.from_keypoints(standing(height, (x, 20.0)), np.full(33, 0.9))


def _tracks(people: list[list[Person]], fps: float = 25.0) -> list[list[int]]:
    tracker = Tracker(TrackingConfig(), fps)
    for frame, found in enumerate(people):
        tracker.add(frame, found)
    return [track.frames for track in tracker.tracks]


def test_a_walk_is_one_track():
    assert _tracks([[_person(3.0 * n)] for n in range(30)]) == [list(range(30))]


def test_a_jump_to_somebody_else_cuts():
    assert _tracks([[_person(50)]] * 5 + [[_person(200)]] * 5) == [list(range(5)), list(range(5, 10))]


def test_a_jump_to_somebody_larger_at_the_same_place_cuts():
    assert len(_tracks([[_person(50, 60)]] * 5 + [[_person(50, 140)]] * 5)) == 2


def test_a_short_loss_is_bridged_where_the_boxes_overlap_and_cut_where_they_do_not():
    there = [[_person(50)]] * 5
    assert _tracks([*there, [], [], *there]) == [[0, 1, 2, 3, 4, 7, 8, 9, 10, 11]]
    assert len(_tracks([*there, [], [], *([[_person(75)]] * 5)])) == 2


def test_a_long_loss_cuts():
    assert len(_tracks([[_person(50)]] * 5 + [[]] * 7 + [[_person(50)]] * 5)) == 2


def test_slow_videos_are_tracked_from_frame_to_frame():
    assert len(_tracks([[_person(30.0 * n)] for n in range(8)], fps=3)) == 1


def test_two_people_keep_their_tracks_whatever_the_order_in_which_they_are_found():
    people = [[_person(40 + n), _person(200 - n)][:: 1 if n % 2 else -1] for n in range(20)]
    tracker = Tracker(TrackingConfig(), 25)
    for frame, found in enumerate(people):
        tracker.add(frame, found)
    starts = sorted(track.people[0].box[0] for track in tracker.tracks)
    ends = sorted(track.people[-1].box[0] for track in tracker.tracks)
    assert len(tracker.tracks) == 2
    np.testing.assert_allclose(np.array(ends) - starts, [19, -19])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(0, 500), max_size=3), min_size=1, max_size=20))
def test_every_person_is_in_exactly_one_track(places):
    tracker = Tracker(TrackingConfig(), 25)
    for frame, xs in enumerate(places):
        tracker.add(frame, [_person(x) for x in xs])
    assert sum(len(t.frames) for t in tracker.tracks) == sum(map(len, places))
    assert all(np.all(np.diff(t.frames) > 0) for t in tracker.tracks)


def test_overlap_of_boxes():
    box = np.array([0.0, 0, 2, 2])
    assert box_iou(box, box) == 1
    assert box_iou(box, box + np.array([1, 0, 1, 0])) == 1 / 3
    assert box_iou(box, box + 5) == 0
