"""People whose legs are posed by angles."""

from __future__ import annotations

import numpy as np

from crossdiff.skeleton import HUMANML3D

HEIGHT = {"thigh": 0.4, "shank": 0.42}


def posed(thighs, knees, ahead=None, frames=None):
    """Somebody whose trunk is upright: angles (F, 2) of left and right thigh forward and of each knee back, degrees.

    The lower ankle stays on the floor. ahead: (F) metres that the root has moved.
    """
    thighs, knees = np.radians(np.broadcast_arrays(thighs, knees))
    frames = len(thighs)
    joints = np.zeros((frames, 22, 3))
    for name, up in (("spine1", 0.12), ("spine2", 0.25), ("spine3", 0.31), ("neck", 0.5), ("head", 0.6)):
        joints[:, HUMANML3D.index(name), 1] = up
    for side, sign in ((0, 1.0), (1, -1.0)):
        mark = "lr"[side]
        hip = np.array([0.1 * sign, -0.06, 0.0])
        down = thighs[:, side] - knees[:, side]
        direction = lambda angle: np.stack([0 * angle, -np.cos(angle), np.sin(angle)], axis=-1)  # noqa: E731
        knee = hip + HEIGHT["thigh"] * direction(thighs[:, side])
        ankle = knee + HEIGHT["shank"] * direction(down)
        for name, place in (
            ("hip", hip),
            ("knee", knee),
            ("ankle", ankle),
            ("foot", ankle + np.array([0, -0.04, 0.14])),
        ):
            joints[:, HUMANML3D.index(f"{mark}_{name}")] = place
        for name, place in (("collar", (0.08, 0.4, 0)), ("shoulder", (0.2, 0.4, 0)), ("elbow", (0.22, 0.15, 0)),
                            ("wrist", (0.22, -0.1, 0.05))):  # fmt: skip
            joints[:, HUMANML3D.index(f"{mark}_{name}")] = np.array(place) * (sign, 1, 1)
    ankles = joints[:, [HUMANML3D.index("l_ankle"), HUMANML3D.index("r_ankle")], 1]
    joints[..., 1] -= ankles.min(axis=1)[:, None] - 0.08
    if ahead is not None:
        joints[..., 2] += np.asarray(ahead)[:, None]
    return joints
