"""Finding videos, and their ids, labels and captions."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.annotations import captions as caption_files
from crossdiff.annotations import captions_for
from crossdiff.errors import InputError
from crossdiff.pipeline.captioning import captions_and_rates_of, captions_of
from crossdiff.pipeline.inputs import Selection, find_videos, name_apart
from crossdiff.pipeline.video_input import VideoInput


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_folders_are_searched_and_each_file_is_taken_once(tmp_path):
    _touch(tmp_path, "a.mp4", "deep/er/b.AVI", "notes.txt", ".hidden/c.mp4", "._a.mp4")
    found = find_videos([tmp_path, tmp_path / "a.mp4"])
    assert [v.relative.as_posix() for v in found] == ["a.mp4", "deep/er/b.AVI"]


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_videos([tmp_path / "none"])
    with pytest.raises(InputError, match="holds no videos"):
        find_videos([_touch(tmp_path, "notes.txt")])
    with pytest.raises(InputError, match="no videos given"):
        find_videos([])


@pytest.mark.parametrize(
    ("relative", "label"),
    [
        ("Lunges/v_Lunges_g01_c02.avi", "Lunges"),
        ("mixed/v_PullUps_g01_c02.avi", "PullUps"),
        ("archive/tai_chi/001.mp4", "tai_chi"),
        ("jumping_jacks_01.mp4", "JumpingJack"),
        ("squat at home 3.mp4", "BodyWeightSquats"),
        ("my phone video (2).mp4", ""),
        ("0001.mp4", ""),
        # Generic folders say nothing; a known action in a file's name comes before an unknown folder.
        ("DCIM/Camera/IMG_0001.mp4", ""),
        ("Rowing/videos/0001.mp4", "Rowing"),
        ("my squat videos/0001.mp4", "my squat videos"),
        ("gym/lunges 2.mp4", "Lunges"),
        ("PullUps/squats.mp4", "PullUps"),
        ("a\x1b[31m\udce9b/0001.mp4", "a\\x1b[31m\\xe9b"),
    ],
)
def test_labels(relative, label):
    assert VideoInput(Path("root") / relative, Path(relative)).label == label


def test_ids_are_safe_as_file_names():
    assert VideoInput(Path("x"), Path("Lunges/my clip #1 (a).mp4")).id == "Lunges__my_clip__1__a_"


@pytest.mark.parametrize("letter", ["x", "\u6b69", "a\u6b69"])
def test_long_names_become_ids_that_leave_room_for_file_names(letter):
    names = [f"Lunges/{letter * (240 // len(letter.encode()))}{n}.mp4" for n in range(2)]
    first, second = (VideoInput(Path(name), Path(name)).id for name in names)
    assert first != second and len(first.encode()) < 190
    assert re.fullmatch(rf"Lunges__[{letter}]+-[0-9a-f]{{8}}", first)


def test_an_id_of_before_that_is_too_long_is_not_kept(tmp_path):
    (video,) = find_videos([_touch(tmp_path, f"{'x' * 240}.mp4")])
    assert list(name_apart([video], {"x" * 240: video.path})) == [video.id]


def test_videos_that_share_a_name_are_told_apart_and_keep_their_ids(tmp_path):
    _touch(tmp_path, "a/x.mp4", "b/x.mp4", "c/X.avi")
    videos = find_videos([tmp_path / "a/x.mp4", tmp_path / "b/x.mp4", tmp_path / "c/X.avi"])
    named = name_apart(videos, {})
    assert list(named) == ["x", "x-2", "X-3"]
    known = {name: video.path for name, video in named.items()}
    assert list(name_apart(videos[1:], known)) == ["x-2", "X-3"]
    (tmp_path / "a/x.mp4").unlink()
    assert list(name_apart(videos[2:], {"x": tmp_path / "a/x.mp4"})) == ["X"]


def test_a_video_keeps_its_id_whatever_becomes_of_its_namesake(tmp_path):
    _touch(tmp_path, "walk.m4v", "walk.mp4")
    known = {name: video.path for name, video in name_apart(find_videos([tmp_path]), {}).items()}
    (tmp_path / "walk.m4v").unlink()
    assert list(name_apart(find_videos([tmp_path]), known)) == ["walk-2"]


def test_captions_come_from_the_file_then_from_beside_then_from_the_label(tmp_path):
    _touch(tmp_path, "sub/a.mp4", "sub/b.mp4", "PullUps/c.mp4")
    (tmp_path / "captions.csv").write_text("video,caption\nsub/a.mp4,from beside\nb,also beside\nb,twice\n")
    (tmp_path / "given.csv").write_text("video,caption\na.mp4,from the file\n")
    found = {
        v.path.name: tuple(c.text for c in captions)
        for v, captions in captions_of(find_videos([tmp_path]), tmp_path / "given.csv").items()
    }
    assert found["a.mp4"] == ("from the file",)
    assert found["b.mp4"] == ("also beside", "twice")
    assert found["c.mp4"] == tuple(captions_for("PullUps")) and "bar" in found["c.mp4"][0]


def test_captions_and_rates_come_from_one_read_of_each_file(tmp_path, monkeypatch):
    _touch(tmp_path, "sub/a.mp4", "sub/b.mp4", "Rowing/c.mp4")
    (tmp_path / "captions.csv").write_text("video,caption,fps\nsub/a.mp4,beside,25\nb,also beside,50\n")
    (tmp_path / "given.csv").write_text("video,caption,fps\na.mp4,from the file,120\n")
    reads = []
    read = caption_files._read_cells
    monkeypatch.setattr(caption_files, "_read_cells", lambda path: reads.append(path.name) or read(path))
    videos = find_videos([tmp_path])
    texts, rates = captions_and_rates_of(videos, tmp_path / "given.csv")
    assert sorted(reads) == ["captions.csv", "given.csv"]
    assert texts == captions_of(videos, tmp_path / "given.csv")
    assert {video.path.name: rate for video, rate in rates.items()} == {"a.mp4": 120.0, "b.mp4": 50.0}


@pytest.mark.parametrize(
    "name",
    ["{folder}/gym/day 1.mp4", "{folder}/gym/day 1", "./gym/day 1.mp4", "gym\\day 1.mp4", ".\\gym\\day 1", "day 1.mp4",
     "day 1", "videos/gym/day 1.mp4", "{link}/gym/day 1.mp4"],
)  # fmt: skip
def test_a_captions_file_may_name_a_video_by_any_end_of_its_path(tmp_path, caplog, name):
    folder = _touch(tmp_path / "videos", "gym/day 1.mp4", "gym/day 2.mp4")
    (tmp_path / "link").symlink_to(folder)
    name = name.format(folder=folder, link=tmp_path / "link")
    (tmp_path / "given.csv").write_text(f"video,caption\n{name},a person stretches\n")
    # By a link, so that both its own path and the true one count.
    given = [tmp_path / "link" if "link" in name else folder]
    found = captions_of(find_videos(given), tmp_path / "given.csv")
    assert {v.path.name: [c.text for c in captions] for v, captions in found.items()} == {
        "day 1.mp4": ["a person stretches"], "day 2.mp4": ["a person does gym"]
    }  # fmt: skip
    assert "not among the inputs" not in caplog.text


def test_the_most_exact_name_counts(tmp_path):
    _touch(tmp_path, "a.mp4", "x/a.mp4")
    (tmp_path / "captions.csv").write_text("video,caption\na.mp4,by name\nx/a.mp4,by path\n")
    found = {v.relative.as_posix(): c[0].text for v, c in captions_of(find_videos([tmp_path])).items()}
    assert found == {"a.mp4": "by name", "x/a.mp4": "by path"}


def test_a_name_without_an_action_makes_no_caption(tmp_path):
    _touch(tmp_path, "my phone video (2).mp4", "DCIM/IMG_1.mp4", "squat at home 3.mp4", "Rowing/1.mp4")
    found = {v.path.name: [c.text for c in captions] for v, captions in captions_of(find_videos([tmp_path])).items()}
    assert found.pop("squat at home 3.mp4") == captions_for("BodyWeightSquats")
    assert found == {"my phone video (2).mp4": [], "IMG_1.mp4": [], "1.mp4": ["a person is rowing"]}


def test_videos_without_a_label_are_all_taken(tmp_path):
    _touch(tmp_path, "IMG_1.mp4", "IMG_2.mp4", "walk 1.mp4", "walk 2.mp4")
    assert [v.path.stem for v in find_videos([tmp_path], per_label=1)] == ["IMG_1", "IMG_2", "walk 1"]


def test_the_record_of_a_selection_does_not_depend_on_the_current_folder(tmp_path, monkeypatch):
    _touch(tmp_path, "videos/a.mp4")
    monkeypatch.chdir(tmp_path)
    record = Selection.of([Path("videos")]).record()
    monkeypatch.chdir(tmp_path / "videos")
    assert record == Selection.of([Path("../videos")]).record() == Selection.of([tmp_path / "videos"]).record()
    assert record["paths"] == [str(tmp_path / "videos")]
    assert record != Selection.of([tmp_path / "videos"], per_label=1).record()


def test_captions_of_unknown_videos_are_warned_about(tmp_path, caplog):
    _touch(tmp_path, "a.mp4")
    (tmp_path / "given.csv").write_text("video,caption\nz.mp4,nothing\n")
    (tmp_path / "captions.csv").write_text("video,caption\na.mp4,something\nb.mp4,nothing\n")
    captions_of(find_videos([tmp_path]), tmp_path / "given.csv")
    assert "given.csv: 1 video not among the inputs, such as z.mp4" in caplog.text
    assert "captions.csv: 1 video not among the inputs, such as b.mp4" in caplog.text


def _ucf(tmp_path: Path, groups: int = 25, clips: int = 4) -> Path:
    names = [f"v_{label}_g{g:02d}_c{c:02d}.avi" for label in ("Lunges", "TaiChi") for g in range(1, groups + 1)
             for c in range(1, clips + 1)]  # fmt: skip
    return _touch(tmp_path / "UCF-101", *(f"{name.split('_')[1]}/{name}" for name in names))


def test_the_datasets_lists_say_which_videos_are_taken(tmp_path, caplog):
    folder = _ucf(tmp_path, groups=2, clips=1)
    train, test = tmp_path / "trainlist01.txt", tmp_path / "testlist01.txt"
    train.write_text(
        "Lunges/v_Lunges_g02_c01.avi 52\r\nTaiChi/v_TaiChi_g02_c01.avi 91\r\nTaiChi/v_TaiChi_g09_c01.avi 91\n\n"
    )
    test.write_text("Lunges/v_Lunges_g01_c01.avi\n")
    assert [v.path.stem for v in find_videos([folder], [train])] == ["v_Lunges_g02_c01", "v_TaiChi_g02_c01"]
    assert "1 of 3" in caplog.text and "g09" in caplog.text
    # Whatever part of the dataset is given, and with both lists.
    assert len(find_videos([folder / "Lunges"], [train, test])) == 2
    assert [v.path.stem for v in find_videos([folder / "Lunges/v_Lunges_g01_c01.avi"], [test])] == ["v_Lunges_g01_c01"]
    with pytest.raises(InputError, match="names none of the videos"):
        find_videos([folder / "TaiChi"], [test])
    with pytest.raises(InputError, match="not readable as a list"):
        find_videos([folder], [tmp_path / "none.txt"])


@given(st.integers(1, 30))
def test_so_many_of_each_label_evenly_over_its_groups(tmp_path_factory, most):
    folder = tmp_path_factory.mktemp("ucf")
    _ucf(folder, groups=5, clips=4)
    taken = find_videos([folder], per_label=most)
    for label in ("Lunges", "TaiChi"):
        groups = Counter(v.group for v in taken if v.label == label)
        assert sum(groups.values()) == min(most, 20)
        assert max(groups.values()) - min(groups[f"{g:02d}"] for g in range(1, 6)) <= 1
    assert taken == find_videos([folder], per_label=most)
    assert {v.path for v in find_videos([folder], per_label=max(1, most - 1))} <= {v.path for v in taken}


def test_of_other_videos_the_first_are_taken(tmp_path):
    _touch(tmp_path, *(f"Rowing/{n}.mp4" for n in "abc"), "Diving/a.mp4")
    assert [v.relative.as_posix() for v in find_videos([tmp_path], per_label=2)] == [
        "Diving/a.mp4", "Rowing/a.mp4", "Rowing/b.mp4",
    ]  # fmt: skip
