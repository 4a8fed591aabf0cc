"""Typing a command again: the run of the same inputs, and keypoints that were damaged in between."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wild import FakeBackend, write_video

from crossdiff.cli.printing import print_default
from crossdiff.errors import InputError, PartialFailure
from crossdiff.files import load_npz, save_npz
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.inputs import Selection
from crossdiff.pipeline.report.report import write_report
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.tracks.people import PeopleConfig
from crossdiff.pipeline.tracks.tracking import TrackingConfig
from crossdiff.types import Keypoints2D
from crossdiff.wording import printable
from crossdiff.workflows.defaults import run_of_inputs


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("videos/walk.mp4", "more/run.mp4"):
        write_video(Path(name), frames=5)
    return tmp_path


def extract(*paths: str, out: Path | None = None, cfg: PeopleConfig | None = None, **backend: str) -> Path:
    """What `extract-2d` does with its run; returns that."""
    pose, selection = FakeBackend(), Selection.of([Path(path) for path in paths])
    pose.identity |= backend
    run = run_of_inputs(selection, out, pose.identity, cfg, print_default)
    extract_2d(selection, run, pose, cfg=cfg)
    return run.root


def test_the_same_command_goes_on_with_its_run(here, capsys):
    assert extract("videos") == Path("runs/0001")
    assert "run = runs/0001  (a new run; name it with --out)" in capsys.readouterr().out
    assert extract("more") == Path("runs/0002")
    assert extract("videos") == extract(str(here / "videos")) == extract("./more/../videos") == Path("runs/0001")
    assert "run = runs/0001  (the latest run of these inputs and settings" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs").iterdir()) == ["0001", "0002"]


def test_other_inputs_or_settings_get_another_run(here):
    extract("videos")
    assert extract("videos", "more") == Path("runs/0002")
    assert extract("videos", version="2") == Path("runs/0003")
    assert extract("videos", cfg=PeopleConfig(tracking=TrackingConfig(slack=0.3))) == Path("runs/0004")
    assert extract("videos") == Path("runs/0001")


def test_a_run_that_was_named_knows_all_inputs_that_it_was_given(here):
    extract("videos", out=Path("runs/mine"))
    extract("more", out=Path("runs/mine"))
    assert extract("videos") == extract("more") == Path("runs/mine")
    # Another backend replaces all keypoints of what it is given: the run is that of these inputs alone.
    extract("more", out=Path("runs/mine"), version="2")
    assert extract("videos") == Path("runs/0001")
    assert extract("more", version="2") == Path("runs/mine")


def test_a_run_that_was_stopped_before_its_first_video_is_gone_on_with(here):
    class Stopped(FakeBackend):
        def estimate(self, frames):
            raise KeyboardInterrupt
            yield

    selection = Selection.of([Path("videos")])
    with pytest.raises(KeyboardInterrupt):
        extract_2d(selection, run_of_inputs(selection, None, Stopped().identity), Stopped())
    assert extract("videos") == Path("runs/0001")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _garble(path: Path) -> None:
    path.write_bytes(b"no archive")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"xy.npy") + 300] ^= 0xFF  # behind the headers, among the positions
    path.write_bytes(content)


def _other_arrays(path: Path) -> None:
    save_npz(path, joints=np.zeros(3))


def _wrong_shape(path: Path) -> None:
    save_npz(path, **load_npz(path) | {"size": np.zeros(3)})


def _words(path: Path) -> None:
    arrays = load_npz(path)
    save_npz(path, **arrays | {"xy": np.full(arrays["xy"].shape, "here")})


@pytest.mark.parametrize("damage", [_cut, _garble, _flip, _other_arrays, _wrong_shape, _words])
def test_damaged_keypoints_fail_with_the_remedy_and_are_extracted_again(run, videos, damage):
    path = run.keypoints / "jumping_jacks_01_t0.npz"
    whole = {name: array.tolist() for name, array in load_npz(path).items()}
    damage(path)
    summary = filter_clips(run, FilterConfig(min_difference=0))
    assert list(summary.failed) == ["jumping_jacks_01_t0"] and summary.kept == 1
    with pytest.raises(PartialFailure, match=r"jumping_jacks_01_t0\.npz: .*; run crossdiff extract-2d .* again"):
        summary.raise_failures()
    backend = FakeBackend()
    assert extract_2d([videos], run, backend).unchanged == 2 and backend.frames == 70
    assert {name: array.tolist() for name, array in load_npz(path).items()} == whole
    assert filter_clips(run, FilterConfig(min_difference=0)).kept == 2
    # And between the filter and build-2d.
    damage(path)
    built = build_2d(run)
    assert list(built.failed) == ["jumping_jacks_01_t0"] and "run crossdiff extract-2d" in built.failed.popitem()[1]
    extract_2d([videos], run, backend)
    assert build_2d(run).motions == 2


def test_keypoints_of_another_length_are_extracted_again(run, videos):
    path = run.keypoints / "jumping_jacks_01_t0.npz"
    found = Keypoints2D.load(path)
    parts = {
        name: getattr(found, name)[:50] for name in ("xy", "score", "frame", "time", "camera", "camera_known", "world")
    }
    replace(found, **parts).save(path)
    assert extract_2d([videos], run, FakeBackend()).unchanged == 2
    assert len(Keypoints2D.load(path).frame) == 70


def test_a_clip_without_a_caption_is_built_with_an_empty_file_of_them(tmp_path, caplog):
    write_video(tmp_path / "my phone video (2).mp4")
    run = Run.create(tmp_path / "run")
    extract_2d([tmp_path / "my phone video (2).mp4"], run, FakeBackend())
    assert "no caption for 1 of 1 input, such as my phone video (2).mp4: no name says" in caplog.text
    assert "--captions FILE.csv" in caplog.text
    filter_clips(run)
    assert build_2d(run).motions == 1
    assert (run.texts / "my_phone_video__2__t0_0.txt").read_text() == ""
    assert build_2d(run).unchanged == 1
    page = write_report(run).path.read_text()
    assert "a person" not in page


def test_names_that_are_no_utf8_or_hold_control_characters_cost_nothing(tmp_path, videos):
    folder = tmp_path / "odd"
    folder.mkdir()
    names = [b"caf\xe9.mp4", b"a\x1b[31mred\n.mp4", b"cut\xff.avi"]
    try:
        for name in names:
            (folder / os.fsdecode(name)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    content = (videos / "jumping_jacks_01.mp4").read_bytes()
    for name in names[:2]:
        (folder / os.fsdecode(name)).write_bytes(content)
    run = Run.create(tmp_path / "run")
    summary = extract_2d([folder], run, FakeBackend())
    assert (summary.tracks, len(summary.failed)) == (2, 1)
    assert {row.id: row.state for row in run.ledger.rows("extract")} == {
        "caf_": "done", "a__31mred_": "done", "cut_": "failed"
    }  # fmt: skip
    assert {video.path.name for video in run.ledger.videos().values()} == {os.fsdecode(name) for name in names}
    with pytest.raises(PartialFailure) as error:
        summary.raise_failures()
    assert r"cut\xff.avi: empty file" in str(error.value)
    assert extract_2d([folder], run, FakeBackend()).unchanged == 3
    filter_clips(run)
    build_2d(run)
    assert "caf_" in write_report(run).path.read_text()
    table = run.ledger.table("extract").to_string() + run.ledger.counts().to_csv()
    assert printable(table) == table


def test_a_folder_whose_name_is_no_utf8_is_recorded_and_found_again(here):
    folder = here / os.fsdecode(b"caf\xe9")
    try:
        (here / "more").rename(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    assert extract(str(folder)) == extract(str(folder)) == Path("runs/0001")
    assert r"caf\\xe9" in Path("runs/0001/config.json").read_text("utf-8")


def test_all_files_vanished_is_an_error_that_names_them(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mp4: no such file or folder"):
        Selection.of([tmp_path / "gone.mp4"])
