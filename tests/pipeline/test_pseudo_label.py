"""Pseudo labels: made once per motion, teacher and configuration, each as it would be alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import person, small_model

from crossdiff.checkpoint import save_model, weights_hash
from crossdiff.diffusion.lifting import label
from crossdiff.errors import CheckpointError, InputError, PartialFailure
from crossdiff.files import load_npz, save_npz
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.representation.features2d import joints_to_features
from crossdiff.representation.projection import project_orthographic

LENGTHS = {"a": 20, "b": 24, "c": 9}


def build(run: Run, name: str, frames: int, layout: str = "paper", key: str = "k1") -> None:
    valid = torch.rand(frames + 1, 22, generator=torch.Generator().manual_seed(frames)) < 0.9
    flat = project_orthographic(person(frames + 1, seed=frames), "left")
    features, mask = joints_to_features(flat, layout=layout, valid=valid)
    arrays = {"features": features.numpy(), "mask": mask.numpy(), "fps": np.float64(20), "layout": np.array(layout)}
    save_npz(run.features2d / f"{name}.npz", **arrays)
    run.ledger.put([Row("build", name, "done", key, parent=f"{name}-clip")])


@pytest.fixture
def run(tmp_path) -> Run:
    made = Run.create(tmp_path / "run")
    for name, frames in LENGTHS.items():
        build(made, name, frames)
    return made


@pytest.fixture
def teacher(tmp_path):
    return save_model(small_model(max_frames=24), tmp_path / "teacher")


def labels(run: Run) -> dict[str, np.ndarray]:
    return {p.stem: load_npz(p)["features"] for p in sorted(run.pseudo3d.glob("*.npz"))}


def test_every_motion_gets_the_label_that_it_would_get_alone(run, teacher):
    summary = pseudo_label(run, teacher, PseudoLabelConfig(batch_size=2))
    assert (summary.lifted, summary.unchanged, summary.failed) == (3, 0, {})
    model = small_model(max_frames=24)
    for name, frames in LENGTHS.items():
        stored = load_npz(run.pseudo3d / f"{name}.npz")
        assert stored["features"].shape == (frames, 263)
        assert np.isfinite(stored["features"]).all()
        assert str(stored["teacher"]) == weights_hash(teacher)
        assert float(stored["fps"]) == 20.0
        z = load_npz(run.features2d / f"{name}.npz")
        alone = label(model, [(z["features"], z["mask"])], PseudoLabelConfig())[0].features
        near = np.isclose(stored["features"], alone, atol=1e-3)
        assert near.mean() > 0.99  # contacts may flip at the threshold
        assert run.ledger.get("pseudo", name).state == "done"


def test_what_is_up_to_date_is_left_alone_and_what_changed_is_made_again(run, teacher, tmp_path):
    pseudo_label(run, teacher)
    assert pseudo_label(run, teacher).unchanged == 3
    assert pseudo_label(run, teacher, PseudoLabelConfig(batch_size=1)).unchanged == 3
    build(run, "a", 15, key="k2")
    summary = pseudo_label(run, teacher)
    assert (summary.lifted, summary.unchanged) == (1, 2)
    assert labels(run)["a"].shape == (15, 263)
    (run.pseudo3d / "b.npz").unlink()
    assert pseudo_label(run, teacher).lifted == 1
    assert pseudo_label(run, teacher, PseudoLabelConfig(smooth_sigma=0)).lifted == 3
    other = save_model(small_model(seed=1, max_frames=24), tmp_path / "other")
    assert pseudo_label(run, other).lifted == 3


def test_labels_of_motions_that_are_gone_are_removed(run, teacher):
    pseudo_label(run, teacher)
    run.ledger.drop("build", ["b"])
    pseudo_label(run, teacher)
    assert sorted(labels(run)) == ["a", "c"]
    assert run.ledger.get("pseudo", "b") is None


def test_motions_that_cannot_be_lifted_are_named_and_keep_no_old_label(run, teacher):
    pseudo_label(run, teacher)
    build(run, "a", 25, key="k2")
    build(run, "b", 20, layout="official", key="k2")
    z = load_npz(run.features2d / "c.npz")
    save_npz(run.features2d / "c.npz", **z | {"mask": z["mask"][:, :5]})
    run.ledger.put([Row("build", "c", "done", "k2", parent="c-clip")])
    build(run, "d", 12)
    (run.features2d / "e.npz").write_bytes(b"PK")
    run.ledger.put([Row("build", "e", "done", "k1")])
    summary = pseudo_label(run, teacher)
    assert summary.lifted == 1
    assert list(labels(run)) == ["d"]
    said = {"a": "25 frames, the teacher takes at most 24", "b": "layout official", "c": "mask", "e": "not a readable"}
    assert summary.failed.keys() == said.keys()
    for name, words in said.items():
        assert words in summary.failed[name]
        assert run.ledger.get("pseudo", name).state == "failed"
    with pytest.raises(PartialFailure, match=r"4 motions could not be lifted:\n  a: "):
        summary.raise_failures()


def test_nothing_to_lift_says_why(teacher, tmp_path):
    run = Run.create(tmp_path / "empty")
    with pytest.raises(InputError, match=r"no 2D motion to lift .nothing built yet"):
        pseudo_label(run, teacher)
    run.ledger.put([Row("filter", "x", "filtered", "k", reason="too short", value=3, threshold=40)])
    with pytest.raises(InputError, match="1 too short"):
        pseudo_label(run, teacher)


def test_a_missing_teacher_is_an_error_before_anything_changes(run, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        pseudo_label(run, tmp_path / "nothing")
    assert not run.pseudo3d.exists()


def test_teachers_that_cannot_lift_a_run_are_refused_before_anything_changes(run, tmp_path):
    kit = save_model(small_model(skeleton="kit"), tmp_path / "kit")
    with pytest.raises(InputError, match=r"kit: a teacher for the skeleton kit, .* humanml3d; take a teacher"):
        pseudo_label(run, kit)
    model = small_model()
    dim = model.config.layout("2d").dim
    model.set_statistics("2d", torch.zeros(dim), torch.ones(dim))
    with pytest.raises(CheckpointError, match=r"no statistics of 2d features.*Mean2d\.npy"):
        pseudo_label(run, save_model(model, tmp_path / "bare"))
    with pytest.raises(CheckpointError, match=r"has no 2d half"):
        pseudo_label(run, save_model(small_model(domains="3d"), tmp_path / "solid"))
    assert not run.pseudo3d.exists()
