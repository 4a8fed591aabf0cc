"""Reading a motion to export, whatever part of the toolkit wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossdiff.errors import InputError
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D
from crossdiff.viewing.motion_files import read_motion

# Length of a person's thigh and shin in metres, generously.
_LEG = (0.1, 3.0)


def read_exportable(path: Path) -> Motion3D:
    """A motion of the 22 joints, long enough to be measured, of a person's size; InputError says what it is not."""
    motion = read_motion(path)
    if motion.skeleton != HUMANML3D:
        raise InputError(f"{path}: motions of the KIT skeleton cannot be exported; give one of {HUMANML3D.name}")
    if len(motion.joints) < FEWEST_FRAMES:
        raise InputError(f"{path}: {len(motion.joints)} frames, need {FEWEST_FRAMES} or more; choose a longer motion")
    up, down = [HUMANML3D.parents[joint] for joint in HUMANML3D.scaling], list(HUMANML3D.scaling)
    bones = np.linalg.norm(motion.joints[:, down] - motion.joints[:, up], axis=-1)
    leg = float(np.median(bones.sum(axis=1)))
    if not _LEG[0] < leg < _LEG[1]:
        raise InputError(f"{path}: a leg is {leg:.3g} m long; joints must be in metres, features not normalised")
    return motion
