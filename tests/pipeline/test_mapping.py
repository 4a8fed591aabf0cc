"""Keypoints to the 22 joints."""

import numpy as np
import pytest
from wild import standing

from crossdiff.errors import ClipError
from crossdiff.pipeline.mapping import KEYPOINT_SETS, to_joints
from crossdiff.skeleton import HUMANML3D

J = HUMANML3D.index


@pytest.mark.parametrize("name", KEYPOINT_SETS)
def test_joints_are_weighted_means(name):
    weights = KEYPOINT_SETS[name].weights
    given = weights.any(axis=1)
    np.testing.assert_allclose(weights[given].sum(axis=1), 1)
    assert [HUMANML3D.joint_names[j] for j in np.flatnonzero(~given)] == (
        [] if name == "blazepose33" else ["l_foot", "r_foot"]
    )


def test_a_standing_person_has_its_joints_where_they_belong():
    joints, valid = to_joints(standing()[None], np.ones((1, 33), bool), "blazepose33")
    up = -joints[0, :, 1]
    assert valid.all()
    order = ["l_foot", "l_ankle", "l_knee", "l_hip", "pelvis", "spine1", "spine2", "spine3", "neck", "head"]
    assert np.all(np.diff([up[J(name)] for name in order]) > 0)
    for name in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"):
        assert joints[0, J(f"l_{name}"), 0] > joints[0, J("pelvis"), 0] > joints[0, J(f"r_{name}"), 0]


@pytest.mark.parametrize(("name", "count"), [("blazepose33", 33), ("coco17", 17)])
def test_mirrored_keypoints_give_mirrored_joints(name, count):
    generator = np.random.default_rng(0)
    names = KEYPOINT_SETS[name].names
    swap = {"left": "right", "right": "left"}

    def other(keypoint: str) -> int:
        return names.index("_".join(swap.get(word, word) for word in keypoint.split("_")))

    xy = generator.normal(size=(4, count, 2))
    mirrored = xy[:, [other(n) for n in names]] * [-1, 1]
    seen = np.ones((4, count), bool)
    expected = to_joints(xy, seen, name)[0][:, list(HUMANML3D.mirror)] * [-1, 1]
    np.testing.assert_allclose(to_joints(mirrored, seen, name)[0], expected, atol=1e-12)


def test_an_unseen_keypoint_masks_the_joints_made_of_it_alone():
    seen = np.ones((1, 33), bool)
    seen[0, KEYPOINT_SETS["blazepose33"].names.index("left_hip")] = False
    _, valid = to_joints(standing()[None], seen, "blazepose33")
    unseen = {HUMANML3D.joint_names[j] for j in np.flatnonzero(~valid[0])}
    assert unseen == {"pelvis", "l_hip", "r_hip", "spine1", "spine2", "spine3", "neck"}


def test_coco_has_no_toes():
    generator = np.random.default_rng(0)
    joints, valid = to_joints(generator.normal(size=(3, 17, 2)), np.ones((3, 17), bool), "coco17")
    assert not valid[:, [J("l_foot"), J("r_foot")]].any() and valid[:, J("l_ankle")].all()
    np.testing.assert_array_equal(joints[:, J("l_foot")], joints[:, J("l_ankle")])


def test_unknown_sets_and_wrong_counts_are_refused():
    with pytest.raises(ClipError, match="blazepose33"):
        to_joints(np.zeros((1, 5, 2)), np.ones((1, 5), bool), "openpose")
    with pytest.raises(ClipError, match="expected 17"):
        to_joints(np.zeros((1, 5, 2)), np.ones((1, 5), bool), "coco17")
