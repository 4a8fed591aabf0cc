"""NPZ and CSV: what their documentation says they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from moving import random_rig

from crossdiff.export.arrays import write_csv, write_npz
from crossdiff.skeleton import HUMANML3D


def test_npz_holds_the_motion_and_the_skeleton(tmp_path):
    rig = random_rig(7)
    write_npz(rig, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as z:
        np.testing.assert_allclose(z["joints"], rig.joints(), atol=1e-6)
        np.testing.assert_allclose(z["root_translation"], z["joints"][:, 0])
        assert z["rotations"].shape == (7, 22, 4) and z["fps"] == 20
        assert tuple(z["joint_names"]) == HUMANML3D.joint_names and tuple(z["parents"]) == HUMANML3D.parents
        # World rotations and offsets make the joints.
        w, axis = z["world_rotations"][..., :1], z["world_rotations"][..., 1:]
        for joint, parent in enumerate(z["parents"][1:], start=1):
            offset = np.broadcast_to(z["offsets"][joint], (7, 3))
            twice = 2 * np.cross(axis[:, parent], offset)
            bone = offset + w[:, parent] * twice + np.cross(axis[:, parent], twice)
            np.testing.assert_allclose(z["joints"][:, joint] - z["joints"][:, parent], bone, atol=1e-5)


def test_csv_is_one_row_per_frame(tmp_path):
    rig = random_rig(4)
    write_csv(rig, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns[:4]) == ["time", "pelvis_x", "pelvis_y", "pelvis_z"]
    assert table.shape == (4, 1 + 66)
    assert table["time"].tolist() == pytest.approx([0, 0.05, 0.1, 0.15])
    np.testing.assert_allclose(table.iloc[:, 1:].to_numpy().reshape(4, 22, 3), rig.joints(), atol=1e-5)
    assert table["l_wrist_z"][2] == pytest.approx(rig.joints()[2, 20, 2], abs=1e-5)
