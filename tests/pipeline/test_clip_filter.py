"""Measures of a track, and the limits on them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wild import FakeBackend, keypoints, shade_of, standing, waving, write_video

from crossdiff.config import load_config
from crossdiff.errors import InputError, PartialFailure
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import DUPLICATE, ENOUGH, REASONS, FilterConfig, filter_clips, first_violation
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.pipeline.motion2d.measures import measure
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

GOOD = {
    "fps": 25, "frames": 80, "edge": 0.0, "whole": 0.8, "height": 120, "score": 0.9, "joint_score": 0.7, "bones": 0.02,
    "jitter": 0.01, "camera_lost": 0.0, "camera": 0.2, "motion": 0.3,
}  # fmt: skip


def changed(clip: Keypoints2D, **parts) -> Keypoints2D:
    return dataclasses.replace(clip, **parts)


def test_measures_of_a_good_clip():
    found = measure(keypoints(waving(100, 25), fps=25), 0.3)
    assert found["fps"] == 25 and found["frames"] == 80 and found["seconds"] == pytest.approx(99 / 25)
    assert found["score"] == pytest.approx(0.9) and found["whole"] == 1 and found["edge"] == 0
    assert found["height"] == pytest.approx(75, abs=2)  # shoulders to ankles of a body of 100
    assert found["jitter"] < 0.01 < found["motion"]
    assert first_violation(found, FilterConfig()) is None


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
    found = measure(changed(whole, score=score), 0.3)
    assert found["whole"] == pytest.approx(0.25)
    assert found["joint_score"] == pytest.approx(0.75 * 0.1 + 0.25 * 0.9)


def test_a_limb_that_jumps_for_some_frames_shows_and_one_that_turns_does_not():
    turning, jumping = waving(100), waving(100)
    wrist, elbow = (BLAZEPOSE33.names.index(f"left_{part}") for part in ("wrist", "elbow"))
    along = np.cos(np.linspace(0, np.pi, 100))[:, None]
    turning[:, wrist] = turning[:, elbow] + along * (turning[0, wrist] - turning[0, elbow])
    for joint in ("left_elbow", "right_elbow", "left_knee", "right_knee"):
        jumping[::7, BLAZEPOSE33.names.index(joint)] += [30, 0]
    calm, wild = (measure(keypoints(xy), 0.3)["bones"] for xy in (turning, jumping))
    assert calm < 0.02 < 0.1 < wild


@given(st.integers(15, 60), st.floats(0, 0.3))
def test_measures_go_by_the_time_of_frames_not_by_their_number(fps, uneven):
    """The same waving, shown at another rate and at uneven times."""
    time = (np.arange(4 * fps) + uneven * np.random.default_rng(0).uniform(-1, 1, 4 * fps)) / fps
    xy = np.repeat(standing()[None], len(time), axis=0)
    xy[:, BLAZEPOSE33.names.index("left_wrist"), 1] += 20 * np.sin(2 * np.pi * 0.5 * time)
    found = measure(changed(keypoints(xy, fps=fps), time=time), 0.3)
    assert found["fps"] == pytest.approx(fps, rel=0.15)
    assert found["motion"] == pytest.approx(0.046, rel=0.25)  # 0.5 of a body height per second in one of 12
    assert found["jitter"] < 0.002


def test_a_camera_that_follows_is_measured_and_taken_out_of_the_motion():
    """A still person seen by a camera that moves 40 pixels per second; the picture stays as large."""
    xy = np.repeat(standing()[None], 60, axis=0)
    camera = np.tile(np.eye(2, 3), (60, 1, 1))
    camera[:, 0, 2] = 2 * np.arange(60)
    xy[:, :, 0] -= 2 * np.arange(60)[:, None]
    clip = keypoints(xy)
    resting, following = measure(clip, 0.3), measure(changed(clip, camera=camera), 0.3)
    assert resting["camera"] == 0 and resting["motion"] > 0.4
    assert following["camera"] == pytest.approx(40 / 75, rel=0.05) and following["motion"] == pytest.approx(0, abs=1e-5)


def test_where_the_camera_is_unknown_is_counted_and_left_out():
    known = np.arange(60) < 45
    camera = np.tile(np.eye(2, 3), (60, 1, 1))
    camera[45:] = 0
    found = measure(changed(keypoints(waving(60)), camera=camera, camera_known=known), 0.3)
    assert found["camera_lost"] == 0.25 and found["camera"] == 0
    assert found["motion"] == pytest.approx(measure(keypoints(waving(45)), 0.3)["motion"], rel=0.01)


def test_a_jump_of_an_unknown_camera_is_no_motion():
    xy = np.repeat(standing()[None], 60, axis=0)
    xy[30:] += [50, 0]
    clip = keypoints(xy)
    assert measure(clip, 0.3)["motion"] > 0.1
    assert measure(changed(clip, camera_known=np.arange(60) != 30), 0.3)["motion"] == 0


def test_one_frame_has_measures_too():
    found = measure(keypoints(waving(1)), 0.3)
    assert found["frames"] == 1 and all(np.isfinite(list(found.values())))


@pytest.mark.parametrize("limit", REASONS)
def test_each_limit_refuses_what_is_beyond_it_and_keeps_what_is_on_it(limit):
    cfg = FilterConfig()
    threshold, worse = getattr(cfg, limit), -1 if limit.startswith("min") else 1
    assert first_violation(GOOD | {limit[4:]: threshold}, cfg) is None
    missed = first_violation(GOOD | {limit[4:]: threshold + worse * 0.001}, cfg)
    assert missed is not None and missed.reason == REASONS[limit] and missed.threshold == threshold


def test_the_first_limit_missed_is_the_reason():
    missed = first_violation(GOOD | {"motion": 0.0, "fps": 5.0}, FilterConfig())
    assert missed is not None and missed.reason == "source frame rate too low" and missed.value == 5


def test_the_shipped_file_holds_the_defaults():
    assert load_config(FilterConfig, "filter") == FilterConfig()


def test_every_clip_of_a_run_is_judged_once(run):
    first = filter_clips(run)
    assert (first.clips, first.kept, first.unchanged) == (2, 2, 0)
    again = filter_clips(run)
    assert (again.clips, again.kept, again.unchanged) == (2, 2, 2)


def copies(videos, run, **names):
    """Videos of the lengths given that show the person of the run's first video."""
    for name, frames in names.items():
        copy = write_video(videos / f"{name}.mp4", frames=frames, grey=shade_of("v_PullUps_g01_c01"))
        extract_2d([copy], run, FakeBackend())


def test_of_clips_that_show_the_same_the_longest_stays(run, videos):
    assert filter_clips(run).kept == 2
    copies(videos, run, longer=80)
    assert filter_clips(run).kept == 2
    row = run.ledger.get("filter", "PullUps__v_PullUps_g01_c01_t0")
    assert (row.state, row.reason, row.threshold) == ("filtered", DUPLICATE, 0.025) and row.value < 0.01
    assert row.measures["duplicate_of"] == "longer_t0"
    # It is kept again when the better clip is gone.
    extract_2d([write_video(videos / "longer.mp4", grey=0)], run, FakeBackend())
    assert filter_clips(run).kept == 2 and run.ledger.get("filter", row.id).state == "done"


def test_what_is_judged_is_not_read_again(run):
    filter_clips(run)
    for path in run.keypoints.iterdir():
        path.unlink()
    assert filter_clips(run).unchanged == 2


def test_the_best_of_each_label_are_kept(run, videos):
    copies(videos, run, PullUps_2=70, PullUps_3=80)
    summary = filter_clips(run, FilterConfig(min_difference=0, per_label=1))
    assert summary.kept == 2 and summary.filtered == {ENOUGH: 2}
    assert filter_clips(run, FilterConfig(min_difference=0, per_label=3)).kept == 4


def test_a_changed_limit_judges_again_and_the_ledger_says_why(run, monkeypatch):
    filter_clips(run)
    monkeypatch.setattr("crossdiff.pipeline.measuring.measure", None)  # nothing is measured again
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


def test_a_file_that_was_damaged_later_fails_its_clip_alone(run, videos):
    filter_clips(run)
    (run.keypoints / "jumping_jacks_01_t0.npz").write_bytes(b"nothing")
    copies(videos, run, longer=80)
    summary = filter_clips(run)
    assert summary.kept == summary.filtered[DUPLICATE] == 1 and list(summary.failed) == ["jumping_jacks_01_t0"]
    assert run.ledger.get("filter", "jumping_jacks_01_t0").state == "failed"


def test_where_all_clips_fail_it_is_no_partial_failure(run):
    for path in run.keypoints.iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"no clip could be read.*\n  PullUps.*no such file"):
        filter_clips(run).raise_failures()


def test_an_empty_run_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="extract-2d"):
        filter_clips(Run.create(tmp_path / "r"))
