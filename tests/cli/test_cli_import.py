"""`crossdiff import-2d`, and the stages behind it on what it imports."""

import numpy as np
import pytest
from command import crossdiff, state_of

from crossdiff.files import save_npz, write_json, write_text
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

# COCO's keypoints of a person facing the camera, in pixels, y down.
_STANDING = [
    (0, 14), (3, 12), (-3, 12), (6, 14), (-6, 14), (18, 30), (-18, 30), (24, 60), (-24, 60), (27, 85), (-27, 85),
    (12, 85), (-12, 85), (12, 125), (-12, 125), (12, 165), (-12, 165),
]  # fmt: skip


def write_clip(path, period: int = 20, frames: int = 30, **changes) -> None:
    """A person whose wrists go up and down; nothing else moves."""
    xy = np.repeat(np.array(_STANDING, float)[None], frames, axis=0)
    xy[:, [9, 10], 1] += 20 * np.sin(2 * np.pi * np.arange(frames) / period)[:, None]
    arrays = {"xy": xy, "score": np.full((frames, 17), 0.9), "fps": np.float64(25), "keypoint_set": np.array("coco17")}
    save_npz(path, **{**arrays, **changes})


@pytest.fixture
def poses(here):
    write_clip(here / "poses/a.npz")
    write_clip(here / "poses/wave/b.npz", 17)
    write_text(here / "poses/a.txt", "a person shakes the hands\n")
    return here / "poses"


def test_imported_clips_go_all_the_way(here, poses):
    said = crossdiff("import-2d", "poses", "--out", "runs/0001").ok()
    assert "2 clips: 2 imported (60 frames), 0 unchanged, 0 failed" in said.out
    assert "2 of 2 clips kept" in crossdiff("filter", "--set", "min_frames=12").ok().out
    assert "2 motions" in crossdiff("build-2d", "--set", "min_frames=12").ok().out
    assert "2 motions lifted" in crossdiff("pseudo-label").ok().out
    crossdiff("finetune", "--set", "steps=2", "--set", "batch_size=2").ok()
    assert "1 motion of 20 frames" in crossdiff("sample", "a person waves", "--frames", 20, "--no-video").ok().out
    status = crossdiff("status").ok().out
    for stage in ("extract", "track", "filter", "build", "pseudo"):
        assert f"{stage} done" in [" ".join(line.split()[:2]) for line in status.splitlines()]
    assert "2 of 2 clips and 2 labels drawn" in crossdiff("report").ok().out
    texts = Run(here / "runs/0001").texts
    assert (texts / "a_t0_0.txt").read_text().startswith("a person shakes the hands#")
    assert "waves with one hand" in (texts / "wave__b_t0_0.txt").read_text()


def test_a_second_time_nothing_changes(here, poses):
    crossdiff("import-2d", "poses", "--out", "run").ok()
    before = state_of(here / "run/keypoints")
    assert "0 imported (0 frames), 2 unchanged" in crossdiff("import-2d", "poses", "--out", "run").ok().out
    assert state_of(here / "run/keypoints") == before


def test_a_new_run_is_named(here, poses):
    assert "run = runs/0001  (a new run" in crossdiff("import-2d", "poses").ok().out


def test_captions_of_a_table_come_first(here, poses):
    write_text(here / "t.csv", "video,caption\na.npz,a person says goodbye\n")
    crossdiff("import-2d", "poses", "--out", "run", "--captions", "t.csv").ok()
    assert [c.text for c in Run(here / "run").ledger.videos()["a"].captions] == ["a person says goodbye"]


def test_some_bad_clips_end_with_3_and_all_with_1(here, poses):
    write_clip(poses / "bad.npz", score=np.full((30, 17), 7.0))
    crossdiff("import-2d", "poses", "--out", "run").failed("1 of 3 clips failed", "bad: scores must lie", code=3)
    assert {row.id: row.state for row in Run(here / "run").ledger.rows("extract")} == {
        "a": "done", "bad": "failed", "wave__b": "done"
    }  # fmt: skip
    write_clip(here / "worse/bad.npz", keypoint_set=np.array("paws"))
    crossdiff("import-2d", "worse", "--out", "other").failed("no clip could be imported", "no keypoint set 'paws'")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere"], ["nowhere: no such file or folder"]),
        (["poses", "--camera", "tripod"], ["'tripod'", "still, unknown, guess"]),
        (["poses", "--captions", "none.csv"], ["none.csv: no such file"]),
        (["."], ["exists and is not a run"]),
    ],
    ids=["source", "camera", "captions", "out"],
)
def test_mistakes_are_said_before_a_run_is_made(here, poses, args, words):
    (here / "taken").mkdir()
    (here / "taken/file").touch()
    out = "taken" if args == ["."] else "run"
    crossdiff("import-2d", *args, "--out", out).failed(*words)
    assert not (here / "run").exists()


def test_frames_of_openpose_with_the_options_that_they_need(here):
    for n in range(4):
        values = [v for x, y in _STANDING for v in (300 + x + n, 200 - y, 0.9)]
        write_json(here / f"op/walk_{n:012d}_keypoints.json", {"people": [{"pose_keypoints_2d": values}]})
    crossdiff("import-2d", "op", "--out", "run").failed("--fps 30")
    crossdiff("import-2d", "op", "--out", "run", "--fps", 25).failed("head is below the feet", "--y-up")
    assert not (here / "run").exists()
    crossdiff("import-2d", "op", "--out", "run", "--fps", 25, "--size", "640x480", "--y-up").ok()
    found = Keypoints2D.load(here / "run/keypoints/walk_p0_t0.npz")
    assert found.fps == 25 and found.size == (640, 480) and found.keypoint_set == "coco17"
    np.testing.assert_allclose(found.xy[2], np.add(_STANDING, (302, 280)), atol=1e-3)
