"""Measures of a track, and the limits on them."""

import numpy as np
import pytest
from wild import keypoints, standing, waving

from crossdiff.config import load_config
from crossdiff.errors import InputError, PartialFailure
from crossdiff.pipeline.filter import REASONS, FilterConfig, filter_clips, judge
from crossdiff.pipeline.mapping import BLAZEPOSE33
from crossdiff.pipeline.measures import measure
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

GOOD = {
    "fps": 25, "frames": 80, "height": 120, "score": 0.9, "whole": 0.8, "edge": 0.0, "jitter": 0.01, "motion": 0.3,
}  # fmt: skip


def test_measures_of_a_good_clip():
    found = measure(keypoints(waving(100, 25), fps=25), 0.3)
    assert found["fps"] == 25 and found["frames"] == 80 and found["seconds"] == pytest.approx(99 / 25)
    assert found["score"] == pytest.approx(0.9) and found["whole"] == 1 and found["edge"] == 0
    assert found["height"] == pytest.approx(75, abs=2)  # shoulders to ankles of a body of 100
    assert found["jitter"] < 0.01 < found["motion"]
    assert judge(found, FilterConfig()) is None


def test_jitter_grows_with_noise_and_motion_hardly():
    noise = np.random.default_rng(0).normal(scale=3, size=(100, 33, 2))
    calm, shaken = (measure(keypoints(waving(100) + n), 0.3) for n in (0 * noise, noise))
    assert shaken["jitter"] > 5 * calm["jitter"]
    assert shaken["motion"] < 2 * calm["motion"]


def test_a_picture_has_no_motion():
    assert measure(keypoints(np.repeat(standing()[None], 60, axis=0)), 0.3)["motion"] == 0


def test_a_body_that_leaves_the_frame_is_measured():
    xy = waving(60)
    xy[:30] += [0, 60]
    assert measure(keypoints(xy), 0.3)["edge"] == 0.5


def test_an_unseen_ankle_makes_the_body_not_whole():
    whole = keypoints(waving(60))
    score = whole.score.copy()
    score[:45, BLAZEPOSE33.names.index("left_ankle")] = 0.1
    clip = Keypoints2D(whole.xy, score, whole.frame, whole.fps, whole.size, whole.keypoint_set)
    assert measure(clip, 0.3)["whole"] == pytest.approx(0.25)


def test_one_frame_has_measures_too():
    found = measure(keypoints(waving(1)), 0.3)
    assert found["frames"] == 1 and all(np.isfinite(list(found.values())))


@pytest.mark.parametrize("limit", REASONS)
def test_each_limit_refuses_what_is_beyond_it_and_keeps_what_is_on_it(limit):
    cfg = FilterConfig()
    threshold, worse = getattr(cfg, limit), -1 if limit.startswith("min") else 1
    assert judge(GOOD | {limit[4:]: threshold}, cfg) is None
    missed = judge(GOOD | {limit[4:]: threshold + worse * 0.001}, cfg)
    assert missed is not None and missed.reason == REASONS[limit] and missed.threshold == threshold


def test_the_first_limit_missed_is_the_reason():
    missed = judge(GOOD | {"motion": 0.0, "fps": 5.0}, FilterConfig())
    assert missed is not None and missed.reason == "source frame rate too low" and missed.value == 5


def test_the_shipped_file_holds_the_defaults():
    assert load_config(FilterConfig, "filter") == FilterConfig()


def test_every_clip_of_a_run_is_judged_once(run):
    first = filter_clips(run)
    assert (first.clips, first.kept, first.unchanged) == (2, 2, 0)
    again = filter_clips(run)
    assert (again.clips, again.kept, again.unchanged) == (2, 2, 2)


def test_a_changed_limit_judges_again_and_the_ledger_says_why(run):
    filter_clips(run)
    summary = filter_clips(run, FilterConfig(min_frames=65))
    assert (summary.kept, summary.unchanged) == (1, 0)
    assert "1 too short" in str(summary)
    row = run.ledger.get("filter", "PullUps__v_PullUps_g01_c01_t0")
    assert (row.state, row.reason, row.value, row.threshold) == ("filtered", "too short", 60, 65)
    assert row.measures["fps"] == pytest.approx(20)


def test_a_lost_file_fails_its_clip_alone_and_is_tried_again(run):
    path = run.keypoints / "jumping_jacks_01_t0.npz"
    content = path.read_bytes()
    path.write_bytes(b"nothing")
    summary = filter_clips(run)
    assert summary.kept == 1 and list(summary.failed) == ["jumping_jacks_01_t0"]
    with pytest.raises(PartialFailure, match="jumping_jacks_01_t0"):
        summary.raise_failures()
    path.write_bytes(content)
    assert filter_clips(run).kept == 2


def test_an_empty_run_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="extract-2d"):
        filter_clips(Run.create(tmp_path / "r"))
