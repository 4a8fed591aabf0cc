"""Keypoints to the 22 joints."""

from pathlib import Path

import numpy as np
import pytest
from wild import standing

from crossdiff.errors import ClipError
from crossdiff.pipeline.motion2d.mapping import KEYPOINT_SETS, to_joints
from crossdiff.skeleton import HUMANML3D

J = HUMANML3D.index
WITHOUT_TOES = ("coco17", "coco18", "jhmdb")
DETECTORS = [name for name in KEYPOINT_SETS if name not in ("jhmdb", "humanml3d22")]


@pytest.mark.parametrize("name", KEYPOINT_SETS)
def test_joints_are_weighted_means(name):
    weights = KEYPOINT_SETS[name].weights
    given = weights.any(axis=1)
    np.testing.assert_allclose(weights[given].sum(axis=1), 1)
    assert [HUMANML3D.joint_names[j] for j in np.flatnonzero(~given)] == (
        ["l_foot", "r_foot"] if name in WITHOUT_TOES else []
    )


def test_a_standing_person_has_its_joints_where_they_belong():
    joints, valid = to_joints(standing()[None], np.ones((1, 33), bool), "blazepose33")
    up = -joints[0, :, 1]
    assert valid.all()
    order = ["l_foot", "l_ankle", "l_knee", "l_hip", "pelvis", "spine1", "spine2", "spine3", "neck", "head"]
    assert np.all(np.diff([up[J(name)] for name in order]) > 0)
    for name in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"):
        assert joints[0, J(f"l_{name}"), 0] > joints[0, J("pelvis"), 0] > joints[0, J(f"r_{name}"), 0]


# A person facing the camera: pixels, y down, the person's left at the image's right.
BODY = {
    "nose": (0, 14), "eye": (3, 12), "ear": (6, 14), "head": (0, 0), "neck": (0, 28), "shoulder": (18, 30),
    "elbow": (24, 60), "wrist": (27, 85), "hip": (12, 85), "knee": (12, 125), "ankle": (12, 165),
    "big_toe": (15, 175), "foot_index": (15, 175), "small_toe": (20, 174), "heel": (11, 170),
}  # fmt: skip


def person_of(name: str) -> np.ndarray:
    """The body's keypoints in a set's order; those of the face, hands and fingers lie far away."""
    points = []
    for keypoint in KEYPOINT_SETS[name].names:
        side = 1 if keypoint.startswith("left") else -1 if keypoint.startswith("right") else 0
        part = keypoint.removeprefix("left_").removeprefix("right_")
        x, y = BODY.get(part if side or part != "hip" else "middle of the hips", (999, 999))
        points.append((100 + side * x if x < 999 else x, y))
    return np.array(points, float)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_puts_the_same_persons_joints_in_the_same_places(name):
    joints, valid = to_joints(person_of(name)[None], np.ones((1, len(person_of(name))), bool), name)
    expected, _ = to_joints(person_of("blazepose33")[None], np.ones((1, 33), bool), "blazepose33")
    lacking = {"l_foot", "r_foot"} if name in WITHOUT_TOES else set()
    assert {HUMANML3D.joint_names[j] for j in np.flatnonzero(~valid[0])} == lacking
    np.testing.assert_allclose(joints[0, valid[0]], expected[0, valid[0]], atol=1e-9)


@pytest.mark.parametrize("name", ["halpe26", "wholebody133"])
def test_only_what_a_joint_is_made_of_must_be_seen(name):
    """Toes alone are lost with the toes, and nothing at all with the small toes, heels, fingers and the contour."""
    names = KEYPOINT_SETS[name].names
    unused = [k for k, n in enumerate(names) if any(w in n for w in ("small_toe", "heel", "face", "finger", "thumb"))]
    seen = np.ones((1, len(names)), bool)
    seen[0, unused] = False
    assert to_joints(person_of(name)[None], seen, name)[1].all()
    seen[0, names.index("left_big_toe")] = False
    _, valid = to_joints(person_of(name)[None], seen, name)
    assert [HUMANML3D.joint_names[j] for j in np.flatnonzero(~valid[0])] == ["l_foot"]


@pytest.mark.parametrize("name", KEYPOINT_SETS)
def test_mirrored_keypoints_give_mirrored_joints(name):
    mirror = list(KEYPOINT_SETS[name].mirror)
    assert [mirror[i] for i in mirror] == list(range(len(mirror)))
    xy = np.random.default_rng(0).normal(size=(4, len(mirror), 2))
    seen = np.ones(xy.shape[:2], bool)
    expected = to_joints(xy, seen, name)[0][:, list(HUMANML3D.mirror)] * [-1, 1]
    np.testing.assert_allclose(to_joints(xy[:, mirror] * [-1, 1], seen, name)[0], expected, atol=1e-12)


def test_the_mouth_and_the_eyes_of_the_face_are_mirrored_as_they_lie():
    """Of 68 points: corners of the mouth 48 and 54, outer corners of the eyes 36 and 45, chin 8."""
    names, mirror = KEYPOINT_SETS["wholebody133"].names, KEYPOINT_SETS["wholebody133"].mirror
    for one, other in ((48, 54), (36, 45), (8, 8), (0, 16)):
        assert names[mirror[names.index(f"face_{one}")]] == f"face_{other}"


def test_the_table_of_the_documentation_is_what_the_code_does():
    """docs/pose.md, between the marks; where this fails, the rows to write are in the message."""
    text = (Path(__file__).parents[2] / "docs" / "pose.md").read_text(encoding="utf-8")
    written = text.partition("<!-- mapping -->\n")[2].partition("<!-- end -->")[0]
    assert written == documented_table()


def documented_table() -> str:
    """The joints of the left and the middle; those of the right are their mirror images (tested above).

    Sets that make all joints of the same keypoints share a column.
    """
    joints = [name for name in HUMANML3D.joint_names if not name.startswith("r_")]
    columns: dict[tuple[str, ...], list[str]] = {}
    for table in KEYPOINT_SETS.values():
        columns.setdefault(tuple(_recipe(table.joint_weights.get(joint, {})) for joint in joints), []).append(
            table.name
        )
    lines = [f"| joint | {' | '.join(map(', '.join, columns.values()))} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {joint} | {' | '.join(recipes)} |" for joint, *recipes in zip(joints, *columns, strict=True)]
    return "\n".join(lines) + "\n"


def _recipe(recipe: dict[str, float]) -> str:
    """Shares of keypoints; `hips` is the middle of both."""
    terms = {}
    for name, weight in recipe.items():
        part, sides = name.partition("_")[2], [recipe.get(f"{s}_{name.partition('_')[2]}") for s in ("left", "right")]
        if sides[0] is not None and sides[0] == sides[1]:
            terms[f"{part}s"] = 2 * weight
        else:
            terms[name] = weight
    written = " + ".join(name if weight == 1 else f"{weight:.2f} {name}" for name, weight in terms.items() if weight)
    return written.replace("+ -", "- ") or "masked"


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


def test_a_puppet_of_jhmdb_has_the_proportions_of_humanml3d():
    """Where annotators put a standing puppet's joints, in lengths of the trunk, y down; see the table's comment."""
    places = {
        "neck": (0, -1.14), "belly": (0, -0.23), "face": (0, -1.38), "shoulder": (0.33, -1), "hip": (0.175, 0),
        "elbow": (0.33, -0.5), "wrist": (0.33, -0.05), "knee": (0.175, 0.74), "ankle": (0.175, 1.44),
    }  # fmt: skip
    xy = []
    for name in KEYPOINT_SETS["jhmdb"].names:
        side = 1 if name.startswith("left") else -1
        x, y = places[name.removeprefix("left_").removeprefix("right_")]
        xy.append((side * x, y))
    joints = to_joints(np.array(xy)[None], np.ones((1, 15), bool), "jhmdb")[0][0]
    # Of the body that HumanML3D brings every motion to, in the same lengths: from between the hips to the shoulders.
    body = {"l_knee": 0.3936 / 0.532, "l_ankle": 0.4324 / 0.532, "l_elbow": 0.2568 / 0.532, "l_wrist": 0.266 / 0.532}
    for joint, length in body.items():
        bone = joints[J(joint)] - joints[HUMANML3D.parents[J(joint)]]
        assert np.linalg.norm(bone) == pytest.approx(length, rel=0.12), joint
    assert joints[J("l_hip"), 0] - joints[J("r_hip"), 0] == pytest.approx(0.1234 / 0.532, rel=0.05)
    assert -joints[J("head"), 1] == pytest.approx(1.36, abs=0.05) and -joints[J("neck"), 1] == pytest.approx(
        1.17, abs=0.05
    )


def test_joints_of_humanml3d_are_themselves():
    joints = np.random.default_rng(0).normal(size=(3, 22, 2))
    seen = np.random.default_rng(1).random((3, 22)) > 0.3
    given, valid = to_joints(joints, seen, "humanml3d22")
    np.testing.assert_array_equal(given, joints)
    np.testing.assert_array_equal(valid, seen)


def test_unknown_sets_and_wrong_counts_are_refused():
    with pytest.raises(ClipError, match="blazepose33"):
        to_joints(np.zeros((1, 5, 2)), np.ones((1, 5), bool), "openpose")
    with pytest.raises(ClipError, match="expected 17"):
        to_joints(np.zeros((1, 5, 2)), np.ones((1, 5), bool), "coco17")
