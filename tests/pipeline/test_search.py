"""Which files of a folder are taken for videos."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wild import write_video

from crossdiff.errors import InputError
from crossdiff.pipeline import search
from crossdiff.pipeline.inputs import find_videos
from crossdiff.pipeline.search import files_below, is_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "a.mp4", frames=3)


def _gif(path: Path, frames: int) -> None:
    pictures = [Image.fromarray(np.full((16, 16), 40 * n, np.uint8)) for n in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)


@pytest.mark.parametrize("name", ["a", "a.bin", "a.txt", "a.jpg", "a.2024", "a.MTS", "a.ts", "a.xyz"])
def test_a_file_that_decodes_is_a_video_whatever_its_suffix(tmp_path, clip, name):
    assert is_video(Path(shutil.copy(clip, tmp_path / name)))


def test_moving_pictures_alone_are_videos_among_gifs(tmp_path):
    _gif(tmp_path / "moving.gif", 3)
    _gif(tmp_path / "still.gif", 1)
    assert is_video(tmp_path / "moving.gif") and not is_video(tmp_path / "still.gif")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b"text"), ("a.csv", b"video,caption\n"), ("a", b"no suffix, but text"), ("a.ts", b"export class A {}\n"),
     ("a.json", b"{}"), ("a.npy", b"\x93NUMPY\x01\x00"), ("a.m4a", b"\x00\x00\x00\x20ftypM4A \x00"),
     ("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt "), ("a.log", bytes(range(256))), ("a.dat", bytes(range(256)) * 20),
     ("a", b"")],
)  # fmt: skip
def test_other_files_are_not_videos(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert not is_video(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.mp4", b""), ("a.WMV", b"garbage"), ("a.ts", b"\x00\xffgarbage"), ("a", b"\x00\x00\x00\x20ftypisom\x00\x00"),
     ("a.cam", b"\x1a\x45\xdf\xa3\x01\x00"), ("a.bin", b"RIFF\x10\x00\x00\x00AVI LIST"),
     ("a", b"OggS\x00\x02\x80theora"),
     ("a.tmp", (b"G" + bytes(187)) * 4)],
)  # fmt: skip
def test_a_damaged_video_is_taken_for_its_suffix_or_its_beginning(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert is_video(tmp_path / name)


def test_well_known_suffixes_cost_no_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "holds_video", lambda path: pytest.fail(f"{path} was decoded"))
    for name in ("a.mp4", "b.MOV", "c.txt", "d.jpg", "e", "f.ts"):
        (tmp_path / name).write_bytes(b"plain text")
    assert [p.name for p in files_below(tmp_path) if is_video(tmp_path / p)] == ["a.mp4", "b.MOV"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert not is_video(tmp_path / "a.mp4")


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_hidden_files_and_those_of_archives_are_left_out(tmp_path):
    _touch(tmp_path, "b.mp4", ".a.mp4", "._b.mp4", ".trash/a.mp4", "__MACOSX/b.mp4", "sub/__MACOSX/a.mp4", "sub/a.mp4")
    assert [p.as_posix() for p in files_below(tmp_path)] == ["b.mp4", "sub/a.mp4"]


def test_linked_folders_are_searched_once_and_circles_end(tmp_path):
    elsewhere = _touch(tmp_path / "elsewhere", "c.mp4")
    folder = _touch(tmp_path / "videos", "z/a.mp4")
    (folder / "a-link").symlink_to(folder / "z")
    (folder / "z/round").symlink_to(folder)
    (folder / "more").symlink_to(elsewhere)
    (folder / "more too").symlink_to(elsewhere)
    assert [p.as_posix() for p in files_below(folder)] == ["more/c.mp4", "z/a.mp4"]


def test_a_file_under_several_names_is_one_video_and_a_broken_link_is_one_that_fails(tmp_path):
    _touch(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to("a.mp4")
    os.link(tmp_path / "a.mp4", tmp_path / "c.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    assert [v.path.name for v in find_videos([tmp_path, tmp_path / "b.mp4"])] == ["a.mp4", "gone.mp4"]


def test_what_is_left_out_is_counted_in_one_line(tmp_path, caplog):
    _touch(tmp_path, "a.mp4", "notes.txt", "sub/b.json", "captions.csv")
    (tmp_path / "captions.csv").write_text("video,caption\na.mp4,a person waves\n")
    find_videos([tmp_path])
    assert [r.getMessage() for r in caplog.records] == [f"{tmp_path}: 2 files are not videos, such as notes.txt"]
    (tmp_path / "notes.txt").unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        find_videos([tmp_path])
    assert [r.getMessage() for r in caplog.records] == [f"{tmp_path}: 1 file is not a video: sub/b.json"]


def test_a_folder_without_videos_says_what_it_holds(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no videos, as it is empty .*; give another folder"):
        find_videos([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"holds no videos: 2 files are not videos, such as a\.txt; give another"):
        find_videos([_touch(tmp_path / "texts", "a.txt", "b.txt")])


def test_a_file_that_was_given_is_taken_as_it_is(tmp_path):
    assert [v.id for v in find_videos([_touch(tmp_path, "a.txt") / "a.txt"])] == ["a"]
