"""Accuracy of lifting: metrics on cases made by hand, baselines, the study, its report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person, small_model
from torch.testing import assert_close

from crossdiff.checkpoint import save_model
from crossdiff.config import load_config
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError, InputError
from crossdiff.representation.alignment import aligned
from crossdiff.representation.features3d import canonicalise, features_to_joints, joints_to_features_3d
from crossdiff.representation.projection import VIEW_YAW, project_orthographic, rotate_y
from crossdiff.studies.detector import DetectorNoise
from crossdiff.studies.lift import accuracy
from crossdiff.studies.lift.accuracy import (
    CONDITIONS,
    LIFTED,
    MEAN,
    NEAREST,
    LiftStudyConfig,
    observe_all,
    total_errors,
)
from crossdiff.studies.lift.metrics import METRICS, Estimate, Totals, errors
from crossdiff.studies.lift.nearest_pose import NearestPose, local_poses, training_poses
from crossdiff.studies.lift.report import write_lift_report
from crossdiff.studies.lift.result import LiftResult

MOTION = person(60)
EXACT = DetectorNoise(strength=0)


def mean_errors(predicted: torch.Tensor, true: torch.Tensor) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in errors(predicted, true).items()}


# --- metrics ---


@given(yaw=st.floats(0, 360), x=st.floats(-5, 5), z=st.floats(-5, 5))
def test_place_and_heading_do_not_matter(yaw, x, z):
    moved = rotate_y(MOTION, yaw) + torch.tensor([x, 0.0, z])
    found = mean_errors(moved, MOTION)
    assert found.keys() == METRICS.keys()
    assert all(value < 0.1 for value in found.values()), found


def test_alignment_undoes_rotation_scale_and_shift_but_no_reflection():
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, 0.5, -1.0], [-0.5, 0.0, 0.7], [1.0, -0.7, 0.0]]).double())
    true = MOTION.double()
    assert_close(aligned(1.7 * true @ turn + 3.0, true), true)
    mirrored = true * torch.tensor([-1.0, 1.0, 1.0])
    assert (aligned(mirrored, true) - true).norm(dim=-1).mean() > 0.02
    assert (aligned(true + 0.1 * torch.randn_like(true), true) - true).norm(dim=-1).mean() > 0.03


def test_errors_of_a_known_size():
    moved = MOTION.clone()
    moved[:, 1:] += torch.tensor([0.0, 0.03, 0.0])
    found = mean_errors(moved, MOTION)
    assert found["mpjpe"] == pytest.approx(30, abs=0.1)
    assert found["mpjpe_own_heading"] == pytest.approx(30, abs=0.1)
    assert found["acceleration"] == pytest.approx(0, abs=1e-3)
    assert found["path"] == pytest.approx(0, abs=1e-5)
    drifting = MOTION + torch.linspace(0, 1, 60)[:, None, None] * torch.tensor([1.0, 0.0, 0.0])
    found = mean_errors(drifting, MOTION)
    assert found["path"] == pytest.approx(0.5)
    assert found["mpjpe"] == pytest.approx(0, abs=1e-3)


def test_heading_that_drifts_counts_where_the_first_frame_gives_it():
    turned = rotate_y(MOTION, torch.linspace(0, 90, 60)[:, None])
    found = mean_errors(turned, MOTION)
    assert found["mpjpe"] > 50
    assert found["mpjpe_own_heading"] == pytest.approx(0, abs=0.1)
    assert found["pa_mpjpe"] == pytest.approx(0, abs=0.1)


def test_acceleration_is_in_metres_per_second_squared():
    still = person(1).expand(50, -1, -1)
    seconds = (torch.arange(50) / 20)[:, None]
    steady, faster = still.clone(), still.clone()
    steady[:, 20] += seconds * torch.tensor([0.0, 0.3, 0.0])
    faster[:, 20] += seconds**2 * torch.tensor([0.0, 0.5 * 2.1, 0.0])
    assert mean_errors(steady, still)["acceleration"] == pytest.approx(0, abs=1e-3)
    assert mean_errors(faster, still)["acceleration"] == pytest.approx(2.1 / 21, rel=1e-2)


def test_intervals_are_of_clips_and_differences_of_pairs():
    rng = np.random.default_rng(0)
    level = rng.normal(50, 10, size=40)
    one, other = (Totals(100 * (level + shift), np.full(40, 100.0)) for shift in (0, 2))
    value = Estimate.of(one, 2000, 0)
    assert value.mean == pytest.approx(level.mean())
    assert value.half == pytest.approx(1.96 * level.std() / np.sqrt(40), rel=0.15)
    assert Estimate.of(one, 2000, 0) == value
    beside = Estimate.of(other, 2000, 0, one)
    assert (beside.mean, beside.median, beside.low, beside.high) == pytest.approx((2, 2, 2, 2))
    assert value.median == pytest.approx(np.median(level))


def test_lost_clips_count_for_nothing():
    totals = Totals(np.array([30.0, 0.0]), np.array([3.0, 0.0]))
    assert Estimate.of(totals, 100, 0) == Estimate(mean=10, median=10, low=10, high=10)


# --- baselines ---


def test_the_nearest_pose_finds_a_training_pose_again():
    poses = local_poses(joints_to_features_3d(person(200, swing=0.6)), small_model().skeleton)[::20]
    nearest = NearestPose(poses, yaws=8)
    for number, yaw in ((0, 45.0), (4, 180.0), (7, 315.0)):
        flat = project_orthographic(poses[number] + torch.tensor([0.4, 0.9, 0.0]), yaw)[None]
        for hidden in ([], [20, 21, 7]):
            valid = torch.ones(1, 22, dtype=torch.bool)
            valid[:, hidden] = False
            shown = flat.clone()
            shown[:, hidden] = 9.0
            found = nearest.lift(shown, valid)
            root = torch.nn.functional.pad(flat[0, :1], (0, 1))
            assert_close(found[0], rotate_y(poses[number], yaw) + root, atol=1e-5, rtol=0)


def test_training_poses_are_spread_and_bounded(prepared):
    dataset = MocapDataset(prepared, "train")
    poses = training_poses(dataset, 30)
    assert 20 <= len(poses) <= 30
    assert_close(poses[:, 0], torch.zeros(len(poses), 3))
    every = training_poses(dataset, 10**6)
    assert len(every) == dataset.lengths.sum()
    step = -(-len(every) // 30)
    assert_close(poses, every[::step])


# --- the study ---


@pytest.fixture
def model(tmp_path):
    return save_model(small_model(max_frames=196), tmp_path / "model")


def config(**changes) -> LiftStudyConfig:
    few = {"split": "train", "bootstrap": 20, "nearest": {"poses": 50, "yaws": 4}, "examples": 2}
    return LiftStudyConfig.model_validate(few | changes)


def test_true_joints_score_zero_through_the_whole_path(prepared):
    dataset, cfg = MocapDataset(prepared, "train"), config()
    clips = accuracy.choose(dataset, cfg)
    assert [dataset.ids[n] for n in clips] == [i for i in dataset.ids if not i.startswith("M")]
    seen = observe_all(dataset, clips, True, EXACT, cfg)
    assert (seen.seen, seen.lost) == (len(clips) * len(VIEW_YAW), 0)
    yaws = torch.tensor(list(VIEW_YAW.values()))[:, None, None]
    predicted = []
    for piece in seen.pieces:
        # The input is the truth from one of the sides, but for smoothing and the measure of the body's size.
        flat = project_orthographic(canonicalise(piece.true), yaws)
        off = (flat - flat[:, :1, :1]) - torch.from_numpy(piece.motion.joints[:-1])
        assert off.norm(dim=-1).flatten(1).median(1).values.min() < 0.04
        predicted.append(features_to_joints(joints_to_features_3d(rotate_y(piece.true, 77.0), parity=False)))
    exact = total_errors(seen.pieces, [rotate_y(p.true, 77.0) + 1.0 for p in seen.pieces], len(clips))
    assert all((t.sums / t.counts < 1e-3).all() for t in exact.values())
    # Features and back again, but for the last frame, which features do not hold.
    frames = [replace(p, true=p.true[:-1]) for p in seen.pieces]
    again = total_errors(frames, predicted, len(clips))
    assert all((t.sums / t.counts < 0.05).all() for t in again.values())


def test_a_clip_that_is_seen_late_is_compared_with_its_own_frames(prepared, monkeypatch):
    dataset, cfg = MocapDataset(prepared, "train"), config(motion={"min_frames": 10})
    observe = accuracy.observe

    def late(*args):
        keypoints = observe(*args)
        keypoints.score[:8, 0] = 0  # no pelvis in the first frames
        keypoints.score[25:37, 0] = 0
        return keypoints

    monkeypatch.setattr(accuracy, "observe", late)
    longest = int(dataset.lengths.argmax())
    seen = observe_all(dataset, [longest], True, EXACT, cfg)
    assert len(seen.pieces) == 2 * len(VIEW_YAW)
    joints = torch.from_numpy(dataset.packed.joints(longest, 0, int(dataset.lengths[longest]) + 1))
    starts = {n for p in seen.pieces for n in range(len(joints)) if torch.equal(joints[n], p.true[0])}
    assert starts == {8, 37}
    assert all(len(p.true) == len(p.motion.joints) - 1 for p in seen.pieces)


def test_what_is_lost_is_counted(prepared):
    dataset = MocapDataset(prepared, "train")
    seen = observe_all(dataset, range(len(dataset)), False, EXACT, config(motion={"min_frames": 55}))
    assert 0 < seen.lost == (dataset.lengths < 54).sum() < seen.seen == len(dataset)
    assert seen.frames == dataset.lengths.sum()


def test_a_study_is_written_and_read_again(prepared, model, tmp_path):
    cfg = config(variants={"without imputation": {"impute": False}}, clips=2)
    result, examples = accuracy.study_lifting(cfg, model, prepared)
    assert len(examples) == 2
    out = tmp_path / "out"
    write_lift_report(result, examples, out)
    assert LiftResult.load(out) == result
    assert {p.name for p in out.iterdir()} == {
        "result.json", "report.md", "report.html", "accuracy.png", "examples.png", "examples.mp4"
    }  # fmt: skip
    assert result.row(CONDITIONS[0], LIFTED).seen == 8
    for condition in CONDITIONS:
        for method in (LIFTED, NEAREST, MEAN):
            row = result.row(condition, method)
            assert row.values.keys() == METRICS.keys()
            assert all(v.low <= v.mean <= v.high for v in row.values.values())
    text = (out / "report.md").read_text()
    for word in ("accuracy.png", "| lifted |", "| nearest training pose |", "| no toes |", "| without imputation |"):
        assert word in text
    assert "examples.png" in (out / "report.html").read_text()
    again, _ = accuracy.study_lifting(cfg, model, prepared)
    assert again.rows == result.rows


def test_without_examples_there_are_no_pictures_of_them(prepared, model, tmp_path):
    result, examples = accuracy.study_lifting(config(examples=0, clips=1), model, prepared)
    write_lift_report(result, examples, tmp_path / "out")
    assert not (tmp_path / "out" / "examples.png").exists()
    text = (tmp_path / "out" / "report.md").read_text()
    assert "examples.png" not in text and "accuracy.png" in text


def test_mistakes_are_explained(prepared, model, tmp_path):
    short = save_model(small_model(), tmp_path / "short")
    with pytest.raises(ConfigError, match=r"takes motions of at most 25 frames; set motion\.max_frames=25"):
        accuracy.study_lifting(config(), short, prepared)
    with pytest.raises(InputError, match="a teacher for the skeleton kit"):
        accuracy.study_lifting(config(), save_model(small_model(skeleton="kit"), tmp_path / "kit"), prepared)
    with pytest.raises(InputError, match=r"nothing of 8 views passed.*lower motion\.min_frames"):
        accuracy.study_lifting(config(clips=2, motion={"min_frames": 100}), model, prepared)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="not a result of `crossdiff evaluate-lift`"):
        LiftResult.load(tmp_path)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("variants={lifted: {mirror: false}}", "choose another"),
        ("variants={other: {mirrors: false}}", "mirrors"),
        ("motion.fps=25", "expected 20"),
        ("clips=0", "greater than"),
    ],
)
def test_settings_that_cannot_be(setting, words):
    with pytest.raises(ConfigError, match=words):
        load_config(LiftStudyConfig, "evaluate-lift", [setting])


def test_the_shipped_configuration_names_its_variants():
    cfg = load_config(LiftStudyConfig, "evaluate-lift")
    assert not cfg.ways["without mirror averaging"].mirror
    assert cfg.ways["without smoothing"].smooth_sigma == 0
