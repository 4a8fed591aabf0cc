"""Extraction: every input has its fate in the ledger, and nothing is done twice."""

from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock
from wild import SHARED, FakeBackend, write_video

from crossdiff.annotations import VideoCaption, captions_for
from crossdiff.config import load_config
from crossdiff.errors import InputError, MissingDependencyError, PartialFailure
from crossdiff.pipeline.backends import create_backend
from crossdiff.pipeline.engines import InProcess
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.tracks.people import PeopleConfig
from crossdiff.pipeline.tracks.tracking import TrackingConfig
from crossdiff.types import Keypoints2D


class Shifted(FakeBackend):
    """Another backend, which finds everybody elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = {"backend": "shifted"}

    def estimate(self, frames):
        for people in super().estimate(frames):
            yield [replace(person, xy=person.xy + 1) for person in people]


def test_keypoints_of_each_person_and_a_row_for_each_video(run):
    assert {r.id: r.state for r in run.ledger.rows("extract")} == {
        "PullUps__v_PullUps_g01_c01": "done",
        "jumping_jacks_01": "done",
        "nobody": "filtered",
    }
    found = Keypoints2D.load(run.keypoints / "jumping_jacks_01_t0.npz")
    assert found.xy.shape == (70, 33, 2) and found.fps == 20 and found.size == (160, 140)
    videos = run.ledger.videos()
    assert videos["jumping_jacks_01"].label == "JumpingJack"
    assert len(videos["PullUps__v_PullUps_g01_c01"].captions) == len(captions_for("PullUps"))


def test_a_second_time_nothing_is_done(run, videos):
    backend = FakeBackend()
    summary = extract_2d([videos], run, backend)
    assert backend.frames == 0 and summary.unchanged == summary.videos == 3 and summary.tracks == 2


def test_a_video_that_is_named_again_by_itself_keeps_what_was_told_of_it(run, videos, tmp_path):
    (tmp_path / "told.csv").write_text("video,caption\njumping_jacks_01.mp4,a man warms up\n")
    extract_2d([videos], run, FakeBackend(), tmp_path / "told.csv")
    before = run.ledger.videos()
    named = [before[name].path for name in ("jumping_jacks_01", "PullUps__v_PullUps_g01_c01")]
    assert extract_2d(named, run, FakeBackend()).unchanged == 2
    assert run.ledger.videos() == before


def test_a_long_name_costs_no_other_video(tmp_path):
    long = write_video(tmp_path / "v/Lunges" / f"{'x' * 241}.mp4", frames=5)
    write_video(tmp_path / "v/next.mp4", frames=5)
    made = Run.create(tmp_path / "r")
    assert extract_2d([tmp_path / "v"], made, FakeBackend()).tracks == 2
    assert long.resolve() in {video.path for video in made.ledger.videos().values()}


def test_changed_videos_and_settings_are_done_again(run, videos):
    write_video(videos / "nobody.mp4", frames=50)
    backend = FakeBackend()
    assert extract_2d([videos], run, backend).tracks == 3 and backend.frames == 50
    assert extract_2d([videos], run, FakeBackend(), cfg=PeopleConfig(tracking=TrackingConfig(slack=0.3))).unchanged == 0


def test_what_an_interrupted_redo_overwrote_is_done_again_with_the_old_settings(run, videos):
    class Interrupting(InProcess):
        def run(self, jobs, recipe, tick):
            for outcome in super().run(jobs, recipe, tick):
                raise KeyboardInterrupt
                yield outcome

    def places() -> list[float]:
        return [float(Keypoints2D.load(path).xy.mean()) for path in sorted(run.keypoints.iterdir())]

    before = places()
    with pytest.raises(KeyboardInterrupt):
        extract_2d([videos], run, Shifted(), engine=Interrupting())
    assert places() != before
    assert extract_2d([videos], run, FakeBackend()).unchanged == 2
    assert places() == before


def test_the_shipped_configuration_holds_the_defaults():
    assert load_config(PeopleConfig, "people") == PeopleConfig()


def test_a_video_that_was_only_touched_is_not_done_again(run, videos):
    (videos / "nobody.mp4").touch()
    backend = FakeBackend()
    assert extract_2d([videos], run, backend).unchanged == 3 and backend.frames == 0


def test_a_run_has_one_writer(run, videos):
    with FileLock(run.root / ".extraction.lock"), pytest.raises(InputError, match="another extraction"):
        extract_2d([videos], run, FakeBackend())


def test_what_a_killed_process_left_is_swept_up(run, videos):
    (run.keypoints / ".nobody_t0.1.tmp.npz").write_bytes(b"half")
    extract_2d([videos], run, FakeBackend())
    assert len(list(run.keypoints.iterdir())) == 2


def test_tracks_that_are_no_longer_there_are_forgotten(run, videos):
    write_video(videos / "jumping_jacks_01.mp4", grey=0)
    extract_2d([videos], run, FakeBackend())
    assert [r.id for r in run.ledger.rows("track")] == ["PullUps__v_PullUps_g01_c01_t0"]
    assert [p.stem for p in run.keypoints.iterdir()] == ["PullUps__v_PullUps_g01_c01_t0"]


def test_new_captions_are_taken_without_extracting_again(run, videos):
    (videos / "captions.csv").write_text("video,caption\njumping_jacks_01.mp4,a man warms up\n")
    backend = FakeBackend()
    extract_2d([videos], run, backend)
    assert backend.frames == 0 and run.ledger.videos()["jumping_jacks_01"].captions == (VideoCaption("a man warms up"),)


def test_bad_files_fail_with_a_reason_and_the_others_go_on(run, videos):
    (videos / "text.mp4").write_text("no video " * 100)
    (videos / "empty.avi").touch()
    summary = extract_2d([videos], run, FakeBackend())
    assert len(summary.failed) == 2 and summary.tracks == 2
    assert run.ledger.get("extract", "empty").reason == "empty file"
    with pytest.raises(
        PartialFailure, match=r"3 of 5 .*\n.*nobody\.mp4: no person found\n.*empty\.avi: empty file\n.*text\.mp4"
    ):
        summary.raise_failures()
    again = extract_2d([videos], run, FakeBackend())
    assert again.unchanged == 5 and len(again.failed) == 2


def test_all_failed_is_an_input_error(tmp_path):
    (tmp_path / "a.mp4").touch()
    summary = extract_2d([tmp_path / "a.mp4"], Run.create(tmp_path / "r"), FakeBackend())
    with pytest.raises(InputError, match="no video could be used"):
        summary.raise_failures()


def test_a_backend_that_breaks_fails_the_video_and_is_tried_again_on_request(tmp_path):
    class Broken(FakeBackend):
        def estimate(self, frames):
            raise RuntimeError("graph stopped")
            yield

    write_video(tmp_path / "a.mp4")
    made = Run.create(tmp_path / "r")
    assert extract_2d([tmp_path / "a.mp4"], made, Broken()).failed
    assert extract_2d([tmp_path / "a.mp4"], made, FakeBackend()).failed
    assert extract_2d([tmp_path / "a.mp4"], made, FakeBackend(), retry_failed=True).tracks == 1


def test_unknown_backends_are_named():
    with pytest.raises(InputError, match="mediapipe"):
        create_backend("openpose")


def test_other_weights_are_refused(tmp_path):
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    from crossdiff.pipeline.backends.mediapipe import check_weights

    with pytest.raises(MissingDependencyError, match=r"pip install 'crossdiff\[mediapipe\]'"):
        check_weights(tmp_path)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
def test_mediapipe_finds_the_same_person_as_the_reference(tmp_path, capfd):
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    import json

    people = SHARED / "videos" / "people"
    made = Run.create(tmp_path / "r")
    assert extract_2d([people / "squats.mp4"], made).tracks == 1
    found = Keypoints2D.load(made.keypoints / "squats_t0.npz")
    reference = np.array(json.loads((people / "squats_blazepose.json").read_text()))[..., :2]
    body = [11, 12, 23, 24, 25, 26, 27, 28]
    distance = np.linalg.norm(found.xy[:, body] - reference[found.frame][:, body], axis=-1)
    assert len(found.frame) == 65
    assert np.median(distance) < 0.03 * 1000  # the person is about 1000 pixels tall
    assert not capfd.readouterr().err.strip()
