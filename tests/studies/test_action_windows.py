"""Windows of motions, a classifier of them, and checks of prompts, on synthetic motions."""

import numpy as np
import pytest

from crossdiff.representation.limbs import travelled
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.actions.classifier import WindowTraining, train_classifier
from crossdiff.studies.actions.prompts import begins_standing, prompt_checks, stays_in_place
from crossdiff.studies.actions.windows import FRAMES, MIRROR, NAMES, flat_windows, hide, seen_from, solid_windows
from crossdiff.types import Motion2D

J = HUMANML3D.index


def person(frames: int = 40) -> np.ndarray:
    """Somebody who stands with the arms down and faces +Z, shape (frames, 22, 3)."""
    heights = {"hip": 0.85, "knee": 0.47, "ankle": 0.05, "foot": 0.0, "collar": 1.4, "shoulder": 1.4, "elbow": 1.15}
    aside = {"hip": 0.1, "knee": 0.1, "ankle": 0.1, "foot": 0.1, "collar": 0.08, "shoulder": 0.18, "elbow": 0.2}
    middle = {"pelvis": 0.93, "spine1": 1.05, "spine2": 1.18, "spine3": 1.25, "neck": 1.45, "head": 1.55}
    joints = np.zeros((22, 3))
    for name in HUMANML3D.joint_names:
        part = name.removeprefix("l_").removeprefix("r_")
        side = {"l": 1, "r": -1}.get(name.split("_")[0], 0)
        joints[J(name)] = (side * aside.get(part, 0.2), middle.get(part, heights.get(part, 0.9)), 0)
        if part == "foot":
            joints[J(name), 2] = 0.12
    return np.repeat(joints[None], frames, axis=0).astype(np.float32)


def moving(joint: str, frames: int = 40, size: float = 0.3, seed: int = 0) -> np.ndarray:
    """The person, one joint of whom goes forwards and backwards."""
    joints, rng = person(frames), np.random.default_rng(seed)
    joints[:, J(joint), 2] += size * np.sin(np.arange(frames) * 0.7 + rng.uniform(0, 6))
    return joints


def test_windows_are_relative_to_the_root_and_hide_what_is_not_seen():
    flat = person(32)[..., :2] + np.linspace(0, 3, 32)[:, None, None]
    valid = np.ones((32, 22), dtype=bool)
    valid[:, J("l_wrist")] = False
    valid[25:, 0] = False
    windows = flat_windows([Motion2D(flat.astype(np.float32), valid, 20.0), Motion2D(flat[:19], valid[:19], 20.0)])
    assert windows.joints.shape == (3, FRAMES, len(NAMES), 2) and windows.clip.tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.ptp(windows.joints[0], axis=0), 0, atol=1e-5)
    assert not windows.seen[:, :, NAMES.index("l_wrist")].any() and not windows.joints[~windows.seen].any()
    assert not windows.seen[2, 15:].any() and windows.seen[0, :, NAMES.index("r_wrist")].all()


def test_windows_in_space_do_not_depend_on_place_heading_and_size():
    turned = moving("r_wrist")[:, :, [2, 1, 0]] * [1, 1, -1] * 1.3 + [4, 0, 2]
    np.testing.assert_allclose(
        solid_windows([turned]).joints, solid_windows([moving("r_wrist")]).joints, atol=2e-3
    )  # the body's size is that of the legs in frame 0


@pytest.mark.parametrize(("view", "sign"), [("front", 1), ("back", -1)])
def test_the_left_side_is_on_the_right_of_the_picture_from_the_front(view, sign):
    flat = seen_from(person(), view, np.random.default_rng(0)).joints
    assert (sign * (flat[:, J("l_shoulder"), 0] - flat[:, J("r_shoulder"), 0]) > 0.1).all()


def test_hidden_joints_are_those_that_other_windows_do_not_show():
    windows = solid_windows([person()])
    masks = np.ones((1, FRAMES, len(NAMES)), dtype=bool)
    masks[0, :, 3] = False
    hidden = hide(windows, masks, np.random.default_rng(0), 2)
    assert not hidden.seen[:, :, 3].any() and hidden.seen[:, :, 2].all() and not hidden.joints[:, :, 3].any()
    assert [MIRROR[n] for n in MIRROR] == list(range(len(NAMES)))


def test_a_classifier_tells_a_hand_from_a_foot():
    joints = ["r_wrist", "r_ankle"] * 6
    windows = solid_windows([moving(joint, seed=seed) for seed, joint in enumerate(joints)])
    classifier = train_classifier(windows, joints, WindowTraining(steps=30, batch_size=16, learning_rate=5e-3))
    # The left side counts as the right one: windows are mirrored in training.
    others = solid_windows([moving(joint, seed=50 + n) for n, joint in enumerate(("l_wrist", "r_ankle", "r_wrist"))])
    assert classifier.predict(others) == ["r_wrist", "r_ankle", "r_wrist"]
    assert classifier.features(others).shape == (3, 16)
    np.testing.assert_allclose(classifier.probabilities(others).sum(axis=1), 1, rtol=1e-5)


def test_prompts_name_each_side_once():
    checks = {check.prompt: check.holds for check in prompt_checks()}
    assert len(checks) == 14
    right, left = moving("r_wrist"), moving("l_wrist")
    assert travelled(right, HUMANML3D.index("r_wrist")) > 1
    assert travelled(right, HUMANML3D.index("l_wrist")) == pytest.approx(0, abs=1e-5)
    waves = [checks[f"a person waves with the {side} hand."] for side in ("right", "left")]
    assert [[holds(m) for m in (right, left)] for holds in waves] == [[True, False], [False, True]]
    assert checks["a person kicks with the left leg."](moving("l_ankle"))


def test_places_and_beginnings():
    walk = person() + np.linspace(0, 1, 40)[:, None, None] * [0, 0, 1]
    assert stays_in_place(person()) and not stays_in_place(walk)
    sitting = person()
    sitting[:, :, 1] -= 0.4
    sitting[:, [J("l_ankle"), J("r_ankle")], 1] = 0.05
    assert begins_standing(person()) and not begins_standing(sitting)
