"""Kept clips to motions, features and captions."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import person
from wild import FakeBackend, write_video

from crossdiff.annotations import captions_for
from crossdiff.config import load_config
from crossdiff.errors import InputError, PartialFailure
from crossdiff.files import load_npz
from crossdiff.pipeline.build import BuildConfig, build_2d, features_of
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.motion2d.motion import to_motions
from crossdiff.representation.layouts import layout_2d
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D, Motion2D


@pytest.fixture
def built(run):
    filter_clips(run)
    build_2d(run)
    return run


def _names(folder):
    return sorted(path.stem for path in folder.iterdir())


def test_a_clip_becomes_motion_features_and_captions(built):
    name = "jumping_jacks_01_t0_0"
    motion = Motion2D.load(built.motion2d / f"{name}.npz")
    data = load_npz(built.features2d / f"{name}.npz")
    assert motion.joints.shape == (70, 22, 2) and data["features"].shape == data["mask"].shape == (69, 132)
    assert data["features"].dtype == np.float32 and data["mask"].dtype == bool and float(data["fps"]) == 20
    assert data["mask"].all() and np.isfinite(data["features"]).all() and not data["filled"].any()
    assert built.ledger.rows("build", id=name)[0].measures["camera"] == motion.camera == "still"
    lines = (built.texts / f"{name}.txt").read_text().splitlines()
    assert len(lines) == len(captions_for("JumpingJack"))
    assert lines[0].startswith("a person does jumping jacks.#a/OTHER person/OTHER")
    assert _names(built.motion2d) == _names(built.features2d) == _names(built.texts)


def test_a_long_clip_is_cut_evenly(run, videos):
    write_video(videos / "nobody.mp4", frames=300)
    extract_2d([videos], run, FakeBackend())
    filter_clips(run)
    build_2d(run)
    rows = run.ledger.rows("build", parent="nobody_t0")
    assert [row.measures["frames"] for row in rows] == [150, 150]


def test_what_was_filled_in_is_marked_among_the_features():
    motion = Motion2D(person(60)[..., :2].numpy(), np.ones((60, 22), bool), 20.0)
    motion.valid[:, 3] = False
    motion.filled[20:23, HUMANML3D.index("l_wrist")] = True
    features, mask, filled = features_of(motion, "paper")
    slices = layout_2d()
    assert features.shape == mask.shape == filled.shape and not (filled & ~mask).any()
    wrist = HUMANML3D.index("l_wrist") - 1
    positions = filled[:, slices.positions].reshape(59, 21, 2)
    assert np.argwhere(positions.any(axis=-1)).tolist() == [[n, wrist] for n in (20, 21, 22)]
    velocities = filled[:, slices.velocities].reshape(59, 21, 2)
    assert np.argwhere(velocities.any(axis=-1)).tolist() == [[n, wrist] for n in (19, 20, 21, 22)]


def test_a_clip_of_an_unknown_camera_shows_no_path(run):
    for path in run.keypoints.iterdir():
        track = Keypoints2D.load(path)
        replace(track, camera_known=track.frame % 3 == 0).save(path)
    filter_clips(run)
    build_2d(run)
    for row in run.ledger.rows("build"):
        assert row.measures["camera"] == "unknown"
        data = load_npz(run.features2d / f"{row.id}.npz")
        slices = layout_2d()
        for group in (slices.root, slices.velocities, slices.contacts):
            assert not data["mask"][:, group].any() and not data["features"][:, group].any()
        assert data["mask"][:, slices.positions].all() and data["mask"][:, slices.rotations].all()


def test_a_frame_of_unknown_camera_hides_the_path_of_the_steps_to_it_alone(run):
    for path in run.keypoints.iterdir():
        track = Keypoints2D.load(path)
        replace(track, camera_known=track.frame != 5).save(path)
    filter_clips(run)
    build_2d(run)
    for row in run.ledger.rows("build"):
        assert row.measures["camera"] != "unknown"
        mask = load_npz(run.features2d / f"{row.id}.npz")["mask"][:, layout_2d().root].all(axis=-1)
        assert 0 < (~mask).sum() <= 2 and mask[10:].all()


def test_a_second_time_nothing_is_done(built):
    summary = build_2d(built)
    assert summary.unchanged == summary.clips == summary.motions == 2


def test_settings_and_captions_that_change_are_built_again(built, videos):
    assert build_2d(built, BuildConfig(layout="official")).unchanged == 0
    assert load_npz(built.features2d / "jumping_jacks_01_t0_0.npz")["features"].shape == (69, 134)
    (videos / "captions.csv").write_text("video,caption\njumping_jacks_01.mp4,a man warms up\n")
    extract_2d([videos], built, FakeBackend())
    assert build_2d(built, BuildConfig(layout="official")).unchanged == 1
    assert (built.texts / "jumping_jacks_01_t0_0.txt").read_text().startswith("a man warms up#")


def test_small_people_behind_the_one_who_is_described_get_no_caption(run, videos):
    (videos / "captions.csv").write_text("video,caption\njumping_jacks_01.mp4,a man warms up\n")
    extract_2d([videos], run, FakeBackend())
    man = Keypoints2D.load(run.keypoints / "jumping_jacks_01_t0.npz")
    small = replace(man, xy=man.xy * 0.55)
    (row,) = run.ledger.rows("track", id="jumping_jacks_01_t0")
    small.save(run.keypoints / "jumping_jacks_01_t1.npz")
    run.ledger.put([replace(row, id="jumping_jacks_01_t1", key="another")])
    filter_clips(run, FilterConfig(min_difference=0, min_height=0))
    build_2d(run)
    tall, behind = ((run.texts / f"jumping_jacks_01_t{n}_0.txt").read_text() for n in (0, 1))
    assert tall.startswith("a man warms up#") and behind == ""
    (videos / "captions.csv").write_text("video,caption,track\njumping_jacks_01.mp4,a child,1\n")
    extract_2d([videos / "jumping_jacks_01.mp4"], run, FakeBackend())
    assert build_2d(run).unchanged < 3
    tall, behind = ((run.texts / f"jumping_jacks_01_t{n}_0.txt").read_text() for n in (0, 1))
    assert tall == "" and behind.startswith("a child#")


def test_parts_of_a_video_with_captions_of_their_own_are_clips(run, videos):
    (videos / "captions.csv").write_text(
        "video,caption,start,end\nlong.mp4,a man waves,1,4\nlong.mp4,the man waves on,4,7.5\n"
        "long.mp4,someone waves,1,4\nlong.mp4,too short to learn from,8,8.8\n"
    )
    backend = FakeBackend()
    extract_2d([write_video(videos / "long.mp4", frames=200)], run, backend)
    filter_clips(run)
    build_2d(run)
    rows = run.ledger.rows("build", parent="long_t0")
    assert [row.measures["frames"] for row in rows] == [60, 70]
    texts = [(run.texts / f"{row.id}.txt").read_text() for row in rows]
    assert "a man waves#" in texts[0] and "someone waves#" in texts[0] and "the man waves on#" in texts[1]
    assert all(line.endswith("#0.0#0.0") for text in texts for line in text.splitlines())
    # The same pixels are the same metres in every part.
    whole, first = run.ledger.get("track", "long_t0"), Motion2D.load(run.motion2d / "long_t0_0.npz")
    assert whole is not None
    (videos / "captions.csv").write_text("video,caption\nlong.mp4,a man waves\n")
    extract_2d([videos / "long.mp4"], run, backend)
    build_2d(run)
    assert backend.frames == 200
    cut = Motion2D.load(run.motion2d / "long_t0_0.npz").joints[20:80]
    np.testing.assert_allclose(first.joints, cut - cut[0, 0], atol=1e-5)


def test_what_the_filter_refuses_later_is_taken_away(built):
    filter_clips(built, FilterConfig(min_frames=65))
    assert build_2d(built).motions == 1
    assert _names(built.motion2d) == _names(built.texts) == ["jumping_jacks_01_t0_0"]
    assert [row.id for row in built.ledger.rows("build")] == ["jumping_jacks_01_t0_0"]


def test_parts_of_a_video_in_which_a_track_is_not_shown_cost_nothing(run, videos, monkeypatch):
    filter_clips(run)
    (videos / "captions.csv").write_text(
        "video,caption,start,end\njumping_jacks_01.mp4,a man waves,0,3\njumping_jacks_01.mp4,nobody,4,9\n"
    )
    extract_2d([videos], run, FakeBackend())
    spans = []

    def spy(keypoints, cfg, span):
        spans.append(span)
        return to_motions(keypoints, cfg, span)

    monkeypatch.setattr("crossdiff.pipeline.build.to_motions", spy)
    assert build_2d(run).motions == 2
    assert spans == [(0, 0), (0, 3)]


def test_a_track_that_no_caption_is_about_is_told_from_one_that_is_not_seen(run, videos):
    filter_clips(run)
    (videos / "captions.csv").write_text("video,caption,start,end\njumping_jacks_01.mp4,nobody,4,9\n")
    extract_2d([videos], run, FakeBackend())
    assert build_2d(run).filtered == {"no caption is about it": 1}


class _Killed(BaseException):
    """The end of the process, where a test wants it."""


def _killed(*_, **__):
    raise _Killed


@pytest.mark.parametrize("killed", ["crossdiff.pipeline.build.remove_motions", "crossdiff.pipeline.ledger.Ledger.drop"])
def test_a_clean_up_that_is_killed_is_finished_the_next_time(labelled, monkeypatch, killed):
    filter_clips(labelled, FilterConfig(min_frames=100))
    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(killed, _killed)
        build_2d(labelled)
    assert build_2d(labelled).motions == 0
    for folder in (labelled.motion2d, labelled.features2d, labelled.texts, labelled.pseudo3d):
        assert _names(folder) == []
    assert labelled.ledger.rows("build") == labelled.ledger.rows("pseudo") == []


@pytest.mark.parametrize("killed", ["write_bytes", "write_text"])
def test_files_of_a_build_that_was_killed_do_not_pass_for_those_of_another(labelled, monkeypatch, killed):
    before = {path: path.read_bytes() for path in labelled.features2d.iterdir()}
    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(f"crossdiff.pipeline.built.{killed}", _killed)
        build_2d(labelled, BuildConfig(fps=12.5, max_frames=41, min_frames=10))
    assert len(_names(labelled.pseudo3d)) + len(_names(labelled.pseudo3d_filtered)) == 1
    (labelled.features2d / ".x.1.tmp.npz").write_bytes(b"PK")
    assert build_2d(labelled, BuildConfig()).unchanged == 1
    assert {path: path.read_bytes() for path in labelled.features2d.iterdir()} == before


def test_pieces_of_a_build_that_was_killed_go_with_their_clip(run, monkeypatch):
    filter_clips(run)
    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr("crossdiff.pipeline.built.write_text", _killed)
        build_2d(run)
    assert len(_names(run.features2d)) == 1
    filter_clips(run, FilterConfig(min_frames=100))
    build_2d(run)
    assert _names(run.motion2d) == _names(run.features2d) == []


def test_clips_without_a_long_enough_piece_and_lost_files_have_their_rows(built):
    (built.keypoints / "PullUps__v_PullUps_g01_c01_t0.npz").unlink()
    summary = build_2d(built, BuildConfig(min_frames=80))
    assert summary.motions == 0 and summary.filtered.total() == 1 and len(summary.failed) == 1
    assert _names(built.motion2d) == []
    with pytest.raises(PartialFailure, match=r"1 of 2 clips failed:\n  PullUps"):
        summary.raise_failures()
    (built.keypoints / "jumping_jacks_01_t0.npz").unlink()
    with pytest.raises(InputError, match=r"no clip could be made into motion.*\n  PullUps"):
        build_2d(built, BuildConfig()).raise_failures()


def test_building_before_filtering_says_what_to_do(run):
    with pytest.raises(InputError, match="crossdiff filter"):
        build_2d(run)


def test_the_shipped_file_holds_the_defaults():
    assert load_config(BuildConfig, "build") == BuildConfig()
