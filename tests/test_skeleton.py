"""Both skeletons are trees with two alike sides."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.skeleton import HUMANML3D, KIT, SKELETONS

both = pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)


@both
def test_every_joint_but_the_root_ends_one_bone(skeleton):
    assert sorted(joint for _, joint in skeleton.bones) == list(range(1, skeleton.num_joints))
    assert len(set(skeleton.joint_names)) == skeleton.num_joints == len(skeleton.rest)
    assert skeleton.parents[0] == -1
    placed = {0}
    for parent, joint in skeleton.bones:  # in an order that can be built along
        assert parent in placed
        assert skeleton.parents[joint] == parent
        placed.add(joint)


@both
def test_sides_mirror_each_other(skeleton):
    for joint, other in enumerate(skeleton.mirror):
        name, twin = skeleton.joint_names[joint], skeleton.joint_names[other]
        assert skeleton.mirror[other] == joint
        assert (name == twin) == (name[:2] not in ("l_", "r_"))
        assert name.removeprefix("l_").removeprefix("r_") == twin.removeprefix("l_").removeprefix("r_")
        parents = [skeleton.parents[j] for j in (joint, other)]
        assert parents == [-1, -1] or skeleton.mirror[parents[0]] == parents[1]
        assert np.allclose(np.array(skeleton.rest[joint]) * (-1, 1, 1), skeleton.rest[other])


@both
def test_named_joints_are_what_the_features_need(skeleton):
    names = skeleton.joint_names
    assert [names[j] for j in skeleton.facing] == ["r_hip", "l_hip", "r_shoulder", "l_shoulder"]
    assert [names[j][0] for j in skeleton.feet] == ["l", "l", "r", "r"]
    toes, ankles = skeleton.feet[1::2], skeleton.feet[0::2]
    assert all(skeleton.parents[t] == a for t, a in zip(toes, ankles, strict=True))
    hip, knee = (skeleton.parents[j] for j in skeleton.scaling)
    assert skeleton.parents[knee] == hip or skeleton.scaling[0] == knee
    assert all(abs(np.linalg.norm(r) - 1) < 1e-9 for r in skeleton.rest[1:])
    assert skeleton.index("head") == names.index("head")


def test_facts_of_the_two():
    assert SKELETONS == {"humanml3d": HUMANML3D, "kit": KIT}
    assert (HUMANML3D.num_joints, HUMANML3D.fps, HUMANML3D.contact_threshold) == (22, 20.0, 0.002)
    assert (KIT.num_joints, KIT.fps, KIT.contact_threshold, KIT.metres_per_unit) == (21, 12.5, 0.05, 0.003)
    assert (HUMANML3D.min_frames, KIT.min_frames) == (40, 24)
