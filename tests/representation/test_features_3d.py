"""3D features: the published format, and what must hold for any motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation.features3d import (
    bone_lengths,
    canonicalise,
    features_to_joints,
    features_to_joints_and_next,
    joints_to_features_3d,
    retarget,
)
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.rotations import rotate, yaw_quaternion
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton

both_skeletons = pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
seeds = st.integers(0, 10_000)


def golden(shared: Path) -> dict[str, dict[str, torch.Tensor]]:
    with np.load(shared / "golden" / "features_3d.npz") as z:
        ids = {name.split("/")[0] for name in z.files if "/" in name}
        parts = ("joints", "feats", "global_positions", "recovered")
        clips = {i: {p: torch.from_numpy(z[f"{i}/{p}"]) for p in parts} for i in sorted(ids)}
        clips["target"] = {"offsets": torch.from_numpy(z["target_offsets"])}
    return clips


@pytest.mark.shared
def test_features_are_those_of_humanml3d(shared):
    clips = golden(shared)
    lengths = clips.pop("target")["offsets"].norm(dim=-1)
    assert len(clips) >= 10
    for clip in clips.values():
        moved = retarget(clip["joints"], lengths)
        assert_close(canonicalise(moved), clip["global_positions"], atol=1e-4, rtol=0)
        features = joints_to_features_3d(moved)
        assert features.shape == clip["feats"].shape
        assert_close(features, clip["feats"], atol=1e-4, rtol=0)


@pytest.mark.shared
def test_published_features_are_read_back_as_humanml3d_does(shared):
    clips = golden(shared)
    del clips["target"]
    for clip in clips.values():
        assert_close(features_to_joints(clip["feats"]), clip["recovered"], atol=1e-4, rtol=0)


@pytest.mark.shared
def test_the_body_that_motions_are_put_on_is_humanml3ds(shared):
    offsets = golden(shared)["target"]["offsets"]
    assert_close(torch.tensor(HUMANML3D.body), offsets.norm(dim=-1), atol=1e-4, rtol=0)


@both_skeletons
def test_reading_features_back_gives_the_canonical_pose(skeleton):
    for seed in range(5):
        joints = person(50, skeleton, seed)
        features = joints_to_features_3d(joints, skeleton)
        canonical = canonicalise(joints, skeleton)
        assert_close(features_to_joints(features, skeleton), canonical[:-1], atol=1e-5, rtol=0)
        assert_close(features_to_joints_and_next(features, skeleton), canonical, atol=1e-5, rtol=0)


def test_one_row_of_features_holds_two_frames():
    joints = person(2)
    again = features_to_joints_and_next(joints_to_features_3d(joints))
    assert_close(again, canonicalise(joints), atol=1e-5, rtol=0)


def test_a_spin_of_several_turns_is_read_back_without_parity():
    """Where the heading passes straight behind the first one, HumanML3D's features lose the direction of the turn."""
    still = person(1, swing=0.0).expand(120, -1, -1)
    spun = rotate(yaw_quaternion(torch.arange(120) * 0.06)[:, None], still)
    spun = spun + torch.linspace(0, 5, 120)[:, None, None] * torch.tensor([0.0, 0.0, 1.0])
    features, published = joints_to_features_3d(spun, parity=False), joints_to_features_3d(spun)
    assert_close(features_to_joints(features), canonicalise(spun)[:-1], atol=1e-4, rtol=0)
    differ = (features - published).abs() > 1e-5
    assert not differ[:, 1:].any()
    assert 1 <= differ[:, 0].sum() <= 3
    assert_close(features[differ], -published[differ])


@both_skeletons
@given(
    # Within 1.4 mrad of the opposite direction `between` takes half a turn, so there the heading may be off by that.
    seed=seeds,
    angle=st.floats(-3.1, 3.1),
    shift=hnp.arrays(np.float32, 3, elements=st.floats(-5, 5, width=32)),
)
def test_place_and_heading_do_not_matter(skeleton, seed, angle, shift):
    # In double precision: the rotation of a bone that points away from its rest direction is ill-conditioned.
    joints = person(20, skeleton, seed).double()
    half_turn = torch.tensor(angle / 2, dtype=torch.float64)
    turned = rotate(yaw_quaternion(half_turn), joints) + torch.from_numpy(shift).double()
    contacts = layout_3d(skeleton).contacts
    before, after = joints_to_features_3d(joints, skeleton), joints_to_features_3d(turned, skeleton)
    assert_close(before[:, : contacts.start], after[:, : contacts.start], atol=1e-6, rtol=0)


@both_skeletons
@given(data=st.data(), frames=st.integers(2, 6))
def test_features_are_finite_for_any_finite_joints(skeleton, data, frames):
    shape = (frames, skeleton.num_joints, 3)
    elements = st.floats(-1e3, 1e3, width=32) | st.sampled_from([0.0, 1.0])
    joints = torch.from_numpy(data.draw(hnp.arrays(np.float32, shape, elements=elements)))
    features = joints_to_features_3d(joints, skeleton)
    assert features.shape == (frames - 1, layout_3d(skeleton).dim)
    assert torch.isfinite(features).all()
    assert torch.isfinite(features_to_joints_and_next(features, skeleton)).all()
    assert torch.isfinite(retarget(joints, torch.ones(skeleton.num_joints), skeleton)).all()


@both_skeletons
def test_repeated_frames_and_joints_in_one_point_are_finite(skeleton):
    still = person(1, skeleton).expand(5, -1, -1)
    features = joints_to_features_3d(still, skeleton)
    assert torch.isfinite(features).all()
    assert (features[:, layout_3d(skeleton).velocities].abs() < 1e-6).all()
    assert (features[:, layout_3d(skeleton).contacts] == 1).all()
    assert torch.isfinite(joints_to_features_3d(torch.zeros(3, skeleton.num_joints, 3), skeleton)).all()


@both_skeletons
def test_a_clip_that_starts_facing_backwards_is_turned_half_around(skeleton):
    joints = person(10, skeleton, swing=0.0, turn=0.0)
    backwards = joints * torch.tensor([-1.0, 1.0, -1.0])
    assert_close(canonicalise(backwards, skeleton), canonicalise(joints, skeleton), atol=1e-5, rtol=0)
    assert torch.isfinite(joints_to_features_3d(backwards, skeleton)).all()


def test_canonical_pose_is_on_the_floor_over_the_origin_facing_z():
    first = canonicalise(person(30, seed=4) + torch.tensor([3.0, -2.0, 1.0]))
    assert first[..., 1].min() == 0
    assert first[0, 0, [0, 2]].abs().max() < 1e-6
    r_hip, l_hip, r_shoulder, l_shoulder = HUMANML3D.facing
    across = first[0, l_hip] - first[0, r_hip] + first[0, l_shoulder] - first[0, r_shoulder]
    assert abs(float(across[2])) < 1e-5
    assert across[0] > 0  # the left side is at +x


@both_skeletons
def test_mirroring_twice_changes_nothing_and_once_swaps_the_sides(skeleton: Skeleton):
    mirror = list(skeleton.mirror)
    assert [mirror[j] for j in mirror] == list(range(skeleton.num_joints))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    joints = person(15, skeleton, seed=2)
    flipped = joints[:, mirror] * flip
    assert_close(canonicalise(flipped, skeleton), canonicalise(joints, skeleton)[:, mirror] * flip, atol=1e-5, rtol=0)
    one, other = joints_to_features_3d(joints, skeleton), joints_to_features_3d(flipped, skeleton)
    assert_close(other[:, 0], -one[:, 0], atol=1e-5, rtol=0)  # turns the other way
    contacts = layout_3d(skeleton).contacts
    assert_close(other[:, contacts], one[:, contacts][:, [2, 3, 0, 1]])


@both_skeletons
def test_a_batch_is_its_clips_one_by_one(skeleton):
    clips = torch.stack([person(12, skeleton, seed) for seed in range(6)]).unflatten(0, (2, 3))
    features = joints_to_features_3d(clips, skeleton)
    for i, j in np.ndindex(2, 3):
        assert_close(features[i, j], joints_to_features_3d(clips[i, j], skeleton), atol=1e-6, rtol=0)
    assert_close(
        features_to_joints_and_next(features, skeleton)[1, 2],
        features_to_joints_and_next(features[1, 2], skeleton),
        atol=1e-6,
        rtol=0,
    )


@both_skeletons
def test_retargeting_gives_the_bone_lengths_asked_for(skeleton):
    joints = person(8, skeleton)
    wanted = bone_lengths(joints[0], skeleton) * torch.linspace(0.5, 1.5, skeleton.num_joints)
    moved = retarget(joints, wanted, skeleton)
    assert_close(bone_lengths(moved, skeleton), wanted.expand(8, -1), atol=1e-5, rtol=0)
    shin = list(skeleton.scaling)
    scale = wanted[shin].sum() / bone_lengths(joints[0], skeleton)[shin].sum()
    assert_close(moved[:, 0], joints[:, 0] * scale, atol=1e-5, rtol=0)
    assert_close(retarget(joints, bone_lengths(joints[0], skeleton), skeleton), joints, atol=1e-5, rtol=0)


def test_contacts_mark_the_feet_that_stand_still():
    joints = person(1).repeat(4, 1, 1)
    l_toe = HUMANML3D.feet[1]
    joints[1:, l_toe, 0] += torch.tensor([0.05, 0.10, 0.15])
    contacts = joints_to_features_3d(joints)[:, layout_3d().contacts]
    assert contacts.tolist() == [[1, 0, 1, 1]] * 3
