"""Pseudo labels: made once per motion, teacher and configuration, each as it would be alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from synthetic import person, small_model

from crossdiff.checkpoint import load_model, save_model, weights_hash
from crossdiff.diffusion import lifting
from crossdiff.errors import CheckpointError, InputError, PartialFailure
from crossdiff.files import load_npz, save_npz
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.label_quality import LABEL_MEASURES, LabelQualityConfig, quality
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, PseudoLabelSummary, pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.representation.alignment import aligned
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import measure_motion
from crossdiff.representation.projection import project_orthographic, rotate_y
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion2D

LENGTHS = {"a": 20, "b": 24, "c": 9}


def build(run: Run, name: str, frames: int, layout: str = "paper", key: str = "k1") -> None:
    valid = torch.rand(frames + 1, 22, generator=torch.Generator().manual_seed(frames)) < 0.9
    flat = project_orthographic(person(frames + 1, seed=frames), "left")
    features, mask = joints_to_features_2d(flat, layout=layout, valid=valid)
    arrays = {"features": features.numpy(), "mask": mask.numpy(), "fps": np.float64(20), "layout": np.array(layout)}
    save_npz(run.features2d / f"{name}.npz", **arrays)
    Motion2D(flat.numpy(), valid.numpy() | (np.arange(22) == 0), 20.0).save(run.motion2d / f"{name}.npz")
    run.ledger.put([Row("build", name, "done", key, f"{name}-clip", measures={"frames": frames + 1})])


@pytest.fixture
def run(tmp_path) -> Run:
    made = Run.create(tmp_path / "run")
    for name, frames in LENGTHS.items():
        build(made, name, frames)
    return made


@pytest.fixture
def teacher(tmp_path):
    return save_model(small_model(max_frames=24), tmp_path / "teacher")


def label(run: Run, teacher: Path, **settings: float) -> PseudoLabelSummary:
    """With every limit off, unless it is given: a teacher of random weights makes labels of nothing."""
    return pseudo_label(run, teacher, PseudoLabelConfig(**{"max_reprojection": None} | settings))


def labels(run: Run) -> dict[str, np.ndarray]:
    return {p.stem: load_npz(p)["features"] for p in sorted(run.pseudo3d.glob("*.npz"))}


def test_every_motion_gets_the_label_that_it_would_get_alone(run, teacher):
    summary = label(run, teacher, batch_size=2)
    assert (summary.lifted, summary.unchanged, summary.failed) == (3, 0, {})
    model = small_model(max_frames=24)
    for name, frames in LENGTHS.items():
        stored = load_npz(run.pseudo3d / f"{name}.npz")
        assert stored["features"].shape == (frames, 263)
        assert np.isfinite(stored["features"]).all()
        assert str(stored["teacher"]) == weights_hash(teacher)
        assert float(stored["fps"]) == 20.0
        z = load_npz(run.features2d / f"{name}.npz")
        alone = lifting.label(model, [(z["features"], z["mask"])], PseudoLabelConfig())[0].features
        near = np.isclose(stored["features"], alone, atol=1e-3)
        assert near.mean() > 0.99  # contacts may flip at the threshold
        assert run.ledger.get("pseudo", name).state == "done"


def test_what_is_up_to_date_is_left_alone_and_what_changed_is_made_again(run, teacher, tmp_path):
    label(run, teacher)
    assert label(run, teacher).unchanged == 3
    assert label(run, teacher, batch_size=1).unchanged == 3
    build(run, "a", 15, key="k2")
    summary = label(run, teacher)
    assert (summary.lifted, summary.unchanged) == (1, 2)
    assert labels(run)["a"].shape == (15, 263)
    (run.pseudo3d / "b.npz").unlink()
    assert label(run, teacher).lifted == 1
    assert label(run, teacher, smooth_sigma=0).lifted == 3
    other = save_model(small_model(seed=1, max_frames=24), tmp_path / "other")
    assert label(run, other).lifted == 3


def test_a_label_says_how_good_it_is_and_what_it_was_made_of(run, teacher):
    label(run, teacher)
    for name, frames in LENGTHS.items():
        row, stored = run.ledger.get("pseudo", name), load_npz(run.pseudo3d / f"{name}.npz")
        assert row.measures.keys() == {"yaw", *LABEL_MEASURES} - {
            "disagreement"
        }  # the detector gave no joints in space
        assert {n: float(stored[n]) for n in row.measures} == row.measures
        assert str(stored["key"]) == row.key
        flat = project_orthographic(person(frames + 1, seed=frames), "left")[:frames]
        joints = features_to_joints(torch.from_numpy(stored["features"]))
        valid = torch.from_numpy(Motion2D.load(run.motion2d / f"{name}.npz").valid[:frames])
        assert row.measures["yaw"] == pytest.approx(float(fit_yaw(joints, flat, valid)[0]), abs=1e-3)
        z = load_npz(run.features2d / f"{name}.npz")
        (alone,) = lifting.label(load_model(teacher), [(z["features"], z["mask"])], PseudoLabelConfig())
        _, error = fit_yaw(features_to_joints(torch.from_numpy(alone.raw)), flat, valid)
        assert row.measures["reprojection"] == pytest.approx(float(error), abs=1e-3)
        assert row.measures["jerk"] == pytest.approx(measure_motion(joints.numpy(), HUMANML3D).jerk, abs=1e-4)
        assert row.measures["bone_drift"] > 1  # the raw lifted bones; those of the label are constant
        assert row.measures["quality"] == quality(row.measures, LabelQualityConfig())


def test_joints_that_the_detector_places_in_space_are_fused_and_compared(run, teacher):
    label(run, teacher)
    before, motion = labels(run)["b"], Motion2D.load(run.motion2d / "b.npz")
    solid = rotate_y(person(25, seed=24), 90.0)
    replace(motion, world=(solid - solid[:, :1]).numpy()).save(run.motion2d / "b.npz")
    build_again = replace(run.ledger.get("build", "b"), key="k2")
    run.ledger.put([build_again])
    assert label(run, teacher).lifted == 1
    after, row = labels(run)["b"], run.ledger.get("pseudo", "b")
    # A teacher of random weights lifts nothing; the detector's joints, which are exact here, bring the label nearer.
    off = [
        (aligned(features_to_joints(torch.from_numpy(x)), solid[:24]) - solid[:24]).norm(dim=-1).mean()
        for x in (before, after)
    ]
    assert off[1] < 0.7 * off[0]
    raw = lifting.label(load_model(teacher), [lifting.FlatClip(*flat_clip(run, "b"))], PseudoLabelConfig())[0].raw
    apart = (aligned(features_to_joints(torch.from_numpy(raw)), solid[:24]) - solid[:24]).norm(dim=-1).mean()
    assert row.measures["disagreement"] == pytest.approx(1000 * float(apart), rel=1e-3)
    assert label(run, teacher, max_disagreement=1.0).filtered == {"unlike the detector's own 3D": 1}
    assert label(run, teacher, fuse=False).lifted == 3
    np.testing.assert_allclose(labels(run)["b"], before, atol=1e-5)


def flat_clip(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    z = load_npz(run.features2d / f"{name}.npz")
    return z["features"], z["mask"]


def test_a_label_beyond_a_limit_is_filtered_and_another_limit_lifts_nothing(run, teacher, monkeypatch):
    label(run, teacher)
    before, errors = labels(run), {r.id: r.measures["reprojection"] for r in run.ledger.rows("pseudo")}
    worst = max(errors, key=errors.get)
    limit = (sorted(errors.values())[-2] + errors[worst]) / 2
    monkeypatch.setattr("crossdiff.pipeline.pseudo_label.label", None)
    limits = {"max_reprojection": limit}
    summary = label(run, teacher, **limits)
    assert (summary.lifted, summary.unchanged) == (0, 3)
    assert run.recorded("pseudo-label", PseudoLabelConfig).max_reprojection == limit
    assert "0 motions lifted to 3D, 3 unchanged, 1 filtered (1 does not fit its 2D motion), 0 failed" in str(summary)
    row = run.ledger.get("pseudo", worst)
    assert (row.state, row.reason) == ("filtered", "does not fit its 2D motion")
    assert (row.value, row.threshold) == (errors[worst], limit)
    assert labels(run).keys() == before.keys() - {worst}
    assert label(run, teacher, **limits).filtered.total() == 1
    assert label(run, teacher, min_quality=1).filtered == {"quality too low": 3}
    assert not labels(run)
    # As it was, the labels are the same, and where they were.
    assert not label(run, teacher).filtered
    assert all(np.array_equal(after, before[name]) for name, after in labels(run).items())
    assert not list(run.pseudo3d_filtered.glob("*.npz"))


def test_recorded_settings_that_cannot_be_read_are_named_in_the_log(tmp_path, caplog):
    run = Run.create(tmp_path / "run")
    assert run.recorded("filter", FilterConfig) == FilterConfig()
    assert not caplog.records  # it has not run yet
    run.record_config("filter", {"min_score": 0.3, "min_weight": 2})
    assert run.recorded("filter", FilterConfig) == FilterConfig()
    assert "the settings of filter cannot be read (min_weight: Extra inputs" in caplog.text
    run.config.write_text('{"filter": 3}')
    assert run.recorded("filter", FilterConfig) == FilterConfig()
    assert "they are damaged" in caplog.text


def test_a_teacher_that_knows_nothing_makes_no_label_within_the_default_limits(run, teacher):
    summary = pseudo_label(run, teacher)
    assert summary.filtered == {"does not fit its 2D motion": 3}
    assert "3 motions lifted to 3D, 0 unchanged, 3 filtered (3 does not fit its 2D motion)" in str(summary)
    assert not labels(run)


def test_other_scales_change_the_quality_alone(run, teacher, monkeypatch):
    label(run, teacher)
    before = {r.id: r.measures for r in run.ledger.rows("pseudo")}
    monkeypatch.setattr("crossdiff.pipeline.pseudo_label.label", None)
    assert label(run, teacher, scale_jerk=1e6).unchanged == 3
    for row in run.ledger.rows("pseudo"):
        assert row.measures["quality"] >= before[row.id]["quality"]
        assert row.measures == before[row.id] | {"quality": quality(row.measures, LabelQualityConfig(scale_jerk=1e6))}
        assert float(load_npz(run.pseudo3d / f"{row.id}.npz")["quality"]) == row.measures["quality"]


def test_a_filtered_label_that_is_gone_or_damaged_is_lifted_again(run, teacher):
    limits = {"min_quality": 1}
    label(run, teacher, **limits)
    (run.pseudo3d_filtered / "a.npz").unlink()
    (run.pseudo3d_filtered / "b.npz").write_bytes(b"PK")
    summary = label(run, teacher)
    assert (summary.lifted, summary.unchanged) == (2, 1)
    assert sorted(labels(run)) == ["a", "b", "c"]
    run.ledger.drop("build", ["b"])
    label(run, teacher, **limits)
    assert sorted(p.stem for p in run.pseudo3d_filtered.glob("*.npz")) == ["a", "c"]


def test_a_motion_that_its_label_cannot_be_compared_with_fails(run, teacher):
    motion = Motion2D.load(run.motion2d / "a.npz")
    replace(motion, valid=motion.valid & (np.arange(22) == 0)).save(run.motion2d / "a.npz")
    Motion2D(motion.joints[:9], motion.valid[:9], motion.fps).save(run.motion2d / "b.npz")
    build(run, "d", 3)
    summary = label(run, teacher)
    said = {"a": "another joint seen", "b": "expected 24 frames or more", "d": "4 frames or more"}
    assert summary.failed.keys() == said.keys()
    assert all(words in summary.failed[name] for name, words in said.items())
    assert sorted(labels(run)) == ["c"]


def test_quality_is_one_for_a_perfect_label_and_falls_with_each_measure():
    perfect = dict.fromkeys(LABEL_MEASURES.keys() - {"quality"}, 0.0)
    cfg = LabelQualityConfig()
    assert quality(perfect, cfg) == 1
    for name in perfect:
        assert quality(perfect | {name: getattr(cfg, f"scale_{name}")}, cfg) == round(math.exp(-1), 4)


def test_labels_of_motions_that_are_gone_are_removed(run, teacher):
    label(run, teacher)
    run.ledger.drop("build", ["b"])
    label(run, teacher)
    assert sorted(labels(run)) == ["a", "c"]
    assert run.ledger.get("pseudo", "b") is None


def test_no_more_clips_are_read_than_are_lifted_together(run, teacher, monkeypatch):
    lengths = []

    def lift(model, clips, cfg):
        lengths.append([len(clip.features) for clip in clips])
        (run.features2d / "b.npz").unlink()
        return lifting.label(model, clips, cfg)

    monkeypatch.setattr("crossdiff.pipeline.pseudo_label.label", lift)
    assert list(label(run, teacher, batch_size=2).failed) == ["b"]
    assert lengths == [[LENGTHS["c"], LENGTHS["a"]]] and sorted(labels(run)) == ["a", "c"]


def test_a_label_of_settings_that_were_given_up_does_not_pass_for_another(run, teacher, monkeypatch):
    label(run, teacher, batch_size=1)
    before = labels(run)

    def killed(path, **arrays):
        save_npz(path, **arrays)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("crossdiff.pipeline.pseudo_label.save_npz", killed)
        label(run, teacher, smooth_sigma=0)
    assert not np.array_equal(labels(run)["c"], before["c"])
    (run.pseudo3d / ".c.1.tmp.npz").write_bytes(b"PK")
    label(run, teacher, batch_size=1)
    after = labels(run)
    assert after.keys() == before.keys() and all(np.array_equal(after[name], before[name]) for name in before)


def test_labels_of_motions_that_are_gone_go_before_their_rows(run, teacher, monkeypatch):
    label(run, teacher)
    run.ledger.drop("build", ["b"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "drop_labels", Mock(side_effect=KeyboardInterrupt))
        label(run, teacher)
    label(run, teacher)
    assert sorted(labels(run)) == ["a", "c"]


def test_motions_that_cannot_be_lifted_are_named_and_keep_no_old_label(run, teacher):
    label(run, teacher)
    build(run, "a", 25, key="k2")
    build(run, "b", 20, layout="official", key="k2")
    z = load_npz(run.features2d / "c.npz")
    save_npz(run.features2d / "c.npz", **z | {"mask": z["mask"][:, :5]})
    run.ledger.put([Row("build", "c", "done", "k2", "c-clip", measures={"frames": 10})])
    build(run, "d", 12)
    (run.features2d / "e.npz").write_bytes(b"PK")
    run.ledger.put([Row("build", "e", "done", "k1", measures={"frames": 9})])
    summary = label(run, teacher)
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
    with pytest.raises(InputError, match=r"\(1 too short\).* loosen limits with `crossdiff filter"):
        label(run, teacher)
    run.ledger.put([Row("filter", "x", "failed", "k", reason="x.npz: no such file")])
    with pytest.raises(InputError, match=r"\(1 failed\); see `crossdiff status .* --stage filter`, then fix"):
        label(run, teacher)


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
    with pytest.raises(CheckpointError, match=r"lacks the statistics of 2d features.*Mean2d\.npy"):
        pseudo_label(run, save_model(model, tmp_path / "bare"))
    with pytest.raises(CheckpointError, match=r"has no 2d half"):
        pseudo_label(run, save_model(small_model(domains="3d"), tmp_path / "solid"))
    assert not run.pseudo3d.exists()
