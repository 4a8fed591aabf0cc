"""What export asks of a motion beyond that it can be read (tests/viewing/test_motion_files.py)."""

from __future__ import annotations

import numpy as np
import pytest
from moving import random_rig
from synthetic import person

from crossdiff.errors import InputError
from crossdiff.export.arrays import write_npz
from crossdiff.export.batch import read_exportable
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.skeleton import KIT


def test_a_motion_of_a_person_is_taken_as_it_is(tmp_path):
    joints = person(50).numpy()
    np.save(tmp_path / "a.npy", joints)
    motion = read_exportable(tmp_path / "a.npy")
    np.testing.assert_allclose(motion.joints, joints, atol=1e-6)
    assert motion.fps == 20


def test_an_exported_npz(tmp_path):
    rig = random_rig(8)
    write_npz(rig, tmp_path / "a.npz")
    np.testing.assert_allclose(read_exportable(tmp_path / "a.npz").joints, rig.joints(), atol=1e-5)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 21, 3)), "KIT skeleton"),
        (joints_to_features_3d(person(20, KIT), KIT).numpy(), "KIT skeleton"),
        (5 * joints_to_features_3d(person(20)).numpy(), "features must not be normalised"),
        (person(20).numpy() * 1e300, "frame 1 of 20 has"),
        (person(20).numpy().astype(str), "expected numbers"),
        (np.zeros((20, 22, 3)), "a leg is 0 m long"),
        (person(20).numpy() * 100, "must be in metres"),
        (person(3).numpy(), "3 frames, need 4"),
        (np.zeros((20, 66)), "expected joints"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path, array, words):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=rf"bad\.npy: .*{words}"):
        read_exportable(tmp_path / "bad.npy")


@pytest.mark.parametrize("fps", [1e300, 1e-300, 0.0, -20.0, np.nan, np.inf])
def test_a_frame_rate_that_no_motion_has_is_refused(tmp_path, fps):
    np.savez(tmp_path / "bad.npz", joints=person(20).numpy(), fps=np.float64(fps))
    with pytest.raises(InputError, match=r"bad\.npz: .*(frames a second|frame rate must be positive)"):
        read_exportable(tmp_path / "bad.npz")
