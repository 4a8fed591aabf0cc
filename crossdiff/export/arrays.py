"""Writing a rig as arrays (.npz) and as a table (.csv)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from crossdiff.export.rig import Rig
from crossdiff.files import save_npz, write_atomically


def write_npz(rig: Rig, path: Path) -> None:
    """Write joints, rotations and skeleton: metres, Y up, quaternions as (w, x, y, z).

    joints (F, J, 3) in the world; root_translation (F, 3); rotations (F, J, 4) relative to the parent joint;
    world_rotations (F, J, 4); offsets (J, 3) from the parent at rest (T-pose, facing +Z); parents (J,), -1 for the
    root; joint_names (J,); fps.
    """
    joints, world = rig.posed()
    save_npz(
        path,
        joints=joints.astype(np.float32),
        root_translation=rig.root.astype(np.float32),
        rotations=rig.rotations.astype(np.float32),
        world_rotations=world.astype(np.float32),
        offsets=rig.offsets.astype(np.float32),
        parents=np.array(rig.skeleton.parents, dtype=np.int32),
        joint_names=np.array(rig.names),
        fps=np.float64(rig.fps),
    )


def joint_table(rig: Rig) -> pd.DataFrame:
    """One row per frame: `time` in seconds, then JOINT_x, JOINT_y, JOINT_z of every joint in metres, Y up."""
    joints = rig.joints()
    columns = [f"{name}_{axis}" for name in rig.names for axis in "xyz"]
    table = pd.DataFrame(joints.reshape(len(joints), -1), columns=columns)
    table.insert(0, "time", np.arange(len(joints)) / rig.fps)
    return table


def write_csv(rig: Rig, path: Path) -> None:
    """Write `joint_table`, to a hundredth of a millimetre."""
    table = joint_table(rig)
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False, float_format="%.5f"))
