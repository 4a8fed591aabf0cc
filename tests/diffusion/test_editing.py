"""Editing: what is kept comes back, and the rest is made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, person, small_model
from torch.testing import assert_close

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.controls import PlaceControl
from crossdiff.diffusion.editing import GROUPS, Edit, joint_group
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.diffusion.sampling import sample
from crossdiff.errors import ClipError, InputError
from crossdiff.representation.features3d import canonicalise, features_to_joints
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D, KIT

solvers = pytest.mark.parametrize("solver", ["dpm++", "ddim", "ddpm"])
skeletons = pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
FRAMES = 24
MILLIMETRE = 1e-3


def walk(skeleton=HUMANML3D, frames=FRAMES) -> np.ndarray:
    """Someone who walks and turns, somewhere, in metres."""
    return person(frames, skeleton, seed=3).numpy() + np.array([3.0, 0.5, -2.0], dtype=np.float32)


def canonical(joints: np.ndarray, skeleton=HUMANML3D) -> np.ndarray:
    return canonicalise(torch.from_numpy(joints), skeleton).numpy()


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    return lambda skeleton=HUMANML3D: CrossDiffPipeline(small_model(skeleton=skeleton.name))


@solvers
@skeletons
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_the_first_frames_come_back_as_they_were_given(pipe, skeleton, solver, guidance):
    edit = Edit.from_joints(walk(skeleton), slice(0, 10), skeleton=skeleton)
    options = {"num_inference_steps": 4, "guidance_scale": guidance, "solver": solver}
    motion = pipe(skeleton)("a person jumps", edit=edit, **options)[0]
    assert motion.joints.shape == (FRAMES, skeleton.num_joints, 3)
    given = canonical(walk(skeleton), skeleton)
    assert np.abs(motion.joints[:10] - given[:10]).max() < MILLIMETRE
    assert np.abs(motion.joints[10:] - given[10:]).max(axis=(1, 2)).min() > 0.05


@skeletons
def test_a_motion_that_is_kept_whole_comes_back_whole(pipe, skeleton):
    edit = Edit.from_joints(walk(skeleton), np.ones(FRAMES, dtype=bool), skeleton=skeleton)
    motion = pipe(skeleton)("a person jumps", edit=edit, num_inference_steps=2)[0]
    assert np.abs(motion.joints - canonical(walk(skeleton), skeleton)).max() < MILLIMETRE


@skeletons
@pytest.mark.parametrize("kept", [[slice(0, 6), slice(-8, None)], [slice(8, 12), slice(-4, None)], [slice(20, 21)]])
def test_kept_frames_stand_where_they_stood_and_face_the_same_way(pipe, skeleton, kept):
    edit = Edit.from_joints(walk(skeleton), kept, skeleton=skeleton)
    made = pipe(skeleton)("a person jumps", edit=edit, num_inference_steps=3)[0].joints
    given = canonical(walk(skeleton), skeleton)
    for part in kept:
        assert np.abs(made[part] - given[part]).max() < MILLIMETRE
    assert np.abs(made[14:16] - given[14:16]).max() > 0.05


def test_the_network_itself_is_led_to_the_places_of_kept_frames():
    """Every x_t is moved so that the next prediction comes nearer to them; without gaps nothing is."""
    model = small_model()
    asked: list[bool] = []
    forward = model.network.forward
    model.network.forward = lambda *rest, **named: (asked.append(torch.is_grad_enabled()), forward(*rest, **named))[1]
    for kept, led in ((slice(0, 6), False), ([slice(0, 6), slice(-4, None)], True)):
        edit = Edit.from_joints(walk(), kept)
        asked.clear()
        control = PlaceControl(model, [FRAMES], edit=edit) if edit.has_gaps else None
        sample(model, torch.zeros(1, 6), [FRAMES], SamplingConfig(steps=2), [0], edit=edit, control=control)
        assert any(asked) == led


@solvers
def test_kept_joints_keep_their_values_exactly_and_others_are_made(solver):
    model = small_model()
    edit = Edit.from_joints(walk(), keep_joints="lower")
    text = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    made = sample(
        model, text, [FRAMES] * 2, SamplingConfig(steps=3, guidance_scale=2.5, solver=solver), [0, 1], edit=edit
    )
    known = model.normalize("3d", edit.features)
    for row in made:
        assert torch.equal(row[edit.keep], known[edit.keep])
    assert ((made[0] - known)[~edit.keep].abs() > 1e-3).float().mean() > 0.9
    assert ((made[0] - made[1])[~edit.keep].abs() > 1e-3).float().mean() > 0.9


def test_legs_and_path_of_an_edited_upper_body_are_those_given(pipe):
    edit = Edit.from_joints(walk(), keep_joints="lower")
    motion = pipe()("a person waves", edit=edit, num_inference_steps=3)[0].joints
    legs, arms = sorted(joint_group("lower")), sorted(joint_group("upper"))
    given = canonical(walk())
    assert np.abs(motion[:, legs] - given[:, legs]).max() < MILLIMETRE
    assert np.abs(motion[:, arms] - given[:, arms]).max() > 0.05


@pytest.mark.parametrize("frames", [16, 20])
def test_a_motion_may_go_on_or_be_cut(pipe, frames):
    edit = Edit.from_joints(walk(frames=18), slice(None))
    motion = pipe()("a person walks", frames, edit=edit, num_inference_steps=2)[0].joints
    both = min(frames, 18)
    assert motion.shape[0] == frames
    assert np.abs(motion[:both] - canonical(walk(frames=18))[:both]).max() < MILLIMETRE


def test_the_steps_are_told_what_is_kept(monkeypatch):
    """The network sees x_t of the known values: noise alone would not lead to them."""
    model, seen = small_model(), []
    forward = model.network.forward

    def spy(inputs, t, *rest, **named):
        seen.append((int(t[0]), inputs["3d"]))
        return forward(inputs, t, *rest, **named)

    monkeypatch.setattr(model.network, "forward", spy)
    edit = Edit.from_joints(walk(), slice(0, 12))
    sample(
        model, torch.zeros(1, 6), [FRAMES], SamplingConfig(steps=50, guidance_scale=1.0, solver="ddim"), [0], edit=edit
    )
    known = model.normalize("3d", edit.features)
    t, x = seen[-1]
    assert t == 39
    assert (x[0] - known)[edit.keep].abs().mean() < 0.1
    t, x = seen[0]
    assert (x[0] - known)[edit.keep].abs().mean() > 0.5


def test_the_lower_body_is_that_of_the_authors():
    assert joint_group("lower") == {0, 1, 2, 4, 5, 7, 8, 10, 11}
    assert joint_group("lower", KIT) == {0, *range(11, 21)}
    for skeleton, values in ((HUMANML3D, 107), (KIT, 131)):
        lower, upper = (Edit.from_joints(walk(skeleton), keep_joints=g, skeleton=skeleton).keep for g in GROUPS)
        assert int(lower[0].sum()) == values
        assert torch.equal(lower[0], ~upper[0])


def test_one_joint_keeps_its_own_values_alone():
    keep = Edit.from_joints(walk(), keep_joints=["l_wrist"]).keep[0]
    layout = layout_3d()
    assert int(keep.sum()) == 3 + 6 + 3
    assert [int(keep[layout.groups[g]].sum()) for g in ("root", "positions", "rotations", "velocities")] == [0, 3, 6, 3]


def test_a_step_is_kept_where_both_of_its_frames_are():
    layout = layout_3d()
    keep = Edit.from_joints(walk(), [slice(0, 3), slice(5, 6)]).keep
    poses, steps = keep[:, layout.positions].all(1), keep[:, layout.velocities].all(1)
    assert poses.nonzero().flatten().tolist() == [0, 1, 2, 5]
    assert steps.nonzero().flatten().tolist() == [0, 1]
    assert keep[:, layout.root].sum(1).tolist()[:6] == [4, 4, 1, 0, 0, 1]
    assert not Edit.from_joints(walk(), slice(None)).keep[-1, layout.velocities].any()


def test_frames_and_joints_together_keep_these_joints_in_these_frames():
    both = Edit.from_joints(walk(), slice(0, 5), "upper").keep
    assert torch.equal(both, Edit.from_joints(walk(), slice(0, 5)).keep & Edit.from_joints(walk(), None, "upper").keep)


def test_the_features_are_of_the_motion_in_its_canonical_frame():
    edit = Edit.from_joints(walk(), slice(None))
    assert_close(features_to_joints(edit.features).numpy(), canonical(walk()), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ({}, "got neither"),
        ({"keep_frames": slice(0, 25)}, "motion's 24 frames, got 0:25"),
        ({"keep_frames": slice(30, None)}, "got 30:"),
        ({"keep_frames": [slice(0, 3), slice(5, 5)]}, "got 5:5"),
        ({"keep_frames": []}, "nothing to keep"),
        ({"keep_frames": np.ones(23, dtype=bool)}, "for each of 24 frames"),
        ({"keep_frames": np.arange(24)}, "True or False"),
        ({"keep_joints": "tail"}, "expected lower, upper, or joints of humanml3d .*got 'tail'"),
        ({"keep_joints": []}, "nothing to keep"),
    ],
    ids=str,
)
def test_what_cannot_be_kept(kept, words):
    with pytest.raises(InputError, match=words):
        Edit.from_joints(walk(), **kept)


def test_joints_of_another_shape():
    with pytest.raises(ClipError, match=r"expected shape \(any, 22, 3\), got \(24, 21, 3\)"):
        Edit.from_joints(walk(KIT), slice(0, 3))


def test_a_motion_without_frames():
    with pytest.raises(InputError, match="one frame or more"):
        Edit.from_joints(walk(frames=1)[:0], keep_joints="lower")


def test_a_single_frame_may_be_kept(pipe):
    motion = pipe()("a person jumps", 8, edit=Edit.from_joints(walk(frames=1), slice(0, 1)), num_inference_steps=2)[0]
    assert np.abs(motion.joints[:1] - canonical(walk(frames=1))).max() < MILLIMETRE


def test_mixture_sampling_cannot_edit(pipe):
    with pytest.raises(InputError, match="expected standard sampling, got mixture"):
        pipe()("a", edit=Edit.from_joints(walk(), slice(0, 3)), mixture=True)


def test_a_motion_of_another_skeleton_is_refused(pipe):
    with pytest.raises(InputError, match="model's skeleton humanml3d, got kit"):
        pipe()("a", edit=Edit.from_joints(walk(KIT), slice(0, 3), skeleton=KIT))


def test_where_nothing_kept_is_left_of_a_cut_motion(pipe):
    with pytest.raises(InputError, match="no kept values in the"):
        pipe()("a", 8, edit=Edit.from_joints(walk(), slice(10, 20)))


def test_every_motion_of_a_batch_must_keep_something(pipe):
    edit = Edit.from_joints(walk(), slice(14, 24))
    with pytest.raises(InputError, match="no kept values in the 8 frames to sample"):
        pipe()(["a", "b"], [24, 8], edit=edit, num_inference_steps=2)
