"""The two skeletons of the field: 22 joints (HumanML3D, SMPL order) and 21 joints (KIT-ML)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

Vector = tuple[float, float, float]

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_NX, _NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)


@dataclass(frozen=True)
class Skeleton:
    """Joint tree and constants of the motion features. Axes: Y up, Z forward, X to the person's left.

    chains: joint indices from the middle of the body outwards.
    rest: unit direction of the bone that ends at each joint.
    facing: (r_hip, l_hip, r_shoulder, l_shoulder).
    feet: (l_ankle, l_toe, r_ankle, r_toe).
    scaling: the two joints whose bones make up the leg.
    contact_threshold: squared displacement per frame, in squared feature units.
    metres_per_unit: unit of length of the features, in metres.
    body: lengths of the bones of the body that motions are retargeted to, in feature units (None: not retargeted).
    """

    name: str
    joint_names: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    rest: tuple[Vector, ...]
    facing: tuple[int, int, int, int]
    feet: tuple[int, int, int, int]
    scaling: tuple[int, int]
    fps: float
    contact_threshold: float
    metres_per_unit: float
    min_frames: int
    body: tuple[float, ...] | None = None

    @property
    def num_joints(self) -> int:
        return len(self.joint_names)

    @property
    def bones(self) -> list[tuple[int, int]]:
        """(parent, joint) of every joint but the root, in chain order."""
        return [pair for chain in self.chains for pair in itertools.pairwise(chain)]

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint; -1 for the root."""
        parent = {joint: up for up, joint in self.bones}
        return tuple(parent.get(joint, -1) for joint in range(self.num_joints))

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side of the body."""
        swap = {"l_": "r_", "r_": "l_"}
        return tuple(self.joint_names.index(swap.get(n[:2], n[:2]) + n[2:]) for n in self.joint_names)

    def index(self, name: str) -> int:
        return self.joint_names.index(name)


HUMANML3D = Skeleton(
    name="humanml3d",
    joint_names=(
        "pelvis", "l_hip", "r_hip", "spine1", "l_knee", "r_knee", "spine2", "l_ankle", "r_ankle", "spine3",
        "l_foot", "r_foot", "neck", "l_collar", "r_collar", "head", "l_shoulder", "r_shoulder", "l_elbow",
        "r_elbow", "l_wrist", "r_wrist",
    ),
    chains=((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20)),
    rest=(
        (0.0, 0.0, 0.0), _X, _NX, _Y, _NY, _NY, _Y, _NY, _NY, _Y, _Z, _Z, _Y, _X, _NX, _Z, _NY, _NY, _NY, _NY,
        _NY, _NY,
    ),
    facing=(2, 1, 17, 16),
    feet=(7, 10, 8, 11),
    scaling=(5, 8),
    fps=20.0,
    contact_threshold=0.002,
    metres_per_unit=1.0,
    min_frames=40,
    # The body that HumanML3D retargets all its motions to.
    body=(
        0.0, 0.10307, 0.10988, 0.13157, 0.39362, 0.39019, 0.14319, 0.43243, 0.42564, 0.05736, 0.14338, 0.14942,
        0.21936, 0.13749, 0.14338, 0.10304, 0.13161, 0.12298, 0.25684, 0.26309, 0.26601, 0.26988,
    ),
)  # fmt: skip

KIT = Skeleton(
    name="kit",
    joint_names=(
        "pelvis", "spine", "chest", "neck", "head", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow",
        "l_wrist", "r_hip", "r_knee", "r_ankle", "r_heel", "r_foot", "l_hip", "l_knee", "l_ankle", "l_heel",
        "l_foot",
    ),
    chains=((0, 11, 12, 13, 14, 15), (0, 16, 17, 18, 19, 20), (0, 1, 2, 3, 4), (3, 5, 6, 7), (3, 8, 9, 10)),
    rest=(
        (0.0, 0.0, 0.0), _Y, _Y, _Y, _Y, _X, _NY, _NY, _NX, _NY, _NY, _X, _NY, _NY, _Z, _Z, _NX, _NY, _NY, _Z, _Z,
    ),
    facing=(11, 16, 5, 8),
    feet=(19, 20, 14, 15),
    scaling=(17, 18),
    fps=12.5,
    contact_threshold=0.05,
    metres_per_unit=0.003,
    min_frames=24,
)  # fmt: skip

SKELETONS = {s.name: s for s in (HUMANML3D, KIT)}
