"""How video files become keypoints: their true rate, their clock, their pauses, and what is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from wild import FakeBackend, texture, write_video

from crossdiff.errors import PartialFailure
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D, Motion2D


def room(frames: int) -> list[np.ndarray]:
    return [(texture((160, 140)) + 120 + n % 7).clip(0, 255).astype(np.uint8) for n in range(frames)]


def tracks(run: Run) -> list[Keypoints2D]:
    return [Keypoints2D.load(run.keypoints / f"{row.id}.npz") for row in run.ledger.rows("track")]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run")


def test_the_true_rate_is_that_of_the_option_or_of_the_captions_file(tmp_path, run):
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", frames=60)
    (tmp_path / "captions.csv").write_text("video,caption,fps\nb,a person waves,120\n")
    backend = FakeBackend()
    extract_2d([tmp_path / "a.mp4", tmp_path / "b.mp4"], run, backend)
    assert [(k.fps, k.time[-1]) for k in tracks(run)] == [(20, 59 / 20), (120, 59 / 120)]
    again = extract_2d([tmp_path / "a.mp4", tmp_path / "b.mp4"], run, backend, fps=50)
    assert again.unchanged == 1 and [k.fps for k in tracks(run)] == [50, 120]
    assert extract_2d([tmp_path / "a.mp4", tmp_path / "b.mp4"], run, backend, fps=50).unchanged == 2


def test_a_track_has_the_time_of_the_file_also_where_the_video_begins_late(tmp_path, run):
    write_clip(tmp_path / "a.mkv", room(70), times=2.5 + np.arange(70) / 20, fps=20)
    (tmp_path / "captions.csv").write_text("video,caption,start,end\na,too early,0,2.4\na,in time,2.5,6\n")
    extract_2d([tmp_path / "a.mkv"], run, FakeBackend())
    (keypoints,) = tracks(run)
    np.testing.assert_allclose(keypoints.time, 2.5 + np.arange(70) / 20, atol=2e-3)
    assert keypoints.fps == pytest.approx(20, rel=1e-3)
    filter_clips(run, FilterConfig(min_difference=0))
    build_2d(run)
    (row,) = run.ledger.rows("build", "done")
    assert Motion2D.load(run.motion2d / f"{row.id}.npz").start == pytest.approx(2.5, abs=2e-3)
    assert (run.texts / f"{row.id}.txt").read_text().startswith("in time#")


def test_a_pause_splits_a_clip_and_is_no_part_of_its_rate(tmp_path, run):
    times = np.arange(80) / 20 + np.where(np.arange(80) >= 45, 3.0, 0.0)
    write_clip(tmp_path / "a.mkv", room(80), times=times, fps=20)
    extract_2d([tmp_path / "a.mkv"], run, FakeBackend())
    assert [(k.frame[0], len(k.frame)) for k in tracks(run)] == [(0, 45), (45, 35)]
    assert [k.fps for k in tracks(run)] == pytest.approx([20, 20], rel=1e-3)
    np.testing.assert_allclose([k.time[0] for k in tracks(run)], [0, times[45]], atol=2e-3)


def test_a_damaged_video_is_used_in_part_or_refused(tmp_path, run):
    whole = write_clip(
        tmp_path / "w.mp4", room(60), fps=20, options={"g": "5"}, container_options={"movflags": "faststart"}
    ).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    videos = [cut, write_video(tmp_path / "good.mp4")]
    summary = extract_2d(videos, run, FakeBackend())
    row = run.ledger.get("extract", "cut")
    share = row.measures["frames"] / 60
    assert row.state == "done" and 0.3 < share < 1 and row.measures["decoded"] == pytest.approx(share, abs=1e-4)
    assert summary.damaged == 1 and "0 failed, 1 damaged" in str(summary)
    counts = run.ledger.counts()
    assert counts[counts.reason == "damaged in part"]["items"].tolist() == [1]
    assert extract_2d(videos, run, FakeBackend()).unchanged == 2

    refused = extract_2d(videos, run, FakeBackend(), whole_only=True)
    assert refused.unchanged == 1 and run.ledger.get("extract", "cut").state == "failed"
    with pytest.raises(PartialFailure, match=rf"cut\.mp4: damaged: {share:.1%} of its frames could be decoded; give"):
        refused.raise_failures()
    assert [row.parent for row in run.ledger.rows("track")] == ["good"]
    assert extract_2d(videos, run, FakeBackend(), whole_only=True).unchanged == 2
    assert extract_2d(videos, run, FakeBackend()).damaged == 1


def test_a_playlist_named_as_a_video_fails_and_opens_nothing(tmp_path, run):
    secret = write_clip(tmp_path / "secret.ts", room(10))
    (tmp_path / "a.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n")
    backend = FakeBackend()
    extract_2d([tmp_path / "a.mp4"], run, backend)
    assert backend.frames == 0 and "not a video" in run.ledger.get("extract", "a").reason
