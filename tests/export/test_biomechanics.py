"""TRC, read back, and angles of poses whose angles are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from moving import BODY, random_rig
from scipy.spatial.transform import Rotation

from crossdiff.export.biomechanics import angle_table, write_angles, write_trc
from crossdiff.export.rig import JOINT_NAMES, Rig, rest_offsets
from crossdiff.skeleton import HUMANML3D


def posed(**turns: Rotation) -> dict[str, float]:
    """Angles of the rest pose, a T-pose that faces +Z, after turning some joints against their parents."""
    rotations = np.zeros((1, 22, 4))
    rotations[..., 0] = 1
    for name, turn in turns.items():
        rotations[0, HUMANML3D.index(name)] = turn.as_quat(scalar_first=True)
    return angle_table(Rig(rest_offsets(BODY), np.zeros((1, 3)), rotations, 20.0)).iloc[0].to_dict()


def about(axis: str, degrees: float) -> Rotation:
    return Rotation.from_euler(axis, degrees, degrees=True)


REST = posed()


def test_trc_holds_the_joints_in_the_axes_of_opensim(tmp_path):
    rig = replace(random_rig(7), names=JOINT_NAMES["mixamo"])
    write_trc(rig, tmp_path / "a b.trc")
    lines = [line.split("\t") for line in (tmp_path / "a b.trc").read_text().splitlines()]
    assert lines[0] == ["PathFileType", "4", "(X/Y/Z)", "a b.trc"]
    header = dict(zip(lines[1], lines[2], strict=True))
    assert (header["NumFrames"], header["NumMarkers"], header["Units"]) == ("7", "22", "mm")
    assert float(header["DataRate"]) == float(header["OrigDataRate"]) == 20
    assert lines[3][:2] == ["Frame#", "Time"] and lines[3][2::3] == list(rig.names)
    assert lines[4][2:6] == ["X1", "Y1", "Z1", "X2"] and lines[4][-1] == "Z22" and lines[5] == [""]
    table = np.array(lines[6:], dtype=float)
    assert table[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(table[:, 1], np.arange(7) / 20)
    markers = table[:, 2:].reshape(7, 22, 3) / 1000
    np.testing.assert_allclose(
        np.stack([-markers[..., 2], markers[..., 1], markers[..., 0]], -1), rig.joints(), atol=1e-6
    )


def test_a_person_at_rest_stands_straight_with_arms_to_the_sides():
    assert all(abs(REST[f"pelvis_{name}"]) < 1e-6 for name in ("tilt", "obliquity", "rotation"))
    assert all(abs(REST[name]) < 11 for name in REST if "hip" in name or "knee" in name or "trunk" in name)
    assert all(REST[f"{side}_ankle_dorsiflexion"] == pytest.approx(0) for side in "lr")
    assert all(80 < REST[f"{side}_shoulder_abduction"] <= 90 for side in "lr")


@pytest.mark.parametrize(
    ("joint", "axis", "degrees", "name", "change"),
    [
        ("pelvis", "x", 20, "pelvis_tilt", 20),
        ("pelvis", "z", 15, "pelvis_obliquity", 15),
        ("pelvis", "y", 30, "pelvis_rotation", 30),
        ("spine1", "x", 25, "trunk_lean", 25),
        ("spine1", "z", -20, "trunk_side_lean", 20),
        ("l_hip", "x", -40, "l_hip_flexion", 40),
        ("r_hip", "x", 20, "r_hip_flexion", -20),
        ("l_hip", "z", 30, "l_hip_abduction", 30),
        ("r_hip", "z", -30, "r_hip_abduction", 30),
        ("l_ankle", "x", -15, "l_ankle_dorsiflexion", 15),
        ("r_ankle", "x", 25, "r_ankle_dorsiflexion", -25),
        ("l_shoulder", "z", -50, "l_shoulder_abduction", -50),
        ("r_shoulder", "z", 50, "r_shoulder_abduction", -50),
    ],
)
def test_a_turned_joint_changes_its_angle(joint, axis, degrees, name, change):
    angles = posed(**{joint: about(axis, degrees)})
    # The spine bends above the pelvis, and arms at rest point a little backwards.
    loose = 6 if name.startswith("trunk") or "shoulder" in name else 2
    assert angles[name] - REST[name] == pytest.approx(change, abs=loose)
    others = [n for n in angles if n[0] in "lr" and n != name and n[1] == "_" and n[0] != joint[0]]
    assert all(
        angles[n] == pytest.approx(REST[n], abs=1e-6) for n in others if not joint.startswith(("pelvis", "spine"))
    )


@pytest.mark.parametrize("side", ["l", "r"])
def test_bends_are_measured_between_the_bones(side):
    for degrees in (60, 120):
        knee = posed(**{f"{side}_knee": about("x", degrees)})[f"{side}_knee_flexion"]
        assert knee == pytest.approx(degrees, abs=10)
    outward = 1 if side == "l" else -1
    elbow = posed(**{f"{side}_elbow": about("y", -90 * outward)})[f"{side}_elbow_flexion"]
    assert elbow == pytest.approx(90, abs=10)
    raised = posed(**{f"{side}_shoulder": about("y", -80 * outward)})
    assert raised[f"{side}_shoulder_flexion"] == pytest.approx(90, abs=20)


def test_turning_and_moving_the_whole_body_changes_only_the_direction_it_faces():
    rig = random_rig(5)
    turn = about("y", 70)
    turned = (turn * Rotation.from_quat(rig.rotations[:, 0], scalar_first=True)).as_quat(scalar_first=True)
    rotations = np.concatenate([turned[:, None], rig.rotations[:, 1:]], axis=1)
    before, after = angle_table(rig), angle_table(replace(rig, root=rig.root + 3, rotations=rotations))
    # Without jumps of whole turns in between.
    assert (((after - before)["pelvis_rotation"] - 70 + 180) % 360 - 180).abs().max() < 1e-6
    rest = [name for name in before if name != "pelvis_rotation"]
    pd.testing.assert_frame_equal(before[rest], after[rest])


def test_angles_are_one_row_per_frame(tmp_path):
    rig = random_rig(4)
    write_angles(rig, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert table.columns[0] == "time" and table["time"].tolist() == pytest.approx([0, 0.05, 0.1, 0.15])
    np.testing.assert_allclose(table, angle_table(rig), atol=0.005001)
    assert "-0.0," not in (tmp_path / "a.csv").read_text()
