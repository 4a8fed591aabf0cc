"""What the demo counts in sampled motions."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D
from crossdiff.workflows.examples import JACKS, KNOWN, jumping_jacks

AT = HUMANML3D.joint_names.index


def standing(arms_up, feet_apart):
    """A stick figure, a frame per value: arms overhead or down, feet apart or together."""
    joints = np.zeros((len(arms_up), 22, 3), np.float32)
    joints[:, AT("head"), 1] = 1.6
    for side, sign in (("l", 1), ("r", -1)):
        joints[:, AT(f"{side}_wrist"), 1] = np.where(arms_up, 1.9, 0.8)
        joints[:, AT(f"{side}_ankle"), 0] = sign * np.where(feet_apart, 0.4, 0.1)
    return joints


def test_a_jumping_jack_opens_arms_and_feet_after_it_closed_them():
    up = [0, 1, 1, 0, 0, 1, 0, 1, 1]
    assert jumping_jacks(standing(up, up)) == 3
    assert jumping_jacks(standing(up, np.zeros(9))) == 0
    assert jumping_jacks(standing(up, np.ones(9))) == 1  # the feet never come together again
    assert JACKS.text(Motion3D(standing(up, up), 20.0)) == "3"


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a person walks forward", "2.00 m/s"),
        ("a person waves with the right hand", "0 % of the frames"),  # both are raised
        ("a person raises both hands", "50 % of the frames"),
    ],
)
def test_known_prompts_have_a_number(prompt, text):
    joints = standing([0, 1, 0, 1], [0, 0, 0, 0])
    joints[..., 2] += 0.1 * np.arange(4)[:, None]
    assert KNOWN[prompt].text(Motion3D(joints, 20.0)) == text
