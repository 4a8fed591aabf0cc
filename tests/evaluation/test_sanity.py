"""Can the numbers be trusted? A learned evaluator on real motion, and motion that was spoilt in known ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from crossdiff.data.mocap import MocapDataset
from crossdiff.evaluation.metrics import frechet_distance, matching_scores
from crossdiff.evaluation.real import RealClips
from crossdiff.evaluators.evaluators import load_evaluator
from crossdiff.representation.features3d import features_to_joints_and_next, joints_to_features_3d
from crossdiff.representation.physics import measure_motion
from crossdiff.skeleton import HUMANML3D

pytestmark = [pytest.mark.shared, pytest.mark.slow]
BATCH = 32


@dataclass
class Scene:
    """All test clips with their first caption, embedded; `batches` share no caption within."""

    motions: list[np.ndarray]
    text: np.ndarray
    embed: Callable[[list[np.ndarray]], np.ndarray]
    batches: list[np.ndarray]

    def __post_init__(self) -> None:
        self.real = self.embed(self.motions)

    def matching(self, motion: np.ndarray, text: np.ndarray | None = None) -> np.ndarray:
        """R-precision top 1 to 3."""
        scores = matching_scores(self.text if text is None else text, motion, self.batches)
        return np.array([scores[f"R-precision top {k}"] for k in (1, 2, 3)])


@pytest.fixture(scope="module")
def scene(real_dataset, learned_evaluators):
    real = RealClips(MocapDataset(real_dataset, "test"), 196)
    evaluator = load_evaluator(learned_evaluators / "t2m-all")
    motions = [real.features(i, *real.span(i, 0)) for i in range(len(real))]
    text = evaluator.embed_text([real.caption(i, 0) for i in range(len(real))])
    batches = [
        batch
        for seed in range(4)
        for batch in real.shared.distinct_batches(np.arange(len(real)), BATCH, np.random.default_rng(seed))
    ]
    return Scene(motions, text, evaluator.embed_motion, batches)


def joints_of(features: np.ndarray) -> torch.Tensor:
    return features_to_joints_and_next(torch.from_numpy(features))


def spoilt(scene: Scene, change: Callable[[torch.Tensor], torch.Tensor]) -> list[np.ndarray]:
    return [joints_to_features_3d(change(joints_of(m))).numpy() for m in scene.motions]


def test_real_motion_matches_its_captions_far_above_chance(scene):
    assert (scene.matching(scene.real) > 4 * np.array([1, 2, 3]) / BATCH).all()


def test_real_against_real_is_near_zero(scene):
    rng = np.random.default_rng(0)
    assert frechet_distance(scene.real, scene.real) == pytest.approx(0, abs=1e-4)
    noise = frechet_distance(
        scene.embed([rng.standard_normal(m.shape).astype("f4") for m in scene.motions]), scene.real
    )
    one, other = scene.real[::2], scene.real[1::2]
    assert frechet_distance(one, other) < 0.05 * noise


def test_a_perfect_copy_scores_as_real(scene):
    copy = scene.embed([m.copy() for m in scene.motions])
    np.testing.assert_allclose(copy, scene.real, atol=1e-5)
    np.testing.assert_array_equal(scene.matching(copy), scene.matching(scene.real))


def test_features_made_anew_score_almost_as_real(scene):
    # What the spoilt motions below go through, without being spoilt.
    same = scene.embed(spoilt(scene, lambda joints: joints))
    assert scene.matching(same)[2] > 0.9 * scene.matching(scene.real)[2]


def chance(values: list[np.ndarray], scene: Scene) -> None:
    """R-precision is k / 32 within four standard errors."""
    count = BATCH * len(scene.batches) * len(values)
    expected = np.array([1, 2, 3]) / BATCH
    error = 4 * np.sqrt(expected * (1 - expected) / count)
    assert (np.abs(np.mean(values, axis=0) - expected) < error).all(), (np.mean(values, axis=0), error)


def test_shuffled_captions_fall_to_chance(scene):
    found = []
    for seed in range(20):
        # Within each batch, so that no caption of another action fits by chance of the frequent ones.
        rng = np.random.default_rng(seed)
        ranks = [
            matching_scores(scene.text[rng.permutation(batch)], scene.real[batch], [np.arange(BATCH)])
            for batch in scene.batches
        ]
        found.append(np.mean([[r[f"R-precision top {k}"] for k in (1, 2, 3)] for r in ranks], axis=0))
    chance(found, scene)


def test_noise_falls_to_chance(scene):
    # All of one length, because the true length alone says something about the action.
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        found.append(scene.matching(scene.embed([rng.standard_normal((100, 263)).astype("f4") for _ in scene.motions])))
    chance(found, scene)


def test_motion_that_runs_backwards_is_punished(scene):
    reversed_ = scene.embed(spoilt(scene, lambda joints: joints.flip(0)))
    same = scene.embed(spoilt(scene, lambda joints: joints))
    assert frechet_distance(reversed_, scene.real) > 2 * frechet_distance(same, scene.real)
    assert scene.matching(reversed_)[0] < scene.matching(same)[0]


def test_swapped_sides_are_punished(scene):
    def swap(joints: torch.Tensor) -> torch.Tensor:
        return joints[:, list(HUMANML3D.mirror)] * torch.tensor([-1.0, 1.0, 1.0])

    assert scene.matching(scene.embed(spoilt(scene, swap)))[0] < 0.8 * scene.matching(scene.real)[0]


def test_feet_that_do_not_hold_the_ground_are_punished(scene):
    def glide(joints: torch.Tensor) -> torch.Tensor:
        drift = torch.arange(len(joints)) / HUMANML3D.fps  # a metre a second to the front, whatever the legs do
        return joints + torch.stack([0 * drift, 0 * drift, drift], dim=-1)[:, None]

    def skating(motions: list[np.ndarray]) -> float:
        return float(np.mean([measure_motion(joints_of(m).numpy(), HUMANML3D).skating_share for m in motions]))

    assert skating(spoilt(scene, glide)) > 3 * skating(scene.motions)
