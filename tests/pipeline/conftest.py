"""Runs and videos that several tests use."""

from pathlib import Path

import pytest
from synthetic import person
from wild import FakeBackend, write_video

from crossdiff.files import load_npz, save_npz
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, Rejection, filter_clips, rejected
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.pipeline.run import Run
from crossdiff.representation.features3d import joints_to_features_3d


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three good videos, one of them without a person."""
    folder = tmp_path / "videos"
    write_video(folder / "PullUps" / "v_PullUps_g01_c01.mp4")
    write_video(folder / "jumping_jacks_01.mp4", frames=70)
    write_video(folder / "nobody.mp4", grey=0)
    return folder


@pytest.fixture
def run(tmp_path: Path, videos: Path) -> Run:
    """A run that has extracted `videos`."""
    made = Run.create(tmp_path / "run")
    extract_2d([videos], made, FakeBackend())
    return made


@pytest.fixture
def labelled(run) -> Run:
    """Two motions with labels whose depth is made up; one of the labels is beyond a limit."""
    filter_clips(run, FilterConfig(min_difference=0))
    build_2d(run)
    for row, state in zip(run.ledger.rows("build"), ("done", "filtered"), strict=True):
        measures = {"yaw": 10.0, "reprojection": 0.05, "bone_drift": 5.0, "skate": 0.1, "jerk": 30.0, "quality": 0.5}
        made = Row("pseudo", row.id, "done", "k", row.parent, measures=measures)
        if state == "filtered":
            made = rejected(made, Rejection("feet slide", 0.1, 0.05))
        folder = run.pseudo3d if state == "done" else run.pseudo3d_filtered
        frames = len(load_npz(run.features2d / f"{row.id}.npz")["features"])
        save_npz(folder / f"{row.id}.npz", features=joints_to_features_3d(person(frames + 1)).numpy())
        run.ledger.put([made])
    run.record_config("pseudo-label", PseudoLabelConfig(max_skate=0.05).model_dump())
    return run
