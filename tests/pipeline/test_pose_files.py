"""Folders of keypoints and JHMDB's file, as they are read for import."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wild import SHARED, keypoints, standing, waving

from crossdiff.annotations import VideoCaption, captions_for
from crossdiff.config import load_config
from crossdiff.errors import ClipError, InputError
from crossdiff.files import save_npz, write_text
from crossdiff.pipeline.build import BuildConfig, build_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.importing.imports import UnusableClip, import_keypoints
from crossdiff.pipeline.importing.jhmdb import read_jhmdb
from crossdiff.pipeline.importing.npz import read_keypoints
from crossdiff.pipeline.importing.options import ImportOptions
from crossdiff.pipeline.importing.picture import camera_rule, fit_picture, is_camera_still
from crossdiff.pipeline.importing.pose_files import read_poses, read_sentences
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33, JHMDB15
from crossdiff.pipeline.motion2d.motion import MotionConfig, to_motions
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

JHMDB = SHARED / "data" / "pose2d_jhmdb.npz"
NAMES = [n.replace("right_", "r_").replace("left_", "l_") for n in JHMDB15.names]


def write_poses(path: Path, poses: np.ndarray, **more) -> Path:
    """The least that a file of keypoints holds."""
    parts = {"score": np.full(poses.shape[:2], 0.9), "fps": np.float64(25), "keypoint_set": np.array("blazepose33")}
    save_npz(path, **{"xy": poses, **parts, **more})
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, period in (("a", 20), ("JumpingJack/b", 34), ("c", 27), ("d", 15)):
        write_poses(tmp_path / "poses" / f"{name}.npz", waving(60, period))
    write_text(tmp_path / "poses/a.txt", "a person waves#a/DET person/NOUN wave/VERB#0.0#0.0\na person says hello\n")
    write_text(tmp_path / "poses/captions.csv", "video,caption\na.npz,beside\nc,a person stretches\n")
    write_text(tmp_path / "given.csv", "video,caption,start,end\nd.npz,a person starts,0,1.5\n")
    return tmp_path / "poses"


def test_a_folder_of_keypoints_with_captions_from_everywhere(folder):
    found = read_poses(folder, folder.parent / "given.csv")
    clips = {clip.id: clip for clip in found.clips}
    assert found.count == 4 and list(clips) == ["JumpingJack__b", "a", "c", "d"]
    texts = {name: [tuple(caption) for caption in clip.captions] for name, clip in clips.items()}
    assert texts["a"] == [VideoCaption("a person waves"), VideoCaption("a person says hello")]
    assert texts["c"] == [VideoCaption("a person stretches")]
    assert texts["d"] == [VideoCaption("a person starts", 0, 1.5)]
    assert [text for text, *_ in texts["JumpingJack__b"]] == captions_for("JumpingJack")
    assert clips["JumpingJack__b"].label == "JumpingJack"


def test_what_a_file_need_not_say(tmp_path):
    found = read_keypoints(write_poses(tmp_path / "a.npz", standing()[None].repeat(5, axis=0) - 300))
    assert found.frame.tolist() == [0, 1, 2, 3, 4] and found.fps == 25 and found.camera_known.all()
    width, height = found.size
    assert (found.xy > 0).all() and (found.xy < [width, height]).all() and height < 130
    np.testing.assert_allclose(np.diff(found.xy[0], axis=0), np.diff(standing(), axis=0), atol=1e-3)


def test_all_that_a_file_says_is_kept(tmp_path):
    whole = keypoints(waving(9))
    whole.save(tmp_path / "a.npz")
    found = read_keypoints(tmp_path / "a.npz")
    for name in ("xy", "score", "frame", "time", "camera", "camera_known"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-6)
    assert (found.size, found.fps, found.keypoint_set) == (whole.size, whole.fps, whole.keypoint_set)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"score": np.zeros((4, 33))}, "scores: expected shape"),
        ({"fps": np.zeros(3)}, "not keypoints"),
        ({"fps": np.float64(0)}, "frame rate must be positive"),
        ({"size": np.array([100])}, "not keypoints"),
        ({"frame": np.arange(3)}, "frame numbers: expected shape"),
        ({"xy": np.full((60, 33, 2), "here")}, "not keypoints"),
    ],
    ids=["score", "fps", "zero", "size", "frame", "words"],
)
def test_a_file_of_another_form_is_one_unusable_clip(tmp_path, parts, said):
    write_poses(tmp_path / "bad.npz", waving(60), **parts)
    write_poses(tmp_path / "good.npz", waving(60))
    bad, good = read_poses(tmp_path).clips
    assert isinstance(bad, UnusableClip) and said in bad.reason and good.id == "good"


def test_files_that_are_no_archive_or_hold_other_arrays(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no archive")
    save_npz(tmp_path / "b.npz", joints=np.zeros(3))
    first, second = read_poses(tmp_path).clips
    assert "not a readable npz" in first.reason and "lacks xy, score, fps, keypoint_set" in second.reason


def test_nothing_to_read_is_said(tmp_path):
    for source, said in ((tmp_path, "holds no .npz and no .json files"), (tmp_path / "none", "no such file or folder")):
        with pytest.raises(InputError, match=said):
            read_poses(source)
    with pytest.raises(InputError, match="'tripod' for the camera; there are: still, unknown, guess"):
        camera_rule("tripod")


def test_lines_of_captions(tmp_path):
    write_text(tmp_path / "a.txt", "\ufeffone sentence\n\nanother#another/X#0.0#0.0\na part#a/X part/X#1#2.5\n")
    assert read_sentences(tmp_path / "a.txt") == [
        VideoCaption("one sentence"), VideoCaption("another"), VideoCaption("a part", 1, 2.5)
    ]  # fmt: skip
    write_text(tmp_path / "b.txt", "number #1 in the world\n")
    with pytest.raises(ClipError, match="expected caption#tokens#start#end"):
        read_sentences(tmp_path / "b.txt")


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 50), st.floats(-500, 500), st.floats(-500, 500))
def test_a_frame_holds_all_poses_and_does_not_bend_them(scale, x, y):
    before = keypoints(waving(12) * scale + [x, y])
    after = fit_picture(before)
    assert (after.xy >= 0).all() and (after.xy <= after.size).all()
    np.testing.assert_allclose(np.diff(after.xy, axis=1), np.diff(before.xy, axis=1), atol=1e-2)


def test_what_the_camera_did_is_the_same_in_a_frame_of_another_place():
    zoom = 1 + np.linspace(0, 1, 60)[:, None, None]
    camera = np.concatenate([np.eye(2) / zoom, np.zeros((60, 2, 1))], axis=-1)
    before = dataclasses.replace(keypoints(standing(centre=(900, 500)) * zoom), camera=camera)
    (motion,) = to_motions(fit_picture(before), MotionConfig())
    assert motion.camera == "compensated" and np.ptp(motion.joints[:, 0], axis=0).max() < 1e-3


def test_a_camera_that_follows_somebody_is_told_from_one_that_rests():
    stays = keypoints(waving(40))
    slides = waving(40)
    slides[..., 0] += 4.0 * np.arange(40)[:, None]  # 80 pixels a second, of a body of 100
    assert is_camera_still(stays) and not is_camera_still(keypoints(slides))
    # Of a body without feet the hips count: the hands wave.
    score = stays.score.copy()
    score[:, [n for n, name in enumerate(BLAZEPOSE33.names) if "ankle" in name or "knee" in name]] = 0
    assert is_camera_still(Keypoints2D(stays.xy, score, stays.frame, stays.fps, stays.size, stays.keypoint_set))


@pytest.mark.parametrize(("rule", "known"), [("still", True), ("unknown", False), ("guess", False)])
def test_the_camera_goes_by_the_rule_where_a_file_does_not_say(tmp_path, rule, known):
    moved = waving(40) + 4.0 * np.arange(40)[:, None, None]
    write_poses(tmp_path / "silent.npz", moved)
    write_poses(tmp_path / "says.npz", moved, camera_known=np.ones(40, bool))
    found = {
        clip.id: bool(clip.keypoints.camera_known.all())
        for clip in read_poses(tmp_path, None, ImportOptions(camera=rule)).clips
    }
    assert found == {"silent": known, "says": True}


# A person as JHMDB's puppet: right and left at the image's left and right, in heights of the picture, y down.
_PUPPET = {
    "neck": (0, -0.15), "belly": (0, 0.1), "face": (0, -0.25), "shoulder": (0.12, -0.12), "hip": (0.06, 0.2),
    "elbow": (0.16, 0.05), "wrist": (0.17, 0.2), "knee": (0.06, 0.43), "ankle": (0.06, 0.63),
}  # fmt: skip


def puppet(frames: int, legs: bool = True) -> np.ndarray:
    """A puppet that waves its right hand and, with `legs`, bends its left knee; shape (frames, 15, 2)."""
    points = []
    for name in JHMDB15.names:
        side = {"left": 1, "right": -1}.get(name.partition("_")[0], 0)
        x, y = _PUPPET[name.split("_")[-1]]
        points.append((side * x if side else x, y))
    pose = np.repeat(np.array(points)[None], frames, axis=0)
    swing = np.cos(2 * np.pi * np.arange(frames) / 25)
    pose[:, JHMDB15.names.index("right_wrist"), 0] += 0.15 * swing
    if legs:
        pose[:, JHMDB15.names.index("left_ankle"), 0] += 0.1 * swing
    return pose


def write_jhmdb(path: Path, **changes) -> Path:
    poses = [puppet(40), puppet(25, legs=False), puppet(15)]
    arrays = {
        "pose": np.concatenate(poses).astype(np.float32),
        "offsets": np.array([0, 40, 65, 80]),
        "label": np.array(["throw", "wave", "pullup"]),
        "split": np.array(["train", "test", "train"]),
        "joint_names": np.array(NAMES),
    }
    save_npz(path, **{**arrays, **changes})
    return path


def test_poses_of_jhmdb_are_found_by_their_arrays(tmp_path):
    found = read_poses(write_jhmdb(tmp_path / "poses.npz"))
    clips = list(found.clips)
    assert found.count == 3 and [clip.id for clip in clips] == ["throw_0000", "wave_0001", "pullup_0002"]
    first = clips[0].keypoints
    assert first.keypoint_set == "jhmdb" and first.fps == 25 and len(first.frame) == 40 and first.score.all()
    # As long across the picture as upright: both axes are in heights of the picture.
    moved = first.xy[0] - first.xy[0, 0]
    np.testing.assert_allclose(moved, 240 * (puppet(1)[0] - puppet(1)[0, 0]), atol=1e-3)
    assert (first.xy > 0).all() and (first.xy < first.size).all()


def test_legs_that_nobody_moved_are_not_seen(tmp_path):
    clips = {clip.label: clip.keypoints for clip in read_poses(write_jhmdb(tmp_path / "poses.npz")).clips}
    unseen = [JHMDB15.names[k] for k in np.flatnonzero(clips["wave"].score[0] == 0)]
    assert sorted(unseen) == ["left_ankle", "left_knee", "right_ankle", "right_knee"]
    assert clips["throw"].score.all()


def test_joints_of_jhmdb_in_another_order_and_missing_ones(tmp_path):
    turned, poses = slice(None, None, -1), np.concatenate([puppet(40), puppet(25, legs=False), puppet(15)])
    poses[3, 0] = np.nan
    path = write_jhmdb(tmp_path / "poses.npz", pose=poses[:, turned], joint_names=np.array(NAMES[turned]))
    first = read_jhmdb(path)[0].keypoints
    assert first.score[3].tolist() == [0] + 14 * [1] and first.score[4].all()
    np.testing.assert_allclose(first.xy[0], 240 * puppet(1)[0], rtol=1e-5)


def write_penn(path: Path, **changes) -> Path:
    """A file with the further arrays of Penn Action's: the second clip contradicts its left and right."""
    poses = np.concatenate([puppet(40), puppet(25, legs=False), puppet(15)]).astype(np.float32)
    poses[50, JHMDB15.names.index("left_ankle")] = np.nan
    more = {
        "pose": poses,
        "label": np.array(["pullup", "strum_guitar", "pullup"]),
        "fps": np.array([30, 30, 24], dtype=np.float32),
        "source_number": np.array([7, 1211, 2]),
        "side_evidence": np.array([[1, 0], [0, 0], [1, -1]], dtype=np.int8),
    }
    return write_jhmdb(path, **{**more, **changes})


def test_poses_of_penn_action_have_their_own_names_frame_rates_and_unseen_joints(tmp_path):
    clips = list(read_poses(write_penn(tmp_path / "poses.npz")).clips)
    assert [clip.id for clip in clips] == ["penn_pullup_0007", "penn_strum_guitar_1211", "penn_pullup_0002"]
    assert [clip.keypoints.fps for clip in clips] == [30, 30, 24]
    # Legs that rest are seen: this file marks the joints that are not.
    unseen = np.argwhere(clips[1].keypoints.score == 0).tolist()
    assert unseen == [[10, JHMDB15.names.index("left_ankle")]]
    assert {c.keypoints.fps for c in read_poses(tmp_path / "poses.npz", options=ImportOptions(fps=50)).clips} == {50}


def test_clips_that_contradict_their_left_and_right_are_left_out(tmp_path, caplog):
    path = write_penn(tmp_path / "poses.npz", side_evidence=np.array([[1, 0], [0, -1], [1, -1]]))
    assert [clip.label for clip in read_poses(path).clips] == ["pullup", "pullup"]
    assert "1 of 3 clips left out: they contradict their left and right" in caplog.text
    with pytest.raises(InputError, match="expected side_evidence of each of the 3 clips"):
        read_poses(write_penn(path, side_evidence=np.zeros((2, 2))))


def test_both_annotated_sets_go_into_one_run(tmp_path):
    run = Run.create(tmp_path / "run")
    for write in (write_jhmdb, write_penn):
        import_keypoints(run, read_poses(write(tmp_path / f"{write.__name__}.npz")).clips, write.__name__)
    videos = run.ledger.videos()
    assert len(videos) == 6 and {"pullup_0002", "penn_pullup_0002"} <= set(videos)
    assert videos["pullup_0002"].captions == videos["penn_pullup_0002"].captions


def test_held_out_captions_are_not_imported(tmp_path):
    options = ImportOptions(hold_out_captions=True)
    write_poses(tmp_path / "folder/squat/a.npz", waving(60))
    for source in (write_jhmdb(tmp_path / "poses.npz"), tmp_path / "folder"):
        for clip in read_poses(source, options=options).clips:
            assert [c.text for c in clip.captions] == captions_for(clip.label, "train")
    write_text(tmp_path / "given.csv", "video,caption\nthrow_0000,own words\n")
    first, *_ = read_poses(tmp_path / "poses.npz", tmp_path / "given.csv", options).clips
    assert first.captions == (VideoCaption("own words"),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"offsets": np.array([0, 40, 65, 90])}, "got pose \\(80, 15, 2\\), 4 offsets and 3 labels"),
        ({"label": np.array(["throw"])}, "1 labels"),
        ({"joint_names": np.array(["tail", *NAMES[1:]])}, "expected the joints neck, .* got tail"),
    ],
    ids=["offsets", "labels", "joints"],
)
def test_files_like_jhmdbs_that_do_not_fit_together(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        read_poses(write_jhmdb(tmp_path / "poses.npz", **changes))


def test_short_annotated_clips_become_motions_in_metres(tmp_path):
    run = Run.create(tmp_path / "run")
    import_keypoints(run, read_poses(write_jhmdb(tmp_path / "poses.npz")).clips)
    assert filter_clips(run, load_config(FilterConfig, None, ["min_frames=12"])).kept == 2
    assert filter_clips(run, load_config(FilterConfig, "filter-annotated")).kept == 3
    built = build_2d(run, BuildConfig(min_frames=12))
    assert built.motions == 3 and not built.failed
    texts = {path.stem: path.read_text() for path in run.texts.iterdir()}
    assert texts["wave_0001_t0_0"].count("\n") == len(captions_for("wave"))
    assert "waves with one hand" in texts["wave_0001_t0_0"]
    assert "bar" in texts["pullup_0002_t0_0"]


def test_the_published_file_is_upright_and_of_human_size(tmp_path):
    if not JHMDB.is_file():
        pytest.skip("the published poses are not there")
    found = read_poses(JHMDB)
    clips = list(found.clips)
    assert len(clips) == found.count == 609 and len({clip.label for clip in clips}) == 14
    names = JHMDB15.names
    side = [names.index(f"{s}_shoulder") for s in ("left", "right")]
    for clip in clips[::29]:
        heads, hips = (clip.keypoints.xy[:, names.index(name), 1] for name in ("face", "left_hip"))
        assert (heads < hips).mean() > 0.5 or clip.label in ("jump", "pick")
        if clip.label in ("wave", "clap", "pour"):  # who face the camera: their left is at the image's right
            assert np.median(np.diff(clip.keypoints.xy[:, side, 0], axis=1)) < 0


def test_joints_that_were_not_seen_say_nothing_of_the_camera():
    xy = waving(40)
    xy[..., 0] += 4.0 * np.arange(40)[:, None]
    slides = keypoints(xy + 2000)
    hips = [BLAZEPOSE33.names.index(f"{side}_hip") for side in ("left", "right")]
    slides.xy[::5, hips], slides.score[::5, hips] = 0, 0
    assert not is_camera_still(slides)
    slides.score[:, hips] = 0
    assert not is_camera_still(slides)


def test_whether_the_camera_is_known_may_be_told_in_numbers(tmp_path):
    told = (np.arange(40) != 7).astype(np.int64)
    found = read_keypoints(write_poses(tmp_path / "a.npz", waving(40), camera_known=told))
    assert found.camera_known.dtype == bool and found.camera_known.tolist() == told.astype(bool).tolist()
