"""Tracks: one person each, cut where the detector jumps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wild import standing

from crossdiff.pipeline.backends import Person
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.pipeline.tracks.boxes import box_iou
from crossdiff.pipeline.tracks.tracking import Track, TrackingConfig, link_tracks


def _person(x: float, height: float = 100.0) -> Person:
    return Person.from_keypoints(standing(height, (x, 20.0)), np.full(33, 0.9))


def _join(people: list[list[Person]], fps: float = 25.0, **given) -> list[Track]:
    return link_tracks(people, np.arange(len(people)) / fps, TrackingConfig(), BLAZEPOSE33.mirror, **given)


def _tracks(people: list[list[Person]], fps: float = 25.0, **given) -> list[list[int]]:
    return [track.frames for track in _join(people, fps, **given)]


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
    assert len(_tracks([[_person(50)]] * 5 + [[]] * 30 + [[_person(50)]] * 5)) == 2


WHITE, BLUE = np.full(6, 0.9), np.tile([0.1, 0.2, 0.8], 2)


@pytest.mark.parametrize("fps", [10, 25, 30, 60, 120])
@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.9])
def test_somebody_found_again_within_a_second_is_known_by_their_clothes(fps, seconds):
    """Walking half a body height a second."""
    unseen = range(fps, fps + round(seconds * fps))
    people = [[] if n in unseen else [_person(50 + 50 * n / fps)] for n in range(3 * fps)]

    def worn(after):
        return [np.tile(WHITE if n < fps else after, (len(there), 1)) for n, there in enumerate(people)]

    assert len(_tracks(people, fps, worn=worn(WHITE))) == 1
    if 50 * seconds > 20:  # where the boxes overlap less, somebody in other clothes is somebody else
        assert len(_tracks(people, fps, worn=worn(BLUE))) == 2


@pytest.mark.parametrize("fps", [10, 30, 120])
@pytest.mark.parametrize("hidden", [0.1, 0.5, 0.9])
def test_who_is_hidden_by_somebody_who_crosses_is_found_again(fps, hidden):
    """Two walk past each other; the one behind is unseen for a while, and people are listed in changing order."""
    people, worn = [], []
    for n in range(3 * fps):
        second = n / fps - 1.5
        both = [(_person(100 + 40 * second), WHITE)]
        if abs(second) > hidden / 2:
            both.append((_person(100 - 40 * second), BLUE))
        both = both[:: 1 if n % 2 else -1]
        people.append([person for person, _ in both])
        worn.append(np.stack([colour for _, colour in both]))
    tracks = _join(people, fps, worn=worn)
    assert len(tracks) == 2
    for track in tracks:
        own = [
            worn[n][[p is q for q in people[n]].index(True)] for n, p in zip(track.frames, track.people, strict=True)
        ]
        assert np.ptp(own, axis=0).max() == 0


def test_a_detector_that_swaps_to_somebody_else_after_a_loss_cuts():
    people = [[_person(50)]] * 10 + [[]] * 3 + [[_person(75)]] * 10
    worn = [np.tile(WHITE if n < 10 else BLUE, (len(there), 1)) for n, there in enumerate(people)]
    assert len(_tracks(people, worn=worn)) == 2


def test_slow_videos_are_tracked_from_frame_to_frame():
    assert len(_tracks([[_person(30.0 * n)] for n in range(8)], fps=3)) == 1


def test_two_people_keep_their_tracks_whatever_the_order_in_which_they_are_found():
    people = [[_person(40 + n), _person(200 - n)][:: 1 if n % 2 else -1] for n in range(20)]
    tracks = _join(people)
    starts = sorted(track.people[0].box[0] for track in tracks)
    ends = sorted(track.people[-1].box[0] for track in tracks)
    assert len(tracks) == 2
    np.testing.assert_allclose(np.array(ends) - starts, [19, -19])


@given(st.floats(2, 5), st.floats(0, 1), st.integers(0, 99))
def test_people_who_walk_past_each_other_keep_their_tracks(speed, offset, seed):
    noise = np.random.default_rng(seed).normal(scale=1.0, size=(60, 2, 33, 2))
    people = []
    for n in range(60):
        places = (100 + speed * (n - 30) + offset, 100 - speed * (n - 30))
        people.append(
            [Person.from_keypoints(_person(x).xy + e, np.full(33, 0.9)) for x, e in zip(places, noise[n], strict=True)]
        )
    tracks = _join(people)
    assert [len(track.frames) for track in tracks] == [60, 60]
    centres = [[np.median(person.xy[:, 0]) for person in track.people] for track in tracks]
    assert all(abs(way[-1] - way[0]) > 50 * speed for way in centres)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(0, 500), max_size=3), min_size=1, max_size=20))
def test_every_person_is_in_exactly_one_track(places):
    tracks = _tracks([[_person(x) for x in xs] for xs in places])
    assert sum(map(len, tracks)) == sum(map(len, places))
    assert all(np.all(np.diff(frames) > 0) for frames in tracks)


def test_a_jump_to_somebody_so_near_that_the_boxes_overlap_cuts():
    assert box_iou(_person(50).box[None], _person(78).box[None]) > 0
    assert len(_tracks([[_person(50)]] * 5 + [[_person(78)]] * 5, fps=30)) == 2


def test_left_and_right_exchanged_are_still_the_same_person():
    person = _person(50, 200)
    swapped = Person(person.xy[BLAZEPOSE33.mirror], person.score, person.box)
    assert len(_tracks([[person], [swapped]] * 5)) == 1


def test_a_cut_ends_all_tracks():
    assert _tracks([[_person(50), _person(200)]] * 10, cuts={4}) == [[0, 1, 2, 3]] * 2 + [[4, 5, 6, 7, 8, 9]] * 2


def test_a_jerk_of_the_camera_does_not_cut():
    jerk = [[_person(50)]] * 5 + [[_person(150)]] * 5
    to_first = np.tile(np.eye(3), (10, 1, 1))
    to_first[5:, 0, 2] = -100
    assert len(_tracks(jerk)) == 2 and len(_tracks(jerk, to_first=to_first)) == 1


def test_overlap_of_boxes():
    box = np.array([[0.0, 0, 2, 2]])
    others = box + np.array([[0.0, 0, 0, 0], [1, 0, 1, 0], [5, 5, 5, 5]])
    np.testing.assert_allclose(box_iou(box, others), [[1, 1 / 3, 0]])


def _crouched(x: float, share: float) -> Person:
    """Somebody of 100 pixels whose box is of `share` of their height, the feet where they were."""
    xy = standing(100.0, (x, 20.0))
    return Person.from_keypoints(np.column_stack([xy[:, 0], 120 - share * (120 - xy[:, 1])]), np.full(33, 0.9))


def test_somebody_lost_in_one_posture_and_found_in_another_is_one_person():
    """Crouching, then away for half a second, then upright and two fifths of the body further."""
    people = [[_crouched(50, min(1, max(0.5, 2 - n / 10)))] for n in range(20)]
    people += [[]] * 12 + [[_person(90)]] * 20
    worn = [np.tile(WHITE, (len(there), 1)) for there in people]
    (frames,) = _tracks(people, worn=worn)
    assert frames == [*range(20), *range(32, 52)]
    assert len(_tracks(people, worn=worn, cuts={25})) == 2
    dressed = [np.tile(WHITE if n < 25 else BLUE, (len(there), 1)) for n, there in enumerate(people)]
    assert len(_tracks(people, worn=dressed)) == 2


def test_clothes_are_compared_over_whole_tracks():
    """The last colours before the loss and the first after it are of something else."""
    people = [[_person(50)]] * 30 + [[]] * 12 + [[_person(90)]] * 30
    worn = [np.tile(BLUE if 25 <= n < 45 else WHITE, (len(there), 1)) for n, there in enumerate(people)]
    worn[42:45] = [np.tile(np.full(6, 0.1), (1, 1))] * 3
    assert len(_tracks(people, worn=worn)) == 1


def test_somebody_far_larger_does_not_continue_a_track():
    people = [[_person(50, 60)]] * 20 + [[]] * 5 + [[_person(60, 140)]] * 20
    worn = [np.tile(WHITE, (len(there), 1)) for there in people]
    assert len(_tracks(people, worn=worn)) == 2
