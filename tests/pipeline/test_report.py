"""The page of a run: before and after each stage, bounded, and without the videos."""

import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from wild import FakeBackend, keypoints, waving, write_video

from crossdiff.errors import InputError
from crossdiff.pipeline.build import BuildConfig, build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import REASONS, FilterConfig, filter_clips
from crossdiff.pipeline.label_quality import LABEL_MEASURES, OPTIONAL_MEASURES
from crossdiff.pipeline.report import report
from crossdiff.pipeline.report.pictures import around, following
from crossdiff.pipeline.report.report import write_report
from crossdiff.pipeline.run import Run
from crossdiff.video import VideoReader


class Reader(HTMLParser):
    """What a page says and shows."""

    def __init__(self, path):
        super().__init__()
        self.text, self.shown = "", []
        self.feed(path.read_text())
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attrs):
        self.shown += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.text += f" {data} "


def test_the_page_tells_what_became_of_every_video(run, videos):
    (videos / "empty.avi").touch()
    extract_2d([videos], run, FakeBackend())
    filter_clips(run, FilterConfig(min_frames=65))
    build_2d(run)
    summary = write_report(run)
    page = Reader(run.root / "report" / "index.html")
    assert summary.clips == summary.shown == 2 and not summary.gone and not summary.failed
    for said in (
        "Videos 4", "Failed 1", "Kept 1", "Dropped 1", "2D motions 1", "not lifted yet", "too short 1 min_frames: 65",
        "empty empty file", "nobody no person", "PullUps 1 0 1 0 0 1 too short", "60 where 65 is the limit",
    ):  # fmt: skip
        assert said in page.text, said
    assert all((run.root / "report" / src).stat().st_size for src in page.shown)
    assert sum(src.endswith(".svg") for src in page.shown) == len(REASONS)
    clip = run.root / "report/index_files/jumping_jacks_01_t0.mp4"
    assert VideoReader(clip).info.frames == 70
    # The skeleton's blue and orange, on a grey video.
    assert max(np.ptp(frame.astype(int), axis=-1).max() for frame in VideoReader(clip).frames()) > 100


def test_before_anything_is_filtered_and_before_anything_is_extracted(run, tmp_path):
    write_report(run)
    assert "not filtered yet" in Reader(run.root / "report" / "index.html").text
    with pytest.raises(InputError, match="extract-2d"):
        write_report(Run.create(tmp_path / "nothing"))


@pytest.fixture
def quick(monkeypatch):
    """Without histograms, which take the most time."""
    monkeypatch.setattr(report, "draw_histograms", lambda *_: [])


def test_minutes_go_by_the_frame_rate_of_the_motions(run, quick):
    filter_clips(run, FilterConfig(min_difference=0))
    assert "(0.1 min)" in str(build_2d(run, BuildConfig(fps=5, min_frames=10)))
    write_report(run, most=0)
    assert "2D motions 2 (0.1 min)" in Reader(run.root / "report" / "index.html").text


def test_no_more_clips_are_drawn_than_asked_for_and_old_pictures_go(run, videos, quick):
    for n in range(4):
        write_video(videos / f"short_{n}.mp4", frames=5 + n)
    extract_2d([videos], run, FakeBackend())
    filter_clips(run)
    assert write_report(run, run.root / "page.html").shown == 6
    assert write_report(run, run.root / "page.html", most=2).shown == 4
    pictures = sorted(path.name for path in (run.root / "page_files").glob("*.jpg"))
    # Of the short ones the shortest and the longest.
    assert [name for name in pictures if "short" in name] == ["short_0_t0.jpg", "short_3_t0.jpg"]
    assert "2 of 4 are shown" in Reader(run.root / "page.html").text


def test_without_its_video_a_clip_is_drawn_alone_and_without_its_keypoints_not(run, videos, quick):
    filter_clips(run)
    (videos / "jumping_jacks_01.mp4").unlink()
    next(run.keypoints.glob("PullUps*")).unlink()
    summary = write_report(run)
    assert summary.gone == {"jumping_jacks_01"} and len(summary.failed) == 1 and summary.shown == 1
    text = Reader(run.root / "report" / "index.html").text
    assert "Videos that are gone" in text and "Clips that could not be drawn" in text
    sheet = cv2.imread(str(run.root / "report/index_files/jumping_jacks_01_t0.jpg"))
    assert sheet is not None and np.ptp(sheet.astype(int), axis=-1).max() > 100


def test_labels_stand_beside_their_videos_with_their_scores(labelled):
    summary = write_report(labelled)
    page = Reader(labelled.root / "report" / "index.html")
    assert "and 2 labels drawn" in str(summary) and not summary.failed
    for said in (
        "Pseudo-3D labels 1", "1 label kept, 1 filtered, 0 failed", "feet slide 1 max_skate: 0.05", "max_jerk: off",
        "quality 0.50. 0.050 body heights from its 2D motion", "Filtered: feet slide, 0.1 where 0.05 is the limit",
    ):  # fmt: skip
        assert said in page.text, said
    videos = [src for src in page.shown if "label_" in src]
    assert len(videos) == 2
    for row, src in zip(labelled.ledger.rows("build"), sorted(videos), strict=True):
        info = VideoReader(labelled.root / "report" / src).info
        assert (info.fps, info.frames) == (20, row.measures["frames"] - 1)
    assert {f"index_files/{name}.svg" for name in LABEL_MEASURES.keys() - OPTIONAL_MEASURES} <= set(page.shown)


def test_labels_can_be_left_out_and_those_that_cannot_be_drawn_are_named(labelled, videos, quick):
    assert write_report(labelled, labels=0).labels == 0
    (videos / "jumping_jacks_01.mp4").unlink()
    next(labelled.pseudo3d.glob("*.npz")).unlink()
    summary = write_report(labelled)
    assert summary.labels == 1 and len(summary.failed) == 1
    assert "no pseudo label" in next(iter(summary.failed.values()))
    assert summary.gone == {"jumping_jacks_01"}


def test_squares_follow_a_person_and_stay_in_the_picture():
    xy = waving(40) + np.stack([np.linspace(-60, 60, 40), np.zeros(40)], axis=-1)[:, None]
    walking = keypoints(xy)
    corners, side = following(walking, np.arange(5, 35))
    assert corners.shape == (30, 2) and 100 < side <= 140
    inside = (corners >= 0) & (corners + side <= np.array(walking.size) + 1e-3)
    assert inside.all()
    assert corners[-1, 0] > corners[0, 0]
    # Where nothing is sure, there is a square all the same.
    assert np.isfinite(following(keypoints(xy, score=0.1), np.arange(3))[0]).all()


def test_the_part_of_the_picture_around_a_person_stays_inside_it():
    rows, columns = around(keypoints(waving(20)))
    assert 0 <= rows.start < 20 and rows.stop > 120 and columns.start < 68 and columns.stop > 92
    outside = waving(20) + np.array([300, -400])
    rows, columns = around(keypoints(outside, score=0.1))
    assert rows.stop > rows.start >= 0 and 160 >= columns.stop > columns.start >= 0
