"""2D features: the authors' and the paper's layout, masks, and what must hold for any motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation.features2d import features_to_joints, joints_to_features_2d
from crossdiff.representation.layouts import layout_2d
from crossdiff.representation.projection import project_orthographic, project_perspective
from crossdiff.skeleton import HUMANML3D, KIT

both_skeletons = pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
both_layouts = pytest.mark.parametrize("layout", ["paper", "official"])
OFFICIAL_VIEWS = ("front", "right", "back", "left")


@pytest.mark.shared
def test_views_and_features_are_the_authors(shared):
    with np.load(shared / "golden" / "features_2d.npz") as z:
        for clip in z["clip_ids"]:
            joints = torch.from_numpy(z[f"{clip}/joints3d"])
            for view, name in enumerate(OFFICIAL_VIEWS):
                flat = project_perspective(joints, name)
                flat = flat - flat[:1, :1]
                assert_close(flat, torch.from_numpy(z[f"{clip}/joints2d"][view]), atol=1e-5, rtol=0)
                features, mask = joints_to_features_2d(flat, layout="official")
                assert mask.all()
                assert_close(features, torch.from_numpy(z[f"{clip}/feats"][view]), atol=1e-5, rtol=0)


def flat_person(frames: int, skeleton=HUMANML3D, seed: int = 0) -> torch.Tensor:
    return project_orthographic(person(frames, skeleton, seed), 30.0)


@both_skeletons
@both_layouts
def test_reading_features_back_gives_the_joints_from_the_first_root(skeleton, layout):
    for seed in range(5):
        joints = flat_person(30, skeleton, seed)
        features, mask = joints_to_features_2d(joints, skeleton, layout)
        assert mask.all()
        again = features_to_joints(features, skeleton, layout)
        assert_close(again, (joints - joints[:1, :1])[:-1], atol=1e-5, rtol=0)


@both_skeletons
@both_layouts
@given(data=st.data(), frames=st.integers(2, 5))
def test_features_are_finite_for_any_finite_joints_and_any_mask(skeleton, layout, data, frames):
    shape = (frames, skeleton.num_joints)
    elements = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, 1.0])
    joints = torch.from_numpy(data.draw(hnp.arrays(np.float32, (*shape, 2), elements=elements)))
    valid = torch.from_numpy(data.draw(hnp.arrays(bool, shape)))
    joints[~valid] = float("nan")  # what a detector may leave there
    features, mask = joints_to_features_2d(joints, skeleton, layout, valid)
    assert features.shape == mask.shape == (frames - 1, layout_2d(skeleton, layout).dim)
    assert torch.isfinite(features).all()
    assert torch.isfinite(features_to_joints(features, skeleton, layout)).all()


@both_layouts
def test_a_bone_without_length_is_not_turned_and_masked_with_the_bone_after_it(layout):
    joints = flat_person(6)
    knee, hip, ankle = (HUMANML3D.index(n) for n in ("l_knee", "l_hip", "l_ankle"))
    joints[:, knee] = joints[:, hip]
    features, mask = joints_to_features_2d(joints, layout=layout)
    turns = features[:, layout_2d(layout=layout).rotations].unflatten(-1, (21, 2))
    known = mask[:, layout_2d(layout=layout).rotations].unflatten(-1, (21, 2))
    assert (turns[:, knee - 1] == torch.tensor([1.0, 0.0])).all()
    unknown = {j + 1 for j in range(21) if not known[:, j].any()}
    assert unknown == {knee, ankle}
    others = mask.clone()
    others[:, layout_2d(layout=layout).rotations] = True
    assert others.all()


def depends_on(skeleton, layout: str, joint: int) -> dict[str, set[int]]:
    """By definition: which entries (by joint) of each group are made of this joint, in the frame it is hidden."""
    everyone = set(range(1, skeleton.num_joints))
    previous: dict[int, set[int]] = {}
    for chain in skeleton.chains:
        for i in range(1, len(chain)):
            previous[chain[i]] = set(chain[max(0, i - 2) : i + 1])
    return {
        "root": {0} if joint == 0 else set(),
        "positions": everyone if joint == 0 else {joint},
        "rotations": {j for j in everyone if joint in previous[j]},
        "velocities": {joint} & set(layout_2d(skeleton, layout).velocity_joints),
        "contacts": {i for i, foot in enumerate(skeleton.feet) if foot == joint},
    }


@both_skeletons
@both_layouts
def test_a_hidden_joint_masks_exactly_the_values_made_of_it(skeleton, layout):
    slices = layout_2d(skeleton, layout)
    joints = flat_person(6, skeleton)
    for joint in range(skeleton.num_joints):
        valid = torch.ones(6, skeleton.num_joints, dtype=torch.bool)
        valid[3, joint] = False
        features, mask = joints_to_features_2d(joints, skeleton, layout, valid)
        assert torch.isfinite(features).all()
        wanted = torch.ones_like(mask)
        made = depends_on(skeleton, layout, joint)
        groups = {name: wanted[:, part] for name, part in slices.groups.items()}
        if made["root"]:
            groups["root"][2 if layout == "official" else slice(2, 4)] = False
        for j in made["positions"]:
            groups["positions"][3, 2 * (j - 1) : 2 * j] = False
        for j in made["rotations"]:
            groups["rotations"][3, 2 * (j - 1) : 2 * j] = False
        for j in made["velocities"]:
            place = slices.velocity_joints.index(j)
            groups["velocities"][2:4, 2 * place : 2 * place + 2] = False
        for i in made["contacts"]:
            groups["contacts"][2:4, i] = False
        assert (mask == wanted).all(), skeleton.joint_names[joint]


def test_where_a_hidden_joint_lies_does_not_matter():
    joints = flat_person(8)
    valid = torch.rand(8, 22, generator=torch.Generator().manual_seed(0)) < 0.7
    elsewhere = torch.where(valid[..., None], joints, 1e4 * torch.ones_like(joints))
    for one, other in zip(
        joints_to_features_2d(joints, valid=valid), joints_to_features_2d(elsewhere, valid=valid), strict=True
    ):
        assert torch.equal(one, other)


@both_skeletons
@both_layouts
def test_a_batch_is_its_clips_one_by_one(skeleton, layout):
    clips = torch.stack([flat_person(7, skeleton, seed) for seed in range(6)]).unflatten(0, (3, 2))
    valid = torch.rand(clips.shape[:-1], generator=torch.Generator().manual_seed(1)) < 0.9
    features, mask = joints_to_features_2d(clips, skeleton, layout, valid)
    for i, j in np.ndindex(3, 2):
        one, seen = joints_to_features_2d(clips[i, j], skeleton, layout, valid[i, j])
        torch.testing.assert_close(features[i, j], one, rtol=0, atol=1e-6)  # vector units round their tails apart
        assert torch.equal(mask[i, j], seen)


def test_rotation_is_cosine_and_minus_sine_from_the_bone_before():
    joints = torch.zeros(2, 22, 2)
    hip, knee, ankle = (HUMANML3D.index(n) for n in ("l_hip", "l_knee", "l_ankle"))
    joints[:, hip] = torch.tensor([0.0, 2.0])  # a quarter turn to the left of (1, 0)
    joints[:, knee] = torch.tensor([3.0, 2.0])  # a quarter turn to the right
    joints[:, ankle] = torch.tensor([4.0, 3.0])  # an eighth of a turn to the left
    features, _ = joints_to_features_2d(joints)
    turns = features[0, layout_2d().rotations].unflatten(-1, (21, 2))
    assert_close(turns[[hip - 1, knee - 1]], torch.tensor([[0.0, -1.0], [0.0, 1.0]]))
    assert_close(turns[ankle - 1], torch.tensor([0.5**0.5, -(0.5**0.5)]))


def test_the_two_layouts_count_the_root_differently():
    joints = flat_person(5)
    paper, official = (joints_to_features_2d(joints, layout=name)[0] for name in ("paper", "official"))
    step = joints[1:, 0] - joints[:-1, 0]
    assert_close(paper[:, :2], step)
    assert_close(official[:, :2], joints[1:, 0] - joints[:1, 0])
    assert_close(official[:, layout_2d(layout="official").velocities][:, :2], step)
    assert_close(
        official[:, layout_2d(layout="official").velocities][:, 2:], paper[:, layout_2d(layout="paper").velocities]
    )


@pytest.mark.parametrize("layout", ["paper", "official"])
def test_a_motion_whose_path_is_unknown_gives_the_same_values_wherever_it_goes(layout):
    joints = person(40)[..., :2]
    away = joints + torch.randn(40, 1, 2, generator=torch.Generator().manual_seed(0))
    here, mask = joints_to_features_2d(joints, HUMANML3D, layout, path_known=False)
    there, _ = joints_to_features_2d(away, HUMANML3D, layout, path_known=False)
    torch.testing.assert_close(here, there, atol=1e-5, rtol=0)
    slices = layout_2d(HUMANML3D, layout)
    assert mask[:, slices.positions].all() and not mask[:, slices.root].any()
