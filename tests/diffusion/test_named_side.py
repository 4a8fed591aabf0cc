"""Motion is mirrored to the hand or leg that its prompt names, and only then."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import person

from crossdiff.diffusion.named_side import NamedLimb, named_limb, on_named_side
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
