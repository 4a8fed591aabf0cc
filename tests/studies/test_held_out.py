"""The held-out-action study: what it counts as success, and a tiny one from end to end."""

from __future__ import annotations

import json
import shutil

import pytest

from crossdiff.config import load_config
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import InputError
from crossdiff.evaluation.result import Value
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.training import train_evaluator
from crossdiff.files import load_npz, write_text
from crossdiff.studies.held_out.report import outcomes
from crossdiff.studies.held_out.study import HeldOutStudy, observed, run_held_out

SMALL = {"width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1}
SMALL |= {"root_feed_forward": 16, "dropout": 0.0}


def test_the_shipped_study_holds_out_these_families_with_three_seeds():
    study = load_config(HeldOutStudy, "held-out-small")
    assert {f.name for f in study.families} >= {"wave", "raise hands", "walk-turn", "run"}
    assert len(study.seeds) == 3
    assert study.samplings["mixture"].mixture
    assert not study.samplings["standard"].mixture


def scores(r: tuple[float, float, float], fid: tuple[float, float, float], known: tuple[float, float]):
    models = ("before", "after", "full")
    new = {
        f"{m}, standard": {"R-precision top 3": Value.of([a]), "FID": Value.of([b])}
        for m, a, b in zip(models, r, fid, strict=True)
    }
    old = {f"{m}, standard": {"R-precision top 3": Value.of([a])} for m, a in zip(models[:2], known, strict=True)}
    return {"new": new, "known": old}


@pytest.mark.parametrize(
    ("r", "fid", "known", "success"),
    [
        ((0.2, 0.7, 0.8), (10.0, 3.0, 1.0), (0.8, 0.75), True),
        ((0.2, 0.4, 0.8), (10.0, 3.0, 1.0), (0.8, 0.8), False),
        ((0.2, 0.7, 0.8), (10.0, 8.0, 1.0), (0.8, 0.8), False),
        ((0.2, 0.7, 0.8), (10.0, 3.0, 1.0), (0.8, 0.7), False),
    ],
)
def test_success_is_nearer_to_the_upper_bound_with_the_old_actions_kept(r, fid, known, success):
    (verdict,) = outcomes(scores(r, fid, known))
    assert verdict.success is success
    assert ("success" if success else "falls short") in str(verdict)


def test_shares_of_the_way():
    (verdict,) = outcomes(scores((0.2, 0.5, 0.8), (10.0, 2.0, 2.0), (0.8, 0.76)))
    assert verdict.r_precision == pytest.approx(0.5)
    assert verdict.fid == pytest.approx(1.0)
    assert verdict.lost == pytest.approx(0.05)


@pytest.fixture
def data(prepared, tmp_path):
    """Half of the clips of each split are waves."""
    folder = shutil.copytree(prepared, tmp_path / "data")
    for split in ("train", "val", "test"):
        originals = [i for i in MocapDataset(folder, split).ids if not i.startswith("M")]
        for clip in originals[: len(originals) // 2]:
            for name, side in ((clip, "left"), (f"M{clip}", "right")):
                line = f"someone waves the {side} hand {clip}#someone/NOUN wave/VERB hand/NOUN#0.0#0.0\n"
                write_text(folder / "texts" / f"{name}.txt", line)
    return folder


def tiny(**changes) -> HeldOutStudy:
    few = {"batch_size": 2, "validate_every": 0, "warmup_steps": 1}
    protocol = {"replications": 1, "batch_size": 4, "diversity_pairs": 2, "multimodality_replications": 0}
    return HeldOutStudy.model_validate(
        {
            "families": [{"name": "wave", "captions": "wav(e|es)", "sides": True}],
            "train": {**few, "steps": 2, "model": SMALL},
            "filter": {"min_difference": 0, "min_motion": 0, "max_camera_lost": 1},
            "pseudo_label": {"max_reprojection": None},
            "finetune": {**few, "steps": 2},
            "evaluation": {"protocol": protocol},
            "samplings": {"standard": {"steps": 2}, "mixture": {"steps": 2, "mixture": True}},
            "seeds": [0, 1],
            "prompts": ["someone waves"],
            **changes,
        }
    )


def test_a_detector_sees_every_clip_from_a_side_of_its_own(data):
    clips = list(observed(data, tiny(), 0))
    again = list(observed(data, tiny(), 0))
    other = list(observed(data, tiny(), 1))
    assert [c.id for c in clips] == MocapDataset(data).ids
    assert all((a.keypoints.xy == b.keypoints.xy).all() for a, b in zip(clips, again, strict=True))
    assert any(a.keypoints.xy.shape != b.keypoints.xy.shape or (a.keypoints.xy != b.keypoints.xy).any()
               for a, b in zip(clips, other, strict=True))  # fmt: skip


def test_a_tiny_study_writes_its_tables_and_goes_on(data, tmp_path, monkeypatch):
    monkeypatch.setattr("crossdiff.studies.held_out.pictures._FRAMES", 20)
    phases = {name: {"steps": 1, "batch_size": 4} for name in ("movement", "matching")}
    sizes = {"dim": 4, "movement_width": 8, "movement_dim": 8, "motion_width": 8, "text_width": 8}
    cfg = EvaluatorTraining.model_validate({"evaluator": sizes, **phases})
    out, evaluators = tmp_path / "out", tmp_path / "evaluators"
    with pytest.raises(InputError, match="no evaluator"):
        run_held_out(tiny(), data, evaluators, out)
    train_evaluator(cfg, data, evaluators / "t2m-all", "t2m", "all")
    assert run_held_out(tiny(seeds=[0]), data, evaluators, out).seeds == 1
    made = {p: p.stat().st_mtime_ns for p in out.glob("seed-0/*/loss.csv")}
    assert len(made) == 3
    assert run_held_out(tiny(), data, evaluators, out).seeds == 2
    assert all(p.stat().st_mtime_ns == when for p, when in made.items())

    labels = list((out / "seed-0" / "wild" / "pseudo3d").glob("*.npz"))
    known = set((out / "data" / "known" / "train.txt").read_text().split())
    assert labels
    assert not {p.stem.split("_p")[0] for p in labels} & known
    assert load_npz(labels[0])["features"].shape[1] == 263

    text = (out / "held-out.md").read_text()
    for part in (
        "| Real |",
        "| before, standard |",
        "| after, mixture |",
        "Accuracy",
        "of the gap from before to full",
    ):
        assert part in text
    page = (out / "held-out.html").read_text()
    assert "samples/standard/00.mp4" in page
    real = json.loads((out / "held-out.json").read_text())["new"]["Real"]
    assert all(len(value["values"]) == 2 for value in real.values())  # one for each seed
    assert (out / "held-out.png").stat().st_size > 5000
