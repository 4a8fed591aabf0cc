"""Whom the captions of a video describe."""

from crossdiff.annotations.captions import VideoCaption
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.subjects import bystanders, captions_of_track

JUMPS, WALKS, SHOWN = VideoCaption("jumps", track=0), VideoCaption("walks", track=1), VideoCaption("two people")


def track(video: str, number: int, first: int, frames: int) -> Row:
    measures = {"first_frame": first, "frames": frames}
    return Row("track", f"{video}_t{number}", "done", "key", parent=video, measures=measures)


def test_a_caption_that_names_a_track_is_that_persons():
    captions = [JUMPS, WALKS, SHOWN]
    assert captions_of_track("a_t1_t0", captions, []) == (JUMPS,)
    assert captions_of_track("a_t1", captions, ["a_t1"]) == (WALKS,)
    assert captions_of_track("a_t2", captions, []) == (SHOWN,)
    assert captions_of_track("a_t2", captions, ["a_t2"]) == ()


def test_small_people_beside_tall_ones_are_bystanders():
    tracks = [track("a", 0, 0, 100), track("a", 1, 20, 40), track("a", 2, 90, 40), track("b", 0, 0, 50)]
    heights = {"a_t0": 300.0, "a_t1": 170.0, "a_t2": 100.0, "b_t0": 60.0}
    assert bystanders(tracks, heights, 0.6) == {"a_t1"}  # a_t2 is alone for most of its time
    assert bystanders(tracks, heights, 0.5) == set()
    assert bystanders(tracks, heights, 0.0) == set()
    assert bystanders(tracks, {name: h for name, h in heights.items() if name != "a_t0"}, 0.6) == set()
