"""`evaluate-lift` as it is typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command import crossdiff

from crossdiff.pipeline.extract import extract_2d
from crossdiff.studies.film import study
from crossdiff.studies.film.result import FilmResult
from crossdiff.studies.lift.result import LiftResult

sys.path.append(str(Path(__file__).parents[1] / "studies"))  # a made-up film, and a pose backend that sees it

from film_folder import FilmedBackend, write_film

FEW = ["split=train", "clips=1", "bootstrap=20", "examples=0", "nearest.poses=20", "variants={}"]


def test_a_model_is_evaluated(here, prepared):
    words = [word for value in FEW for word in ("--set", value)]
    said = crossdiff("evaluate-lift", "--data", prepared, *words).ok()
    for word in ("the shipped model", "| lifted |", "| mean pose |", "evaluations/tiny-lift: result.json", "1 clips"):
        assert word.replace("1 clips", "1 clip") in said.out
    result = LiftResult.load(here / "evaluations" / "tiny-lift")
    assert (result.model.name, result.dataset.split) == ("tiny", "train")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "nowhere"], "crossdiff prepare"),
        (["nothing", "--data", "nowhere"], "no checkpoint there"),
        (["--set", "noise.strenght=2"], "noise.strength"),
        (["--device", "gpu"], "device"),
    ],
)
def test_mistakes_of_a_lifting_study_are_explained(words, message, here):
    crossdiff("evaluate-lift", *words).failed(message)


@pytest.fixture
def seen(monkeypatch):
    """Videos are seen by the made-up backend, in this process."""
    backend = FilmedBackend()

    def see(selection, run, _, cfg, settings, engine):
        return extract_2d(selection, run, backend, cfg=cfg)

    monkeypatch.setattr(study, "create_backend", lambda name, settings: backend)
    monkeypatch.setattr(study, "extract_2d", see)


LIMITS = ("min_height=5", "min_motion=0", "min_difference=0", "max_edge=1", "min_whole=0", "max_camera_lost=1")
LOOSE = [word for limit in LIMITS for word in ("--set", f"filter.{limit}")]


def test_labels_of_film_are_measured(here, seen):
    write_film(here / "film")
    said = crossdiff("evaluate-lift", "--film", "film", *LOOSE).ok()
    for word in ("the shipped model", "extract-2d: 2 videos", "limits all but off: pseudo-label: ", "| mean of both |"):
        assert word in said.out
    assert "evaluations/tiny-film: result.json, report.md, report.html and the run run/; 2 videos" in said.out
    result = FilmResult.load(here / "evaluations" / "tiny-film")
    assert [(s.name, s.overall.labelled) for s in result.settings] == [("main", 2), ("limits all but off", 2)]
    assert (here / "evaluations" / "tiny-film" / "run" / "ledger.sqlite").is_file()


def test_inputs_that_fail_are_listed_after_the_report(here, seen):
    write_film(here / "film")
    (here / "film" / "videos" / "walk1.mp4").write_bytes(b"no video")
    said = crossdiff("evaluate-lift", "--film", "film", "--out", "out", *LOOSE, "--set", "variants={}")
    said.failed("extract-2d: 1 of 2 videos", "walk1", code=3)
    assert "Inputs that failed" in (here / "out" / "report.md").read_text()
    (main,) = FilmResult.load(here / "out").settings
    assert [video.labels for video in main.videos] == [1, 0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--film", "nowhere"], "nowhere: no folder of film with measured 3D, as it lacks truth.npz"),
        (["--film", "film", "--set", "filter.min_frame=2"], "filter.min_frames"),
        (["--film", "film", "--set", "clips=2"], "unknown key 'clips'"),
        (["--film", "film", "--config", "evaluate-lift"], "evaluate-lift: "),
    ],
)
def test_mistakes_of_a_film_study_are_explained(words, message, here):
    crossdiff("evaluate-lift", *words).failed(message)
    assert not (here / "evaluations").exists()
