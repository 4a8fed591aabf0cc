"""Motion is on the side and in the place that its prompt names, and otherwise as it was."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import person

from crossdiff.diffusion.as_named import NamedLimb, as_named, is_in_place, named_limb, on_named_side
from crossdiff.representation.features3d import canonicalise
from crossdiff.representation.limbs import travelled
from crossdiff.skeleton import HUMANML3D, KIT
from crossdiff.types import Motion3D


@pytest.mark.parametrize(
    ("prompt", "side", "end"),
    [
        ("a person kicks with the right leg.", "right", "ankle"),
        ("a person waves with the Left hand", "left", "wrist"),
        ("someone raises the left upper arm", "left", "wrist"),
        ("the right-hand punch", "right", "wrist"),
        ("lifts the left knee, then the left knee again", "left", "ankle"),
        ("throws a ball with her right hand and walks on", "right", "wrist"),
    ],
)
def test_limbs_that_prompts_name(prompt, side, end):
    assert named_limb(prompt) == NamedLimb(side, end)


@pytest.mark.parametrize(
    "prompt",
    [
        "a person kicks",
        "a person turns left",
        "a person walks to the left and waves with the left hand",
        "a person turns left and waves with the right hand",
        "touches the left elbow with the right knee",
        "kicks with the right leg and punches with the right fist",
        "hops on the left leg",
        "balances on his right foot",
        "turns clockwise and waves with the left hand",
        "the person left the room, both hands up",
        "leftover handles",
        "",
    ],
)
def test_prompts_for_which_mirroring_could_be_wrong(prompt):
    assert named_limb(prompt) is None


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
@pytest.mark.parametrize("end", ["wrist", "ankle"])
def test_the_named_limb_travels_farther(skeleton, end):
    for seed in range(6):
        motion = Motion3D(canonicalise(person(60, skeleton, seed, swing=1.0), skeleton).numpy(), 20.0, skeleton)
        for side in ("left", "right"):
            limb = NamedLimb(side, end)
            own, other = limb.joints(skeleton)
            done = on_named_side(motion, f"moves the {side} {'hand' if end == 'wrist' else 'leg'}")
            assert travelled(done.joints, own) >= travelled(done.joints, other)
            again = on_named_side(done, f"moves the {side} {'hand' if end == 'wrist' else 'leg'}")
            np.testing.assert_array_equal(again.joints, done.joints)
            assert abs(done.joints[0, 0, [0, 2]]).max() < 1e-5
        assert on_named_side(motion, "a person waves") is motion


@pytest.mark.parametrize(
    ("prompt", "there"),
    [
        ("a person runs in place.", True),
        ("someone is jogging slowly on the spot", True),
        ("a person walks", False),
        ("a person walks forward, then jogs in place", False),
        ("a person walks, turns on the spot and walks again", False),
        ("puts the vase in place", False),
    ],
)
def test_steps_in_place_lead_nowhere(prompt, there):
    assert is_in_place(prompt) == there
    motion = Motion3D(canonicalise(person(80, swing=0.2, turn=0.0)).numpy(), 20.0)
    done = as_named(motion, prompt)
    if not there:
        assert done is motion
        return
    farthest = [np.linalg.norm(m.joints[:, 0, [0, 2]], axis=-1).max() for m in (motion, done)]
    assert farthest[0] > 2 and farthest[1] < 0.3
    np.testing.assert_array_equal(done.joints.shape, motion.joints.shape)
