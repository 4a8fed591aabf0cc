"""JSON files of other pose tools, as they are read for import."""

import json

import numpy as np
import pytest
from pose_json import COCO_NAMES, ORDERS, alphapose, coco_file, mmpose_frames, openpose_frame, person, write_openpose

from crossdiff.errors import ClipError, InputError
from crossdiff.files import write_json, write_text
from crossdiff.pipeline.importing.imports import ImportedClip, UnusableClip
from crossdiff.pipeline.importing.options import ImportOptions, picture_size
from crossdiff.pipeline.importing.pose_files import read_poses
from crossdiff.pipeline.motion2d.mapping import keypoint_set_in_file, to_joints
from crossdiff.skeleton import HUMANML3D

AT_30 = ImportOptions(fps=30, size=(640, 480))


def clips_of(source, options=AT_30, captions=None) -> dict[str, ImportedClip]:
    clips = list(read_poses(source, captions, options).clips)
    assert not [clip for clip in clips if isinstance(clip, UnusableClip)]
    return {clip.id: clip for clip in clips}


def walks(clip: ImportedClip, frames, order: str, fps: float = 30, **more) -> None:
    """The clip is the walking person in these frames, in whole."""
    k = clip.keypoints
    assert k.frame.tolist() == list(frames) and k.keypoint_set == order and k.size == (640, 480)
    np.testing.assert_allclose(k.time, np.array(k.frame) / fps)
    for n, xy, score in zip(k.frame, k.xy, k.score, strict=True):
        np.testing.assert_allclose(xy, person(order, int(n), **more)[:, :2], atol=1e-3)
        np.testing.assert_allclose(score, 0.9, atol=1e-6)


@pytest.mark.parametrize("order", [name for name in ORDERS if name != "body25b"])
def test_openpose_folders_of_every_set_have_their_sides(tmp_path, order):
    clip = clips_of(write_openpose(tmp_path / "walk", order=order))["walk_p0"]
    walks(clip, range(4), order)
    joints, valid = to_joints(clip.keypoints.xy, clip.keypoints.score > 0, order)
    place = {name: joints[0, HUMANML3D.index(name)] for name in HUMANML3D.joint_names}
    for part, across, down in (("shoulder", 18, 30), ("wrist", 27, 85), ("knee", 12, 125), ("ankle", 12, 165)):
        np.testing.assert_allclose(place[f"l_{part}"], (200 + across, 300 + down), atol=1e-3)
        np.testing.assert_allclose(place[f"r_{part}"], (200 - across, 300 + down), atol=1e-3)
    np.testing.assert_allclose(place["pelvis"], (200, 300 + 85 - 0.16 * 55), atol=1e-3)
    np.testing.assert_allclose(place["neck"], (200, 300 + 30 - 0.17 * 55), atol=1e-3)
    feet = [HUMANML3D.index(name) for name in ("l_foot", "r_foot")]
    if order in ("coco17", "coco18"):
        assert not valid[:, feet].any()
    else:
        np.testing.assert_allclose(joints[0, feet], [(215, 475), (185, 475)], atol=1e-3)
        assert valid.all()


def test_an_option_names_the_set_where_a_number_has_several(tmp_path):
    write_openpose(tmp_path / "walk", order="body25b")
    walks(clips_of(tmp_path, ImportOptions(None, 30, (640, 480), "body25b"))["walk_p0"], range(4), "body25b")
    (clip,) = read_poses(tmp_path, None, ImportOptions(fps=30, keypoint_set="coco17")).clips
    assert "coco17 has 17 keypoints, the people here have 25" in clip.reason


def test_videos_in_one_folder_and_below_with_gaps_and_frames_without_anybody(tmp_path):
    write_openpose(tmp_path, "v_Lunges_g01_c01", 3)
    write_openpose(tmp_path / "JumpingJack", "a", 6, "coco18")
    (tmp_path / "JumpingJack/a_000000000002_keypoints.json").unlink()
    write_json(tmp_path / "JumpingJack/a_000000000004_keypoints.json", openpose_frame())
    write_text(tmp_path / "captions.csv", "video,caption\nJumpingJack/a,a person jumps\n")
    clips = clips_of(tmp_path)
    walks(clips["v_Lunges_g01_c01_p0"], range(3), "body25")
    walks(clips["JumpingJack__a_p0"], [0, 1, 3, 5], "coco18")
    assert clips["v_Lunges_g01_c01_p0"].label == "Lunges" and clips["JumpingJack__a_p0"].label == "JumpingJack"
    assert [c.text for c in clips["JumpingJack__a_p0"].captions] == ["a person jumps"]


def test_folders_of_pose2sim_are_named_after_their_videos(tmp_path):
    for n in range(3):
        write_json(tmp_path / f"pose/cam1_json/cam1_{n:06d}.json", openpose_frame(person("halpe26", n)))
    write_text(tmp_path / "pose/cam1.txt", "a person walks to the left\n")
    clips = clips_of(tmp_path)
    assert list(clips) == ["pose__cam1_p0"] and clips["pose__cam1_p0"].label == "pose"
    walks(clips["pose__cam1_p0"], range(3), "halpe26")
    assert [c.text for c in clips["pose__cam1_p0"].captions] == ["a person walks to the left"]
    assert list(clips_of(tmp_path / "pose/cam1_json")) == ["cam1_p0"]


def test_people_who_change_their_order_are_told_apart(tmp_path):
    for n in range(8):
        both = [person("body25", n), person("body25", n, x=450)]
        write_json(tmp_path / f"two_{n:012d}_keypoints.json", openpose_frame(*both[:: (-1) ** n]))
    clips = clips_of(tmp_path)
    walks(clips["two_p0"], range(8), "body25")
    walks(clips["two_p1"], range(8), "body25", x=450)


def test_somebody_unseen_for_a_second_begins_a_new_clip(tmp_path):
    write_openpose(tmp_path, frames=60)
    for n in range(10, 45):
        (tmp_path / f"walk_{n:012d}_keypoints.json").unlink()
    clips = clips_of(tmp_path)
    walks(clips["walk_p0"], range(10), "body25")
    walks(clips["walk_p1"], range(45, 60), "body25")


def test_keypoints_at_the_origin_are_unseen_and_move_nobody(tmp_path):
    for n in range(6):
        values = person("body25", n)
        values[[4, 7] if n % 2 else [4]] = 0
        write_json(tmp_path / f"walk_{n:012d}_keypoints.json", openpose_frame(values))
    k = clips_of(tmp_path)["walk_p0"].keypoints
    assert not k.score[:, 4].any() and (k.score[:, 7] > 0).tolist() == [True, False] * 3
    assert len(k.frame) == 6


def test_persons_whom_openpose_numbers_keep_their_numbers(tmp_path):
    for n in range(4):
        frame = openpose_frame(person("body25", n), person("body25", n, x=500))
        frame["people"][0]["person_id"], frame["people"][1]["person_id"] = [7], [2]
        write_json(tmp_path / f"walk_{n:012d}_keypoints.json", frame)
    clips = clips_of(tmp_path)
    assert list(clips) == ["walk_p2", "walk_p7"]
    walks(clips["walk_p7"], range(4), "body25")


@pytest.mark.parametrize("order", ["coco17", "halpe26", "halpe136"])
def test_alphapose_results(tmp_path, order):
    write_json(tmp_path / "walk/alphapose-results.json", alphapose(12, order))
    walks(clips_of(tmp_path)["walk_p0"], range(12), order)


@pytest.mark.parametrize("idx", [4, 4.0, [4], [[4.0]]], ids=str)
def test_tracks_of_alphapose_are_kept(tmp_path, idx):
    found = alphapose(3, idx=idx) + [e | {"idx": 5} for e in alphapose(3)]
    write_json(tmp_path / "walk.json", found)
    clips = clips_of(tmp_path / "walk.json")
    assert list(clips) == ["walk_p4", "walk_p5"]
    walks(clips["walk_p4"], range(3), "coco17")


@pytest.mark.parametrize(("people", "values"), [("bodies", "joints"), ("people", "pose_keypoints_2d")])
def test_alphapose_in_the_forms_of_others_with_and_without_its_frames_apart(tmp_path, people, values):
    frames = {f"{n}.jpg": {people: [{values: person("coco18", n).ravel().tolist()}]} for n in range(3)}
    write_json(tmp_path / "walk/alphapose-results.json", frames)
    for name, frame in frames.items():
        write_json(tmp_path / f"walk/sep-json/{name.removesuffix('.jpg')}.json", frame)
    walks(clips_of(tmp_path)["walk_p0"], range(3), "coco18")
    (tmp_path / "walk/alphapose-results.json").unlink()
    walks(clips_of(tmp_path)["walk_p0"], range(3), "coco18")


def test_images_of_several_videos_in_one_file(tmp_path):
    write_json(tmp_path / "all.json", alphapose(3, image="walk_{:04d}.png") + alphapose(2, image="run_{:04d}.png"))
    clips = clips_of(tmp_path)
    assert list(clips) == ["all__walk_p0", "all__run_p0"]
    walks(clips["all__run_p0"], range(2), "coco17")


def test_coco_annotations_by_folder_with_size_and_flags(tmp_path):
    file = coco_file(folders=("a/walk", "a/run"))
    file["annotations"][0]["keypoints"][2] = 0  # the nose in the last frame of the first video
    file["annotations"][1]["keypoints"][2] = 1  # occluded
    write_json(tmp_path / "train.json", file)
    clips = clips_of(tmp_path, ImportOptions(fps=30))
    assert list(clips) == ["train__a__walk_p0", "train__a__run_p0"] and clips["train__a__run_p0"].label == "Run"
    k = clips["train__a__walk_p0"].keypoints
    assert k.size == (640, 480) and k.frame.tolist() == [0, 1, 2, 3]
    assert k.score[:, 0].tolist() == [1, 1, 1, 0] and k.score[:, 1:].all()
    np.testing.assert_allclose(k.xy[2, 1:], person(frame=2)[1:, :2], atol=1e-3)


def test_tracks_of_posetrack_are_kept_and_its_names_understood(tmp_path):
    file = coco_file(track_id=3)
    file["categories"][0]["keypoints"] = ["nose", "head_bottom", "head_top", *COCO_NAMES[3:]]
    write_json(tmp_path / "000342.json", file)
    clips = clips_of(tmp_path, ImportOptions(fps=25))
    assert list(clips) == ["000342_p3"] and clips["000342_p3"].keypoints.keypoint_set == "coco17"


def test_coco_results_by_the_numbers_of_images(tmp_path):
    write_json(tmp_path / "walk.json", [e | {"image_id": n + 5} for n, e in enumerate(alphapose(3))])
    k = clips_of(tmp_path)["walk_p0"].keypoints
    assert k.frame.tolist() == [5, 6, 7]
    np.testing.assert_allclose(k.xy[1], person(frame=1)[:, :2], atol=1e-3)


def test_predictions_of_mmpose_and_of_its_demos(tmp_path):
    frames = mmpose_frames([person(frame=0)], [], [person(frame=2), person(frame=2, x=450)])
    write_json(tmp_path / "walk_01.json", frames)
    names = dict(enumerate(COCO_NAMES))
    write_json(
        tmp_path / "demo.json",
        {"meta_info": {"dataset_name": "coco", "fps": 50, "keypoint_id2name": names}, "instance_info": frames},
    )
    clips = clips_of(tmp_path, ImportOptions(fps=30, size=(640, 480)))
    walks(clips["walk_01_p0"], [0, 2], "coco17")
    walks(clips["walk_01_p1"], [2], "coco17", x=450)
    (tmp_path / "walk_01.json").unlink()
    clips = clips_of(tmp_path, ImportOptions(size=(640, 480)))
    walks(clips["demo_p0"], [0, 2], "coco17", fps=50)


def test_mmpose_of_a_folder_of_images(tmp_path):
    for n in range(3):
        write_json(tmp_path / f"walk/img_{n:03d}.json", mmpose_frames([person(frame=n)])[0]["instances"])
    write_json(tmp_path / "walk/img_003.json", [])
    walks(clips_of(tmp_path)["walk__img_p0"], range(3), "coco17")


def test_names_that_are_no_known_sets_are_refused():
    h36m = ["root", "right_hip", "right_knee", "right_foot", "left_hip", *COCO_NAMES[5:]]
    with pytest.raises(ClipError, match=r"17 keypoints named root, right_hip.*--keypoint-set"):
        keypoint_set_in_file(17, h36m)
    with pytest.raises(ClipError, match="21 keypoints match no known set"):
        keypoint_set_in_file(21)


def test_without_a_size_the_picture_holds_the_person(tmp_path):
    write_openpose(tmp_path, x=-50)
    k = clips_of(tmp_path, ImportOptions(fps=30))["walk_p0"].keypoints
    assert (k.xy > 0).all() and (k.xy < k.size).all()
    np.testing.assert_allclose(np.diff(k.xy[:, 0, 0]), 3, atol=1e-3)


@pytest.mark.parametrize("write", ["frames", "results", "annotations", "mmpose"])
def test_the_frame_rate_is_asked_for(tmp_path, write):
    values = {"results": alphapose(), "annotations": coco_file(), "mmpose": mmpose_frames([person()])}
    if write == "frames":
        write_openpose(tmp_path)
    else:
        write_json(tmp_path / "walk.json", values[write])
    with pytest.raises(InputError, match=r"do not hold the frame rate.*--fps 30"):
        read_poses(tmp_path)


def test_options_that_are_none():
    assert picture_size("1920x1080") == (1920, 1080) and picture_size(None) is None
    with pytest.raises(InputError, match="'1920': expected width and height"):
        picture_size("1920")
    with pytest.raises(InputError, match="--fps: expected frames per second, got -1"):
        ImportOptions(fps=-1)
    with pytest.raises(ClipError, match="no keypoint set 'dots'"):
        ImportOptions(keypoint_set="dots")


def test_shares_of_the_picture_are_not_taken_for_pixels(tmp_path):
    values = person("body25") / (640, 480, 1)
    write_text(tmp_path / "walk_000000000000_keypoints.json", json.dumps(openpose_frame(values)))
    (clip,) = read_poses(tmp_path, None, AT_30).clips
    assert "expected positions in pixels, not in fractions of the picture" in clip.reason
