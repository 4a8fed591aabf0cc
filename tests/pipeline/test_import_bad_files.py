"""Broken and misleading files of poses: each costs itself alone, and the reason is told."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_json import alphapose, coco_file, mmpose_frames, openpose_frame, person, write_openpose
from wild import SHARED, keypoints, waving

from crossdiff.errors import InputError, PartialFailure
from crossdiff.files import save_npz, write_json, write_text
from crossdiff.pipeline.importing.imports import ImportedClip, UnusableClip, import_keypoints, validate
from crossdiff.pipeline.importing.options import ImportOptions
from crossdiff.pipeline.importing.picture import reverse_y
from crossdiff.pipeline.importing.pose_files import read_poses
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

AT_30 = ImportOptions(fps=30, size=(640, 480))


def failed(source: Path, options: ImportOptions = AT_30) -> tuple[list[str], dict[str, str]]:
    """Ids of the clips that can be used, and reasons of the others."""
    clips = list(read_poses(source, None, options).clips)
    bad = {clip.id: clip.reason for clip in clips if isinstance(clip, UnusableClip)}
    return [clip.id for clip in clips if isinstance(clip, ImportedClip)], bad


def with_value(value) -> str:
    """A frame of OpenPose with this text in place of a number."""
    return json.dumps(openpose_frame(person("body25"))).replace("200.0", value, 1)


BROKEN = {
    "cut": ('{"version": 1.3, "peo', "not valid JSON"),
    "NaN": (with_value("NaN"), "finite number, got nan"),
    "infinite": (with_value("1e999"), "finite number, got inf"),
    "text": (with_value('"200"'), "people.0.pose_keypoints_2d.0: input should be a valid number, got '200'"),
    "null": (with_value("null"), "valid number, got None"),
    "true": (with_value("true"), "valid number, got True"),
    "huge": (with_value("9" * 400), "people.0.pose_keypoints_2d.0"),
    "endless": (with_value("9" * 5000), "not valid JSON"),
    "deep": ("[" * 100_000 + "]" * 100_000, "not valid JSON"),
    "surrogate": ('{"people": "\\ud800"}', "not valid JSON"),
    "bytes": (b"\xff\xfe{", "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "number": ("7", "the whole: input should be"),
    "people": ('{"people": 7}', "people: input should be a valid list, got 7"),
    "person": ('{"people": [[1, 2]]}', "people.0: input should be"),
    "lacking": ('{"people": [{}]}', "pose_keypoints_2d: field required"),
    "odd": ('{"people": [{"pose_keypoints_2d": [1, 2, 1, 4]}]}', "4 values for a person"),
    "score": (with_value("200.0").replace("0.9", "7.5", 1), "a score of 7.5: expected scores in"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_frame_costs_itself_alone(tmp_path, kind):
    content, said = BROKEN[kind]
    write_openpose(tmp_path / "walk", frames=5)
    path = tmp_path / "walk/walk_000000000002_keypoints.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (clip,) = [c for c in read_poses(tmp_path, None, AT_30).clips if isinstance(c, ImportedClip)]
    assert clip.id == "walk_p0" and clip.keypoints.frame.tolist() == [0, 1, 3, 4]
    _, bad = failed(tmp_path)
    assert list(bad) == ["walk__walk_000000000002_keypoints"]
    assert said in (reason := bad[next(iter(bad))]) and str(path) in reason and len(reason) < 500


def test_a_mended_frame_leaves_no_failure_behind(tmp_path):
    write_openpose(tmp_path / "in", frames=3)
    path = tmp_path / "in/walk_000000000001_keypoints.json"
    whole = path.read_text()
    path.write_text(BROKEN["cut"][0])
    run = Run.create(tmp_path / "run")
    with pytest.raises(PartialFailure, match="not valid JSON"):
        import_keypoints(run, read_poses(tmp_path / "in", None, AT_30).clips, "in").raise_failures()
    path.write_text(whole)
    import_keypoints(run, read_poses(tmp_path / "in", None, AT_30).clips, "in").raise_failures()
    assert [(row.id, row.state) for row in run.ledger.rows("extract")] == [("walk_p0", "done")]


DOCUMENTS = {
    "cut": ('[{"image_id"', "not valid JSON"),
    "other": ({"poses": []}, "no poses of a known form"),
    "nothing": ([], "no poses of a known form"),
    "lengths": (alphapose(2) + alphapose(2, "halpe26"), "people of 17 and 26 keypoints"),
    "nobody": (coco_file(flag=0), "no people"),
    "unnumbered": (alphapose(1, image="first.jpg"), "image 'first.jpg': expected the frame's number"),
    "frame": (
        [f | {"frame_id": "1"} for f in mmpose_frames([person()])],
        "0.frame_id: input should be a valid integer",
    ),
    "twice": (mmpose_frames([person()]) * 2, "frame 0 occurs twice"),
    "track": (alphapose(2, image="0.jpg", idx=3), "frame 0 holds person 3 twice"),
    "stray": (coco_file() | {"images": []}, "an annotation is of image 3, which is not among the images"),
    "3D": ([{"frame_id": 0, "instances": [{"keypoints": [[1, 2, 3]], "keypoint_scores": [1]}]}], "got (1, 3)"),
    "number": (alphapose(1, image="9" * 30 + ".jpg"), "expected the frame's number"),
    "late": (alphapose(1, image="99999999999.jpg"), "stay below 2^31"),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_broken_file_of_a_video_costs_itself_alone(tmp_path, kind):
    content, said = DOCUMENTS[kind]
    write_text(tmp_path / "bad.json", content if isinstance(content, str) else json.dumps(content))
    write_json(tmp_path / "good.json", alphapose(3))
    good, bad = failed(tmp_path)
    assert good == ["good_p0"] and list(bad) == ["bad"]
    assert said in bad["bad"] and bad["bad"].count(str(tmp_path / "bad.json")) == 1


def test_two_files_of_one_frame(tmp_path):
    write_openpose(tmp_path, frames=2)
    write_json(tmp_path / "walk_1.json", openpose_frame(person("body25")))
    good, bad = failed(tmp_path)
    assert good == ["walk_p0"] and "another file of this folder is frame 1 too" in next(iter(bad.values()))


def test_an_empty_video_is_told(tmp_path):
    write_json(tmp_path / "walk_000000000000_keypoints.json", openpose_frame())
    assert "no person in any frame of walk" in failed(tmp_path)[1]["walk"]


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_names_of_other_bytes_are_imported_and_told(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    write_openpose(folder, frames=3)
    write_text(folder / "walk_000000000001_keypoints.json", "")
    run = Run.create(tmp_path / "run")
    import_keypoints(run, read_poses(tmp_path, None, AT_30).clips)
    states = {row.id: row.state for row in run.ledger.rows("extract")}
    assert states == {"___walk_000000000001_keypoints": "failed", "___walk_p0": "done"}


def write_npz(path: Path, xy: np.ndarray, **parts) -> None:
    needed = {"score": np.full(xy.shape[:2], 0.9), "fps": np.float64(25), "keypoint_set": np.array("blazepose33")}
    save_npz(path, **{"xy": xy, **needed, **parts})


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"frame": np.array(["a", "b", "c", "d"])}, "frame numbers: expected numbers, got <U1"),
        ({"frame": np.array(["0", "1", "2", "3"])}, "frame numbers: expected numbers, got <U1"),
        ({"frame": np.array([0, 1, 2, np.nan])}, "frame numbers must increase"),
        ({"frame": np.array([0, 1, 2, 2**40])}, "stay below 2^31"),
        ({"frame": np.array([3, 2, 1, 0], dtype=np.uint8)}, "frame numbers must increase"),
        ({"frame": np.array([0, 0.5, 1, 2])}, "frame numbers must be whole"),
        ({"time": np.array([b"x"] * 4)}, "times: expected numbers"),
        ({"score": np.full((4, 33), 1 + 1j)}, "scores: expected numbers, got complex128"),
        ({"score": np.full((4, 33), 1.01)}, r"scores must lie in [0, 1], got 1.01"),
        ({"score": np.full((4, 33), np.nan)}, r"scores must lie in [0, 1], got nan"),
        ({"size": np.array([np.inf, 1])}, "not keypoints"),
        ({"size": np.array([2**40, 100])}, "1099511627776 x 100 pixels"),
        ({"xy": np.full((4, 33, 2), 1e30)}, "beyond 1000000 pixels"),
    ],
    ids=["words", "digits", "nan", "late", "unsigned", "half", "times", "complex", "score", "nan score", "inf", "wide",
         "far"],
)  # fmt: skip
def test_arrays_of_other_kinds_cost_their_clip_alone(tmp_path, parts, said):
    write_npz(tmp_path / "in/bad.npz", **{"xy": waving(4), **parts})
    write_npz(tmp_path / "in/good.npz", waving(4))
    run = Run.create(tmp_path / "run")
    found = import_keypoints(run, read_poses(tmp_path / "in").clips)
    assert {row.id: row.state for row in run.ledger.rows("extract")} == {"bad": "failed", "good": "done"}
    assert said in found.failed["bad"]


def test_a_folder_with_frame_numbers_as_text(tmp_path, shared):
    run = Run.create(tmp_path / "run")
    found = import_keypoints(run, read_poses(SHARED / "cases/other/import_two").clips)
    assert list(found.failed) == ["frame_text"] and found.clips == 2
    assert "expected numbers" in found.failed["frame_text"]


def test_scores_a_rounding_error_above_1_become_1(tmp_path):
    score = np.full((4, 33), 1.0000001)
    score[2] = 1.0009
    write_npz(tmp_path / "a.npz", waving(4), score=score)
    (clip,) = read_poses(tmp_path).clips
    assert clip.keypoints.score.max() == 1
    assert validate(replace(keypoints(waving(4)), score=score)).score.max() == 1


def test_peaks_of_heat_maps_are_scores_between_0_and_1(tmp_path):
    found = alphapose(3)
    found[0]["keypoints"][2::3] = [1.08, -0.02, *[0.5] * 15]
    write_json(tmp_path / "walk.json", found)
    (clip,) = read_poses(tmp_path, None, AT_30).clips
    np.testing.assert_allclose(clip.keypoints.score[0], [1, 0, *[0.5] * 15])


def write_three(folder: Path, turn: tuple[str, ...], **parts) -> None:
    for name in ("a", "b", "c"):
        xy = waving(10)
        xy[..., 1] = 200 - xy[..., 1] if name in turn else xy[..., 1]
        write_npz(folder / f"{name}.npz", xy, **parts)


def test_y_upwards_is_refused_and_turned_with_an_option(tmp_path):
    write_three(tmp_path, ("a", "b", "c"), size=np.array([160, 200]))
    with pytest.raises(InputError, match=r"in 30 of the 30 poses looked at the head is below the feet; .* --y-up"):
        read_poses(tmp_path)
    for clip in read_poses(tmp_path, None, ImportOptions(y_up=True)).clips:
        np.testing.assert_allclose(clip.keypoints.xy, waving(10), atol=1e-3)


def test_somebody_upside_down_among_others_is_let_through_and_all_are_with_an_option(tmp_path):
    write_three(tmp_path, ("b",))
    assert [clip.id for clip in read_poses(tmp_path).clips] == ["a", "b", "c"]
    write_three(tmp_path, ("a", "b"))
    with pytest.raises(InputError, match="--y-down"):
        read_poses(tmp_path)
    found = {clip.id: clip.keypoints for clip in read_poses(tmp_path, None, ImportOptions(y_up=False)).clips}
    assert len(found) == 3 and found["a"].xy[0, 0, 1] > found["a"].xy[0, -1, 1]


@pytest.mark.parametrize("write", ["frames", "results", "mmpose"])
def test_which_way_y_counts_in_json(tmp_path, write):
    if write == "frames":
        write_openpose(tmp_path, upside_down=True)
    elif write == "results":
        found = alphapose(4)
        for n, entry in enumerate(found):
            entry["keypoints"] = person(frame=n, upside_down=True).ravel().tolist()
        write_json(tmp_path / "walk.json", found)
    else:
        write_json(tmp_path / "walk.json", mmpose_frames(*([person(frame=n, upside_down=True)] for n in range(4))))
    with pytest.raises(InputError, match="in 4 of the 4 poses"):
        read_poses(tmp_path, None, AT_30)
    order = "body25" if write == "frames" else "coco17"
    (clip,) = read_poses(tmp_path, None, replace(AT_30, y_up=True)).clips
    np.testing.assert_allclose(clip.keypoints.xy[2], person(order, 2, y=180)[:, :2], atol=1e-3)


def test_a_camera_is_turned_with_its_picture():
    """A point that rests before a camera that pans, zooms and shears lies in the same place either way up."""
    rng = np.random.default_rng(0)
    maps = np.tile(np.eye(2, 3), (5, 1, 1)) + 0.1 * rng.normal(size=(5, 2, 3))
    k = replace(keypoints(waving(5)), camera=maps)

    def at_first(k: Keypoints2D) -> np.ndarray:
        return np.einsum("fab,fkb->fka", k.camera[:, :, :2], k.xy) + k.camera[:, None, :, 2]

    there = at_first(k)
    there[..., 1] = k.size[1] - there[..., 1]
    np.testing.assert_allclose(at_first(reverse_y(k)), there, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"frame": np.array([str(n) for n in range(30)])},
        {"time": np.array([f"{n} s" for n in range(30)])},
        {"camera": np.array(["still"] * 30)},
        {"camera_known": np.array(["yes"] * 30)},
        {"camera_known": np.ones((30, 2), dtype=bool)},
        {"fps": np.array("25")[None].repeat(2)},
        {"fps": np.float64(1e300)},
        {"fps": np.float64(1e-300)},
        {"size": np.array([640.0, np.nan])},
        {"size": np.array(640)},
        {"frame": np.arange(30).astype(complex)},
        {"time": np.arange(30) * 1e6},
        {"frame": np.arange(30).astype("datetime64[s]")},
        {"keypoint_set": np.array(["coco17", "coco17"])},
    ],
)
def test_an_array_of_a_wrong_type_costs_its_clip_alone(tmp_path, changes):
    person_ = keypoints(waving(30))
    arrays = {"xy": person_.xy, "score": person_.score, "fps": np.float64(25)}
    arrays |= {"keypoint_set": np.array(person_.keypoint_set)}
    save_npz(tmp_path / "good.npz", **arrays)
    save_npz(tmp_path / "bad.npz", **{**arrays, **changes})
    good, bad = failed(tmp_path, ImportOptions())
    assert good == ["good"] and bad.keys() == {"bad"} and "\n" not in bad["bad"]
