"""A detector's faults on known motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person

from crossdiff.config import load_config
from crossdiff.errors import ConfigError
from crossdiff.pipeline.motion2d.motion import MotionConfig, to_motions
from crossdiff.representation.projection import project_orthographic
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.detector import DetectorNoise, faults, observe
from crossdiff.studies.lift.config import LiftStudyConfig
from crossdiff.types import Keypoints2D

FRAMES = 120
JOINTS = person(FRAMES).numpy()
NOISE = DetectorNoise()
TOES = [HUMANML3D.index("l_foot"), HUMANML3D.index("r_foot")]
TRUNK = [HUMANML3D.index(n) for n in ("pelvis", "spine1", "l_hip", "neck")]
LIMBS = [HUMANML3D.index(n) for n in ("l_wrist", "r_wrist", "l_ankle", "r_ankle")]


def seen(noise: DetectorNoise, seed: int = 0, yaw: float = 30.0, joints: np.ndarray = JOINTS) -> Keypoints2D:
    return observe(joints, yaw, noise, np.random.default_rng(seed))


def off(noise: DetectorNoise, seed: int = 0) -> np.ndarray:
    """How far keypoints are from where they would be without faults, in metres; a shift of the picture is left out."""
    noisy, clean = seen(noise, seed), seen(noise.model_copy(update={"strength": 0.0}), seed)
    scale = np.ptp(clean.xy[..., 1]) / np.ptp(JOINTS[..., 1])
    return (noisy.xy - noisy.xy[:1, :1] - clean.xy + clean.xy[:1, :1]) / scale


@given(yaw=st.floats(0, 360), seed=st.integers(0, 2**32 - 1), height=st.floats(50, 1000))
def test_strength_zero_is_the_projection_in_pixels(yaw, seed, height):
    noise = DetectorNoise(strength=0, height=(height, height))
    keypoints = observe(JOINTS, yaw, noise, np.random.default_rng(seed))
    flat = project_orthographic(torch.from_numpy(JOINTS).double(), yaw).numpy() * (1, -1) * height / 1.70
    shown = keypoints.xy - keypoints.xy[0, 0]
    np.testing.assert_allclose(shown, flat - flat[0, 0], atol=1e-3 * height / 100)
    assert (keypoints.score > 0.5).all() and keypoints.camera_known.all()
    np.testing.assert_array_equal(keypoints.camera, np.tile(np.eye(2, 3), (FRAMES, 1, 1)))


@given(seed=st.integers(0, 2**32 - 1), strength=st.floats(0, 2))
def test_all_lies_in_the_picture_and_one_seed_gives_one_result(seed, strength):
    a, b = (seen(DetectorNoise(strength=strength), seed) for _ in range(2))
    for name in ("xy", "score", "camera", "camera_known"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.xy >= 0).all() and (a.xy <= np.array(a.size)).all()
    assert np.isfinite(a.camera).all() and set(np.unique(a.score)) <= {np.float32(s) for s in (0, 0.05, 0.9)}


def test_other_seeds_give_other_keypoints():
    assert not np.array_equal(seen(NOISE, 1).xy, seen(NOISE, 2).xy)


def test_jitter_is_of_the_size_that_it_says_and_larger_at_the_ends():
    noise = faults(NOISE.model_copy(update={"height": (170.0, 170.0), "bursts": 0.0}))["jitter"]
    away = np.concatenate([off(noise, seed) for seed in range(20)]).reshape(20, FRAMES, 22, 2)
    away -= away.mean((1, 2), keepdims=True)  # the error of the joint that the picture was laid on
    # 1 pixel is 1 cm here; 0.3 %, 2 % and 1.2 % of 1.70 m.
    expected = np.sqrt((0.01 + 0.003 * 1.70) ** 2 + (0.02 * 1.70) ** 2 + (0.012 * 1.70) ** 2)
    assert away[:, :, HUMANML3D.index("spine1")].std() == pytest.approx(expected, rel=0.2)
    assert away[:, :, LIMBS[:2]].std() == pytest.approx(2 * expected, rel=0.2)


def test_errors_are_as_large_as_those_measured_of_a_detector():
    sizes = []
    for seed in range(60):
        noise = NOISE.model_copy(update={"height": (400.0, 400.0), "swaps": 0.0, "camera_moves": 0.0})
        away, score = off(noise, seed), seen(noise, seed).score
        away = (away - np.median(away, axis=(0, 1)))[score > 0.3]
        sizes.append(np.linalg.norm(away, axis=-1) / (1.06 * 1.70))
    median, high = np.quantile(np.concatenate(sizes), [0.5, 0.9])
    assert 0.025 < median < 0.045 and 0.065 < high < 0.12
    assert DetectorNoise.model_validate("mild").bias == 0 and DetectorNoise.model_validate("measured") == NOISE
    with pytest.raises(ConfigError, match="measured, mild"):
        load_config(LiftStudyConfig, None, ["noise=wild"])


def test_small_figures_are_seen_worse():
    alone = {"bias": 0.0, "drift": 0.0}
    sizes = [faults(NOISE.model_copy(update={"height": (h, h)} | alone))["jitter"] for h in (80.0, 800.0)]
    small, large = (np.abs(off(noise)).mean() for noise in sizes)
    assert small > 1.5 * large


def test_lost_joints_come_and_go_and_are_rarely_of_the_trunk():
    noise = faults(DetectorNoise(drops=0.5))["lost joints"]
    keypoints = [seen(noise, seed) for seed in range(20)]
    lost = np.concatenate([k.score < 0.3 for k in keypoints])
    # About half a start a second, for 0.4 seconds each.
    assert lost[:, LIMBS].mean() == pytest.approx(0.5 * 0.4, rel=0.3)
    assert 0 < lost[:, TRUNK].mean() < 0.5 * lost[:, LIMBS].mean()
    np.testing.assert_allclose(off(noise)[keypoints[0].score > 0.5], 0, atol=1e-5)


def test_swapped_limbs_are_those_of_the_other_side():
    noise = faults(DetectorNoise(swaps=1.0))["left and right swapped"]
    keypoints, clean = seen(noise, 3), seen(noise.model_copy(update={"strength": 0.0}), 3)
    moved = np.abs(keypoints.xy - clean.xy).max(-1) > 1e-3
    assert 0.02 < moved[:, LIMBS].mean() < 0.6
    assert not moved[:, TRUNK].any()
    at = np.argwhere(moved)
    np.testing.assert_array_equal(keypoints.xy[tuple(at.T)], clean.xy[at[:, 0], np.array(HUMANML3D.mirror)[at[:, 1]]])


def test_a_detector_without_toes_sees_all_else():
    keypoints = seen(faults(NOISE)["no toes"])
    assert (keypoints.score[:, TOES] == 0).all()
    assert (np.delete(keypoints.score, TOES, axis=1) > 0.5).all()


def test_a_moving_camera_shifts_all_joints_and_is_nearly_known():
    noise = faults(NOISE)["moving camera, known"]
    away = off(noise, 5)
    np.testing.assert_allclose(away, np.broadcast_to(away[:, :1], away.shape), atol=1e-4)
    reach = np.linalg.norm(away[:, 0], axis=-1)
    assert 0.05 < reach.max() <= 0.5 * 1.70 + 1e-3
    assert np.abs(np.diff(away[:, 0], n=2, axis=0)).max() < 0.02  # a pan, not a shake
    exact = noise.model_copy(update={"camera_error": 0.0})
    moved, clean = seen(exact, 5), seen(exact.model_copy(update={"strength": 0.0}), 5)
    still = moved.xy + moved.camera[:, None, :, 2]
    np.testing.assert_allclose(still - still[0, 0], clean.xy - clean.xy[0, 0], atol=0.01)
    assert np.abs(seen(noise, 5).camera - moved.camera).max() > 0


def test_where_the_camera_is_lost_the_motion_rests():
    keypoints = seen(faults(NOISE)["moving camera, unknown"])
    assert not keypoints.camera_known[1:].any()
    (motion,) = to_motions(keypoints, MotionConfig())
    assert motion.camera == "unknown"
    np.testing.assert_array_equal(motion.joints[:, 0], 0)


def test_only_some_clips_have_what_only_some_have():
    keypoints = [seen(NOISE, seed) for seed in range(100)]
    toeless = np.mean([(k.score[:, TOES] == 0).all() for k in keypoints])
    moving = np.mean([not k.camera_known.all() or np.ptp(k.camera[:, 0, 2]) > 0 for k in keypoints])
    assert 0.15 < toeless < 0.45 and 0.15 < moving < 0.45


def test_a_range_that_falls_is_refused():
    from crossdiff.config import load_config

    with pytest.raises(ConfigError, match="two increasing numbers"):
        load_config(DetectorNoise, None, ["height=[200, 100]"])
