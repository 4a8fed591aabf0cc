"""SMPL parameters: read back as AMASS is, posed by a made-up body model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving import BODY, random_rig

from crossdiff.data.amass import load_body_model, read_amass
from crossdiff.errors import InputError
from crossdiff.export.rig import rest_offsets
from crossdiff.export.smpl import body_motion, load_skin, rest_body, write_obj_sequence, write_smpl
from crossdiff.files import write_text
from crossdiff.skeleton import HUMANML3D

PARENTS = [*HUMANML3D.parents, *([20, 22, 23] * 5), *([21, 37, 38] * 5)]


def body_file(path, seed=0):
    """A body of the SMPL-H kind whose skin is one point per joint, bound to it, and random ways of bending."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((52, 3))
    joints[0] = (0.01, -0.2, 0.03)
    offsets = rest_offsets(BODY) * rng.uniform(0.8, 1.2, (22, 1)) + rng.normal(0, 0.01, (22, 3))
    for j in range(1, 52):
        joints[j] = joints[PARENTS[j]] + (offsets[j] if j < 22 else rng.normal(0, 0.02, 3))
    np.savez(
        path,
        v_template=joints,
        shapedirs=rng.normal(0, 0.05, (52, 3, 16)),
        posedirs=np.zeros((52, 3, 51 * 9)),
        J_regressor=np.eye(52),
        kintree_table=np.array([[2**32 - 1, *PARENTS[1:]], range(52)], dtype=np.uint32),
        weights=np.eye(52),
        f=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.uint32),
    )
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return body_file(tmp_path_factory.mktemp("bodies") / "model.npz")


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), most=st.floats(0, 2))
def test_a_motion_of_the_body_itself_comes_back_through_the_reader(tmp_path_factory, model, seed, most):
    pytest.importorskip("smplx", reason="smplx is not installed")
    rig = random_rig(4, seed, most, rest_body(model).offsets)
    path = tmp_path_factory.mktemp("smpl") / "a_poses.npz"
    write_smpl(body_motion(rig, rest_body(model)), path)
    joints = load_body_model(model).joints(read_amass(path))
    np.testing.assert_allclose(joints, rig.joints(), atol=1e-3)


def test_the_file_is_as_amass_has_it(tmp_path, model):
    rig = random_rig(5)
    write_smpl(body_motion(rig, rest_body(model)), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as z:
        assert z["poses"].shape == (5, 156) and z["trans"].shape == (5, 3)
        assert not z["poses"][:, 66:].any() and z["poses"][:, :66].any()
        assert z["betas"].shape == (16,) and not z["betas"].any()
        assert z["mocap_framerate"] == 20 and str(z["gender"]) == "neutral"
    read = read_amass(tmp_path / "a.npz")
    assert read.family == "smplh" and read.fps == 20


def test_without_a_model_up_is_z_and_the_root_turns_upright():
    """A person at rest who rises: trans grows in z, and the root is a quarter turn about x from SMPL's own Y up."""
    rig = random_rig(3, most=0.0, offsets=rest_offsets(BODY))
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (3, 22, 1))
    root = np.array([[0.1, 0.9, 0.2], [0.1, 1.0, 0.2], [0.1, 1.1, 0.3]])
    motion = body_motion(type(rig)(rig.offsets, root, rotations, 20.0), rest_body())
    np.testing.assert_allclose(motion.poses[:, :3], [[np.pi / 2, 0, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(motion.poses[:, 3:], 0, atol=1e-6)
    np.testing.assert_allclose(np.diff(motion.trans, axis=0), [[0, 0, 0.1], [0, -0.1, 0.1]], atol=1e-6)
    np.testing.assert_allclose(motion.trans[0] + rest_body().pelvis, [0.1, -0.2, 0.9], atol=1e-6)


def test_a_body_with_longer_legs_walks_further(model):
    """The path is scaled by the legs, so that steps fit."""
    rig, body = random_rig(6), rest_body(model)
    legs = [np.linalg.norm(offsets[[5, 8]], axis=1).sum() for offsets in (body.offsets, rig.offsets)]
    motion = body_motion(rig, body)
    path = [np.linalg.norm(x[-1] - x[0]) for x in (motion.trans, rig.root)]
    assert path[0] / path[1] == pytest.approx(legs[0] / legs[1], rel=1e-6)


def test_the_skin_is_written_frame_by_frame(tmp_path, model):
    """With one point of skin per joint the meshes are the joints."""
    pytest.importorskip("smplx", reason="smplx is not installed")
    rig = random_rig(3, 1, 1.0, rest_body(model).offsets)
    motion = body_motion(rig, rest_body(model))
    for old in ("0003.obj", "mine.obj"):
        write_text(tmp_path / "mesh" / old, "")
    assert write_obj_sequence(load_skin(model), motion, tmp_path / "mesh") == 3
    (tmp_path / "mesh" / "mine.obj").unlink()
    assert sorted(p.name for p in (tmp_path / "mesh").iterdir()) == ["0000.obj", "0001.obj", "0002.obj"]
    lines = (tmp_path / "mesh" / "0002.obj").read_text().splitlines()
    points = np.array([[float(v) for v in line.split()[1:]] for line in lines if line.startswith("v ")])
    assert [line for line in lines if line.startswith("f ")] == ["f 1 2 3", "f 1 3 4"]
    np.testing.assert_allclose(points[:22], rig.joints()[2], atol=1e-3)


def test_a_model_without_its_skin_is_refused(tmp_path, model):
    with np.load(model) as z:
        content = dict(z)
    np.savez(tmp_path / "thin.npz", **(content | {"weights": content["weights"][:, :24]}))
    with pytest.raises(InputError, match=r"weights \(52, 52\).*got .*\(52, 24\)"):
        load_skin(tmp_path / "thin.npz")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(InputError, match=r"saved as plain arrays"):
        rest_body(tmp_path / "model.pkl")
