"""`crossdiff render`: the suffix decides; what cannot be read is named, the rest is drawn."""

from pathlib import Path

import numpy as np
import pytest
from command import crossdiff
from PIL import Image
from synthetic import person

from crossdiff.files import save_npy, save_npz, write_json
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.video import VideoReader
from crossdiff.viewing import render


@pytest.fixture
def samples(tmp_path, monkeypatch) -> Path:
    """The current folder, with two motions below `samples/` as `crossdiff sample` leaves them."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(["00_walk", "01_jump"]):
        save_npy(tmp_path / "samples" / f"{name}.npy", person(10 + seed, seed=seed).numpy())
    write_json(tmp_path / "samples" / "samples.json", {"motions": [{"name": "00_walk", "prompt": "a person walks"}]})
    return tmp_path


@pytest.fixture
def titles(monkeypatch) -> list[list[str]]:
    """The titles of everything that is drawn."""
    drawn: list[list[str]] = []
    for name in ("render_motion", "render_sheet"):
        original = getattr(render, name)

        def spied(motions, path, titles, *rest, original=original):
            drawn.append(list(titles))
            return original(motions, path, titles, *rest)

        monkeypatch.setattr(render, name, spied)
    return drawn


def test_a_folder_becomes_a_video_side_by_side(samples, titles):
    said = crossdiff("render", "samples", "--out", "videos/both.mp4", "--size", "64").ok()
    assert "2 motions in videos/both.mp4" in said.out
    info = VideoReader(Path("videos/both.mp4")).info
    assert info.frames == 11 and info.fps == 20 and 128 <= info.size[0] < 140
    first, *_, last = VideoReader(Path("videos/both.mp4")).frames()
    assert np.abs(first.astype(int) - last).max() > 30
    # The caption of the record, and where there is none the file's name.
    assert titles == [["a person walks", "01_jump"]]
    assert [p.name for p in Path("videos").iterdir()] == ["both.mp4"]


def test_a_gif_loops_in_time(samples, titles):
    crossdiff("render", "samples/00_walk.npy", "--out", "walk.GIF", "--size", "64", "--title", "slowly").ok()
    with Image.open("walk.GIF") as gif:
        assert gif.n_frames == 10 and gif.info["loop"] == 0 and gif.info["duration"] == 50
        first = np.asarray(gif.convert("RGB")).astype(int)
        gif.seek(9)
        assert np.abs(np.asarray(gif.convert("RGB")) - first).max() > 30
    assert titles == [["slowly"]]


def test_a_picture_shows_moments_of_features_and_labels_too(samples, titles):
    features = joints_to_features_3d(person(12)).numpy()
    save_npy(Path("vectors.npy"), features)
    save_npz(Path("label.npz"), features=features, fps=np.float64(10))
    motions = ["samples/00_walk.npy", "vectors.npy", "label.npz"]
    crossdiff("render", *motions, "--out", "s.png", "--size", "64", "--moments", "3", "--title", "a", "--title", "",
              "--title", "c").ok()  # fmt: skip
    with Image.open("s.png") as picture:
        assert picture.width == 3 * 64 + 2 * 2 and picture.height > 3 * 64
    assert titles == [["a", "", "c"]]


def test_bad_files_are_named_and_the_rest_is_drawn_below_its_own_title(samples, titles):
    save_npy(Path("flat.npy"), np.zeros((5, 22, 2)))
    named = ["--title", "flat", "--title", "walk", "--title", "none"]
    said = crossdiff("render", "flat.npy", "samples/00_walk.npy", "none.npy", "--out", "s.png", "--size", "64", *named)
    said.failed("2 motions could not be shown", "got shape (5, 22, 2)", "none.npy: no such file", code=3)
    assert "1 motion in s.png" in said.out and titles == [["walk"]]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["samples", "--out", "a.avi"], ["a.avi", ".mp4, .gif, .png"]),
        (["samples", "--out", "a"], [".mp4, .gif, .png"]),
        (["samples", "--out", "a.mp4", "--moments", "3"], ["moments belong to a picture", ".png"]),
        (["samples", "--out", "a.mp4", "--title", "one"], ["1 title for 2 motions"]),
        (["samples", "--out", "a.png", "--moments", "90"], ["90 panels of 240 pixels"]),
        (["none.npy", "--out", "a.mp4"], ["no motion could be shown", "none.npy: no such file"]),
        (["samples/00_walk.npy", "kit.npy", "--out", "a.gif"], ["cannot run in step"]),
    ],
)
def test_what_cannot_be_drawn_leaves_nothing(samples, args, words):
    save_npy(Path("kit.npy"), np.random.default_rng(0).normal(size=(4, 21, 3)))
    crossdiff("render", *args).failed(*words)
    assert sorted(p.name for p in samples.iterdir()) == ["kit.npy", "samples"]


@pytest.mark.parametrize("args", [["samples"], ["--out", "a.mp4"], ["samples", "--out", "a.mp4", "--size", "8"]])
def test_a_mistake_in_the_command_is_a_usage_error(samples, args):
    assert crossdiff("render", *args).code == 2


def test_one_bad_motion_costs_only_itself(samples):
    save_npz(samples / "samples/02_fast.npz", joints=person(10).numpy(), fps=np.float64(1e300))
    save_npz(samples / "samples/03_far.npz", joints=person(10).numpy() * 1e200, fps=np.float64(20))
    (samples / "samples/04_zip.npz").write_bytes(b"PK\x03\x04 no zip")
    said = crossdiff("render", "samples", "--out", "both.png", "--size", "64", "--moments", "2")
    said.failed("3 motions could not be shown", "1e+300 frames a second", "a joint 100 km away", code=3)
    assert "2 motions in both.png" in said.out
