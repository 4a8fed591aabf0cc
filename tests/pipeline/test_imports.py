"""2D poses found elsewhere, as clips of a run."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from wild import FakeBackend, keypoints, waving, write_video

from crossdiff.annotations import VideoCaption, captions_for
from crossdiff.errors import InputError, PartialFailure
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import filter_clips
from crossdiff.pipeline.importing.imports import ImportedClip, UnusableClip, fill_unseen, import_keypoints
from crossdiff.pipeline.report.report import write_report
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D


def clip(name: str, period: int = 20, **parts) -> ImportedClip:
    return ImportedClip(name, keypoints(waving(60, period)), **{"captions": ("a person waves",), **parts})


@pytest.fixture
def empty(tmp_path) -> Run:
    return Run.create(tmp_path / "imported")


def rows(run: Run, stage: str) -> dict[str, str]:
    return {row.id: row.state for row in run.ledger.rows(stage)}


def test_clips_go_through_the_stages_as_extracted_ones_do(empty):
    found = import_keypoints(empty, [clip("a"), clip("b", 34, captions=(), label="JumpingJack")], "somewhere")
    assert str(found) == "2 clips: 2 imported (120 frames), 0 unchanged, 0 failed"
    found.raise_failures()
    assert rows(empty, "extract") == {"a": "done", "b": "done"}
    assert rows(empty, "track") == {"a_t0": "done", "b_t0": "done"}
    assert filter_clips(empty).kept == 2
    assert build_2d(empty).motions == 2
    assert (empty.texts / "a_t0_0.txt").read_text().startswith("a person waves#")
    assert (empty.texts / "b_t0_0.txt").read_text().count("\n") == len(captions_for("JumpingJack"))
    np.testing.assert_allclose(Keypoints2D.load(empty.keypoints / "a_t0.npz").xy, waving(60), atol=1e-3)


def test_what_is_there_is_left_alone_and_what_changed_is_made_anew(empty):
    import_keypoints(empty, [clip("a"), clip("b", 34)])
    filter_clips(empty)
    build_2d(empty)
    before = {path: path.stat().st_mtime_ns for path in empty.keypoints.iterdir()}
    again = import_keypoints(empty, [clip("a"), clip("b", 27)])
    assert again.unchanged == 1 and again.frames == 60
    assert "1 imported (60 frames, 1 in place of others), 1 unchanged" in str(again)
    changed = [path.name for path, then in before.items() if path.stat().st_mtime_ns != then]
    assert changed == ["b_t0.npz"]
    assert filter_clips(empty).unchanged == 1
    assert build_2d(empty).unchanged == 1


def test_keypoints_in_space_are_imported_and_part_of_what_a_clip_is(empty):
    import_keypoints(empty, [clip("a")])
    world = np.random.default_rng(0).random((60, 33, 3)).astype(np.float32)
    spatial = ImportedClip("a", dataclasses.replace(keypoints(waving(60, 20)), world=world), ("a person waves",))
    assert import_keypoints(empty, [spatial]).replaced == 1
    np.testing.assert_array_equal(Keypoints2D.load(empty.keypoints / "a_t0.npz").world, world)
    assert import_keypoints(empty, [spatial]).unchanged == 1


def test_what_an_interrupted_import_overwrote_is_imported_again_as_it_was(empty, monkeypatch):
    save = Keypoints2D.save

    def interrupted(self, path):
        save(self, path)
        raise KeyboardInterrupt

    import_keypoints(empty, [clip("a"), clip("b", 34)])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Keypoints2D, "save", interrupted)
        import_keypoints(empty, [clip("a", 27), clip("b", 34)])
    filter_clips(empty)
    build_2d(empty)
    assert import_keypoints(empty, [clip("a"), clip("b", 34)]).unchanged == 1
    np.testing.assert_allclose(Keypoints2D.load(empty.keypoints / "a_t0.npz").xy, waving(60), atol=1e-3)
    # What was built in between is of the other poses.
    assert filter_clips(empty).unchanged == build_2d(empty).unchanged == 1


def test_another_caption_builds_again_without_another_file(empty):
    import_keypoints(empty, [clip("a")])
    filter_clips(empty)
    build_2d(empty)
    captions = (VideoCaption("a person begins", 0, 2.5), "a person waves")
    assert import_keypoints(empty, [clip("a", captions=captions)]).unchanged == 1
    filter_clips(empty)
    assert build_2d(empty).motions == 2
    texts = [(empty.texts / f"a_t0_{n}.txt").read_text().partition("#")[0] for n in range(2)]
    assert texts == ["a person begins", "a person waves"]


BAD = {
    "NaN": (lambda k: dataclasses.replace(k, xy=np.full_like(k.xy, np.nan)), "NaN or infinite"),
    "score": (lambda k: dataclasses.replace(k, score=k.score + 1), r"scores must lie in \[0, 1\]"),
    "order": (lambda k: dataclasses.replace(k, time=k.time[::-1]), "times must increase"),
    "set": (lambda k: dataclasses.replace(k, keypoint_set="coco17"), "coco17 has 17 keypoints, got 33"),
    "unknown": (lambda k: dataclasses.replace(k, keypoint_set="dots"), "no keypoint set 'dots'"),
    "unseen": (lambda k: dataclasses.replace(k, score=0 * k.score), "no keypoint was seen"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_clip_is_told_and_the_others_are_imported(empty, kind):
    spoil, message = BAD[kind]
    good = clip("good")
    found = import_keypoints(empty, [dataclasses.replace(good, id="bad", keypoints=spoil(good.keypoints)), good])
    assert rows(empty, "extract") == {"bad": "failed", "good": "done"} and list(rows(empty, "track")) == ["good_t0"]
    with pytest.raises(PartialFailure, match=message):
        found.raise_failures()


def test_a_clip_that_went_bad_takes_its_motion_with_it(empty):
    import_keypoints(empty, [clip("a"), clip("b", 34)])
    filter_clips(empty)
    build_2d(empty)
    import_keypoints(empty, [UnusableClip("b", "cut off")])
    assert filter_clips(empty).clips == 1
    assert build_2d(empty).motions == 1
    assert [path.name for folder in (empty.keypoints, empty.motion2d) for path in sorted(folder.iterdir())] == [
        "a_t0.npz",
        "a_t0_0.npz",
    ]
    assert import_keypoints(empty, [clip("b", 34)]).frames == 60


def test_nothing_usable_is_an_error(empty):
    with pytest.raises(InputError, match=r"no clip could be imported.*\n  a: cut off"):
        import_keypoints(empty, [UnusableClip("a", "cut off")]).raise_failures()


@pytest.mark.parametrize("name", ["../a", "", ".hidden", "a b", "a/b"])
def test_an_id_that_cannot_name_files_is_refused(empty, name):
    found = import_keypoints(empty, [clip(name), clip("good")])
    assert "cannot name files" in found.failed[name] and rows(empty, "track") == {"good_t0": "done"}


def test_an_id_that_is_too_long_for_file_names_is_refused(empty):
    name = "\u6b69" * 70
    found = import_keypoints(empty, [clip(name), clip("good")])
    assert "210 bytes is too long" in found.failed[name] and rows(empty, "track") == {"good_t0": "done"}


def test_ids_are_told_apart_and_those_of_videos_are_left_alone(run):
    before = rows(run, "extract")
    video = next(iter(before))
    found = import_keypoints(run, [clip("a"), clip("A", 34), clip(video, 27)])
    assert "another clip has this id" in found.failed["A"]
    assert "a video of" in found.failed[video]
    assert rows(run, "extract") == before | {"a": "done"}


def test_a_video_of_the_same_name_gets_another_id(empty, tmp_path):
    import_keypoints(empty, [clip("a")])
    extract_2d([write_video(tmp_path / "a.mp4")], empty, FakeBackend())
    assert set(rows(empty, "extract")) == {"a", "a-2"}


def test_a_report_draws_skeletons_and_misses_no_video(empty):
    import_keypoints(empty, [clip("a")])
    filter_clips(empty)
    summary = write_report(empty)
    assert summary.shown == 1 and not summary.gone and not summary.failed
    assert "are gone" not in summary.path.read_text()


@settings(max_examples=50, deadline=None)
@given(arrays(bool, (12, 33)).filter(lambda seen: seen.any()))
def test_unseen_keypoints_lie_between_the_seen(seen):
    whole = keypoints(waving(12))
    xy = np.where(seen[..., None], whole.xy, np.nan).astype(np.float32)
    found = fill_unseen(dataclasses.replace(whole, xy=xy, score=np.where(seen, 0.9, 0.0)))
    assert np.isfinite(found.xy).all()
    np.testing.assert_array_equal(found.xy[seen], whole.xy[seen])
    low, high = whole.xy[seen].min(axis=0) - 1e-3, whole.xy[seen].max(axis=0) + 1e-3
    assert ((found.xy >= low) & (found.xy <= high)).all()
