"""`crossdiff pseudo-label` on runs whose clips cannot be used: what each stage has against them is said."""

from pathlib import Path

import pytest
from command import crossdiff

from crossdiff.pipeline.ledger import Row, VideoRecord
from crossdiff.pipeline.run import Run


@pytest.fixture
def broken(here) -> Run:
    """A run of one clip, whose keypoints are gone."""
    run = Run.create(here / "runs" / "0001")
    run.ledger.put_video(VideoRecord("a", Path("a.mp4"), "", "waving", ()))
    run.ledger.put([Row("track", "a_t0", "done", "k", parent="a")])
    return run


def test_where_all_clips_failed_their_reasons_are_said(broken):
    for command in ("filter", "pseudo-label"):
        crossdiff(command).failed("no clip could be read", "a_t0.npz: no such file", "crossdiff extract-2d", code=1)


def test_failures_of_every_stage_are_said(broken, monkeypatch):
    from crossdiff.pipeline.build import BuildSummary
    from crossdiff.pipeline.filter import FilterSummary
    from crossdiff.pipeline.pseudo_label import PseudoLabelSummary

    made = {
        "filter_clips": FilterSummary(clips=2, failed={"a": "gone"}),
        "build_2d": BuildSummary(clips=2, failed={"b": "no size"}),
        "pseudo_label": PseudoLabelSummary(Path("teacher"), 1, failed={"c": "too long"}),
    }
    for name, result in made.items():
        monkeypatch.setattr(f"crossdiff.pipeline.labelling.{name}", lambda *_, result=result: result)
    said = crossdiff("pseudo-label").failed("a: gone", "b: no size", "c: too long", code=3)
    assert [line.split(":")[0] for line in said.out.splitlines()[-3:]] == ["filter", "build-2d", "pseudo-label"]
