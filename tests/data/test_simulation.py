"""Simulated film of 3D motion."""

from __future__ import annotations

import pytest
import torch
from synthetic import person
from torch import Generator
from torch.testing import assert_close

from crossdiff.data.mocap import MocapDataset
from crossdiff.data.simulation.bodies import bend, mix_halves, reshape_body, turn_over
from crossdiff.data.simulation.cameras import BODY_WAY, film, longest_way, perspective
from crossdiff.data.simulation.config import FilmConfig
from crossdiff.data.simulation.detections import detect
from crossdiff.data.simulation.filmed import FilmedClips
from crossdiff.data.simulation.noise import autoregressive, smooth_signal, stretches
from crossdiff.pipeline.motion2d.motion import BODY_LENGTH
from crossdiff.representation.features2d import features_to_joints as flat_joints
from crossdiff.representation.features3d import bone_lengths, features_to_joints
from crossdiff.skeleton import HUMANML3D

JOINTS = torch.stack([person(50, seed=seed) for seed in range(4)])
ALL, NONE = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)
J = HUMANML3D.index


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_noise_has_unit_variance_and_the_correlation_that_is_asked_for():
    noise = autoregressive((400, 60, 3), 5.0, rng())
    assert noise.std().item() == pytest.approx(1, abs=0.03)
    assert (noise[:, 5:] * noise[:, :-5]).mean().item() == pytest.approx(torch.exp(torch.tensor(-1.0)).item(), abs=0.03)
    assert smooth_signal(400, 60, 3, 4.0, rng())[:, 20:40].std().item() == pytest.approx(1, abs=0.05)
    # An interval covers frame 59 where one began and did not end since.
    covered = stretches((4000, 60), 0.02, 8.0, rng()).float().mean(0)[40:].mean().item()
    assert covered == pytest.approx(0.02 / (0.02 + (1 - 0.02) / 8), abs=0.02)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: mix_halves(JOINTS, rows, HUMANML3D),
        lambda rows: bend(JOINTS, rows, 30.0, HUMANML3D, rng()),
        lambda rows: turn_over(JOINTS, rows, rng()),
    ],
)
def test_poses_change_in_the_chosen_rows_alone_and_bones_keep_their_lengths(change):
    assert_close(change(NONE), JOINTS)
    changed = change(ALL)
    assert (changed - JOINTS).abs().amax((1, 2, 3)).min() > 0.1
    assert_close(bone_lengths(changed)[..., 4:], bone_lengths(JOINTS)[..., 4:], atol=1e-4, rtol=0)


def test_a_mixed_upper_body_is_the_other_clips_turned_to_this_ones_heading():
    mixed = mix_halves(JOINTS, ALL, HUMANML3D)
    legs = [J("l_knee"), J("r_ankle"), 0]
    assert_close(mixed[:, :, legs], JOINTS[:, :, legs])
    other = JOINTS.roll(1, 0)
    height = [J("head"), J("l_wrist")]
    assert_close(
        (mixed - mixed[:, :, :1])[:, :, height, 1], (other - other[:, :, :1])[:, :, height, 1], atol=1e-5, rtol=0
    )


def test_bodies_of_other_proportions_are_alike_on_both_sides():
    lengths = bone_lengths(reshape_body(JOINTS, 0.1, HUMANML3D, rng())) / bone_lengths(JOINTS).clamp_min(1e-6)
    mirror = list(HUMANML3D.mirror)
    assert_close(lengths[..., 1:], lengths[..., mirror][..., 1:], atol=1e-4, rtol=0)
    assert 0.03 < lengths[:, 0, 1:].std() < 0.2


def test_a_level_distant_camera_shows_the_body_as_the_pipeline_scales_it():
    assert BODY_WAY == BODY_LENGTH
    scene = film(JOINTS, 0.0, 0.0, 0.0, HUMANML3D, rng())
    assert_close(longest_way(scene, HUMANML3D), torch.full((4,), BODY_LENGTH), atol=1e-4, rtol=0)
    # Every joint is seen at its height.
    height = JOINTS[..., 1] - JOINTS[:, :, :1, 1].mean(1, keepdim=True)
    scale = (height * scene[..., 1]).sum((1, 2)) / height.square().sum((1, 2))
    assert_close(scene[..., 1], scale[:, None, None] * height, atol=1e-5, rtol=0)


def test_a_near_camera_shows_what_is_near_larger():
    points = torch.tensor([[[[1.0, 2.0, 1.0], [1.0, 2.0, 0.0], [1.0, 2.0, -2.0]]]])
    flat = perspective(points, torch.tensor([4.0]))
    assert_close(flat[0, 0], torch.tensor([[4 / 3, 8 / 3], [1.0, 2.0], [2 / 3, 4 / 3]]))
    near, distant = (film(JOINTS, 0.0, share, 0.0, HUMANML3D, rng()) for share in (1.0, 0.0))
    assert 0.01 < (near - distant).norm(dim=-1).mean() < 0.2


def test_errors_of_detections_grow_with_their_strength():
    flat = JOINTS[..., :2]
    strength = torch.tensor([0.0, 0.5, 1.0, 1.0])
    found = detect(flat, strength, 0.0, 0.0, HUMANML3D, rng())
    off = (found.flat - flat).norm(dim=-1).mean((1, 2))
    assert off[0] == 0 and 0.01 < off[1] < off[2] and 0.03 < off[2] < 0.08
    hidden = ~detect(flat.repeat(30, 1, 1, 1), torch.zeros(120), 1.0, 0.0, HUMANML3D, rng()).visible
    assert not hidden[..., 0].any() and 0.03 < hidden.float().mean() < 0.4


@pytest.fixture
def clips(prepared):
    cfg = FilmConfig(batch_size=6, min_frames=8, max_frames=24)
    return FilmedClips(MocapDataset(prepared), cfg, 24, seed=3)


def test_a_batch_depends_on_seed_and_step_alone_and_rows_are_parts_of_it(clips):
    first, again = clips.batch(5), clips.batch(5)
    assert torch.equal(first.observed, again.observed) and torch.equal(first.motion, again.motion)
    assert not torch.equal(clips.batch(6).motion[0, :8], first.motion[0, :8])
    part = clips.batch(5, range(1, 6, 2))
    assert torch.equal(part.observed, first.observed[1::2]) and torch.equal(part.seen, first.seen[1::2])


def test_without_errors_the_film_is_the_motions_projection(prepared):
    cfg = FilmConfig(
        batch_size=8, min_frames=8, max_frames=24, noise=(0, 0), lost=0, exchanged=0, hide_path=0, tilted=0, near=0,
        stretched=0, proportions=0, turned_over=0,
    )  # fmt: skip
    batch = FilmedClips(MocapDataset(prepared), cfg, 24, seed=0).batch(0)
    assert_close(batch.observed[batch.seen], batch.flat[batch.seen])
    # A camera turned about the vertical alone shows every joint at its height.
    solid, flat = features_to_joints(batch.motion), flat_joints(batch.flat)
    height = (solid - solid[:, :, :1])[..., 1]
    seen = (flat - flat[:, :, :1])[..., 1]
    scale = (height * seen).sum((1, 2)) / seen.square().sum((1, 2))
    assert_close(scale[:, None, None] * seen, height, atol=2e-3, rtol=0)
