"""Writing a rig for biomechanics: markers of OpenSim (.trc), and a table of joint angles (.csv)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from crossdiff.export.rig import Rig
from crossdiff.files import write_atomically, write_text

_MM = 1000.0
_TRC_FIELDS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames",
)  # fmt: skip
_SIDES = {"l": 1.0, "r": -1.0}


def write_trc(rig: Rig, path: Path) -> None:
    """Write the joints as markers of OpenSim's track row column format: millimetres, tabs between values.

    Axes are OpenSim's: X is our Z (forward in the rest pose), Y is up, Z is to the right (our -X).
    """
    joints = rig.joints()
    markers = _MM * np.stack([joints[..., 2], joints[..., 1], -joints[..., 0]], axis=-1)
    frames, count, rate = len(markers), len(rig.names), f"{rig.fps:.2f}"
    axes = [f"{axis}{number}" for number in range(1, count + 1) for axis in "XYZ"]
    header = [
        ["PathFileType", "4", "(X/Y/Z)", " ".join(path.name.split())],
        [*_TRC_FIELDS],
        [rate, rate, str(frames), str(count), "mm", rate, "1", str(frames)],
        ["Frame#", "Time", *(cell for name in rig.names for cell in (name, "", ""))],
        ["", "", *axes],
        [],
    ]
    rows = [
        [str(frame + 1), f"{frame / rig.fps:.6f}", *(f"{value:.3f}" for value in marker.ravel())]
        for frame, marker in enumerate(markers)
    ]
    write_text(path, "".join("\t".join(row) + "\n" for row in [*header, *rows]))


def angle_table(rig: Rig) -> pd.DataFrame:
    """One row per frame: `time` in seconds, then anatomical angles in degrees, of joint positions alone.

    pelvis_tilt (forward), pelvis_obliquity (left side up), pelvis_rotation (to the left, continuing past half turns):
    rotations of the pelvis in the world about its left, forward and up axes, in the order rotation, tilt, obliquity.
    trunk_lean (forward), trunk_side_lean (to the left): the line from pelvis to neck against the vertical, as the
    pelvis faces.
    SIDE_hip_flexion, SIDE_hip_abduction: the thigh in the frame of the pelvis; 0 points down.
    SIDE_shoulder_flexion, SIDE_shoulder_abduction: the upper arm in the frame of the upper spine; 0 points down.
    Flexion turns forward about the left axis first, abduction outward then; at an abduction of 90 degrees flexion is
    not defined.
    SIDE_knee_flexion, SIDE_elbow_flexion: 0 is straight, never negative.
    SIDE_ankle_dorsiflexion: 0 is the rest pose, in which the foot is flat on the floor under the shin.
    """
    joints, rotations = rig.posed()
    table = {"time": np.arange(len(joints)) / rig.fps}
    pelvis, chest = (_matrices(rotations[:, rig.skeleton.index(name)]) for name in ("pelvis", "spine3"))
    table |= _pelvis_angles(pelvis) | _trunk_angles(rig, joints, pelvis)
    for side, outward in _SIDES.items():
        thigh, shin = _bone(rig, joints, f"{side}_hip", "knee"), _bone(rig, joints, f"{side}_knee", "ankle")
        foot, arm = _bone(rig, joints, f"{side}_ankle", "foot"), _bone(rig, joints, f"{side}_shoulder", "elbow")
        forearm = _bone(rig, joints, f"{side}_elbow", "wrist")
        rest_shin, rest_foot = (rig.offsets[[rig.skeleton.index(f"{side}_{name}")]] for name in ("ankle", "foot"))
        hip, shoulder = _swing(pelvis, thigh, outward), _swing(chest, arm, outward)
        angles = {
            "hip_flexion": hip[0],
            "hip_abduction": hip[1],
            "knee_flexion": _between(thigh, shin),
            "ankle_dorsiflexion": _between(shin, foot) - _between(rest_shin, rest_foot),
            "shoulder_flexion": shoulder[0],
            "shoulder_abduction": shoulder[1],
            "elbow_flexion": _between(arm, forearm),
        }
        table |= {f"{side}_{name}": values for name, values in angles.items()}
    return pd.DataFrame(table)


def write_angles(rig: Rig, path: Path) -> None:
    """Write `angle_table`, to a hundredth of a degree."""
    table = angle_table(rig)
    rounded = table.round({name: 5 if name == "time" else 2 for name in table}) + 0.0  # -0.0 becomes 0.0
    write_atomically(path, lambda temporary: rounded.to_csv(temporary, index=False))


def _matrices(quaternions: Float[ndarray, "f 4"]) -> Float[ndarray, "f 3 3"]:
    """Columns: the left, up and forward axes. quaternions: (w, x, y, z)."""
    return Rotation.from_quat(quaternions, scalar_first=True).as_matrix()


def _bone(rig: Rig, joints: Float[ndarray, "f j 3"], start: str, end: str) -> Float[ndarray, "f 3"]:
    """Vectors from a joint to another one of the same side."""
    side = start[:2]
    return joints[:, rig.skeleton.index(side + end)] - joints[:, rig.skeleton.index(start)]


def _pelvis_angles(pelvis: Float[ndarray, "f 3 3"]) -> dict[str, Float[ndarray, " f"]]:
    left, up, forward = (pelvis[..., axis] for axis in range(3))
    return {
        "pelvis_tilt": np.degrees(np.arcsin(np.clip(-forward[:, 1], -1, 1))),
        "pelvis_obliquity": np.degrees(np.arctan2(left[:, 1], up[:, 1])),
        "pelvis_rotation": np.degrees(np.unwrap(_heading(pelvis))),
    }


def _heading(pelvis: Float[ndarray, "f 3 3"]) -> Float[ndarray, " f"]:
    """Direction that the pelvis faces, radians from +Z towards +X."""
    return np.arctan2(pelvis[:, 0, 2], pelvis[:, 2, 2])


def _trunk_angles(
    rig: Rig, joints: Float[ndarray, "f j 3"], pelvis: Float[ndarray, "f 3 3"]
) -> dict[str, Float[ndarray, " f"]]:
    turn = Rotation.from_rotvec(_heading(pelvis)[:, None] * [0.0, 1.0, 0.0])
    trunk = turn.inv().apply(joints[:, rig.skeleton.index("neck")] - joints[:, rig.skeleton.index("pelvis")])
    return {
        "trunk_lean": np.degrees(np.arctan2(trunk[:, 2], trunk[:, 1])),
        "trunk_side_lean": np.degrees(np.arctan2(trunk[:, 0], trunk[:, 1])),
    }


def _swing(
    frame: Float[ndarray, "f 3 3"], bone: Float[ndarray, "f 3"], outward: float
) -> tuple[Float[ndarray, " f"], Float[ndarray, " f"]]:
    """Flexion and abduction of a bone in a frame, degrees. outward: sign of the left axis that leads off the body."""
    left, up, forward = np.einsum("fij,fi->jf", frame, bone / np.linalg.norm(bone, axis=-1, keepdims=True))
    return np.degrees(np.arctan2(forward, -up)), np.degrees(np.arcsin(np.clip(outward * left, -1, 1)))


def _between(first: Float[ndarray, "f 3"], second: Float[ndarray, "f 3"]) -> Float[ndarray, " f"]:
    """Angle between vectors, degrees; accurate for nearly parallel ones too."""
    cross = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.degrees(np.arctan2(cross, (first * second).sum(-1)))
