"""A person as shaded capsules: the body built around a skeleton's joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.skeleton import Skeleton
from crossdiff.viewing.camera import SceneCamera
from crossdiff.viewing.capsules import Capsules
from crossdiff.viewing.palette import LEFT, NEUTRAL, RIGHT

# Radius of the body at each joint, in metres, for the leg length below; names without `l_` and `r_`.
_RADII = {
    "pelvis": 0.098, "spine": 0.1, "spine1": 0.1, "spine2": 0.104, "spine3": 0.108, "chest": 0.108, "neck": 0.056,
    "head": 0.05, "hip": 0.085, "knee": 0.056, "ankle": 0.041, "heel": 0.038, "foot": 0.033, "collar": 0.075,
    "shoulder": 0.056, "elbow": 0.041, "wrist": 0.031,
}  # fmt: skip
_LEG = 0.83
_TRUNK = {"hip", "collar", "shoulder"}  # bones that end here are drawn in the trunk's colour
_HEAD_RADIUS, _HEAD_UP, _HAND = 0.096, (0.015, 0.075), 0.085


@dataclass(frozen=True)
class Body:
    """The capsules of the figure of a skeleton, for a person of one size.

    bones: (N, 2) joints at the ends of each capsule.
    radii: (N, 2) metres.
    colours: (N, 3) RGB.
    head, hands: capsules without a bone of the skeleton, as (joint, joint before it).
    """

    bones: ndarray
    radii: Float[ndarray, "n 2"]
    colours: Float[ndarray, "n 3"]
    head: tuple[int, int]
    hands: tuple[tuple[int, int], ...]
    scale: float
    foot_radius: float

    def capsules(self, joints: Float[ndarray, "j 3"]) -> Float[ndarray, "n 2 3"]:
        """Both ends of every capsule, in metres, for one pose."""
        ends = [joints[self.bones]]
        top, below = self.head
        up = self.scale * _unit(joints[top] - joints[below])
        ends.append((joints[top] + np.outer(_HEAD_UP, up))[None])
        for wrist, elbow in self.hands:
            along = self.scale * _HAND * _unit(joints[wrist] - joints[elbow])
            ends.append(np.stack([joints[wrist], joints[wrist] + along])[None])
        return np.concatenate(ends)


def body_of(skeleton: Skeleton, joints: Float[ndarray, "f j 3"]) -> Body:
    """Scale a figure to the person, by the length of the leg."""
    parents, names = skeleton.parents, skeleton.joint_names
    lengths = [np.linalg.norm(joints[:, j] - joints[:, parents[j]], axis=-1) for j in skeleton.scaling]
    scale = float(np.clip(np.median(sum(lengths)) / _LEG, 0.2, 5.0))
    part = [name.removeprefix("l_").removeprefix("r_") for name in names]
    radii = [[_RADII[part[up]], _RADII[part[j]]] for up, j in skeleton.bones]
    colours = [bone_colour(names[j]) for _, j in skeleton.bones]
    head = skeleton.index("head")
    wrists = [j for j in range(len(names)) if part[j] == "wrist"]
    radii += [[_HEAD_RADIUS] * 2] + [[0.036, 0.026]] * len(wrists)
    colours += [NEUTRAL] + [side_colour(names[j]) for j in wrists]
    return Body(
        bones=np.array(skeleton.bones),
        radii=scale * np.array(radii),
        colours=np.array(colours, dtype=np.float32),
        head=(head, parents[parents[head]]),
        hands=tuple((j, parents[j]) for j in wrists),
        scale=scale,
        foot_radius=scale * _RADII["foot"],
    )


def side_colour(name: str) -> tuple[int, int, int]:
    """RGB of a joint's side of the body, by its name."""
    return {"l_": LEFT, "r_": RIGHT}.get(name[:2], NEUTRAL)


def bone_colour(name: str) -> tuple[int, int, int]:
    """RGB of the bone that ends in the named joint; hips and shoulders belong to the trunk."""
    return NEUTRAL if name[2:] in _TRUNK else side_colour(name)


def draw_figure(canvas: ndarray, camera: SceneCamera, body: Body, joints: Float[ndarray, "j 3"]) -> None:
    """Paint one pose into `canvas` (H, W, 3) uint8, in place, with a depth buffer."""
    ends = body.capsules(joints)
    xy, depth = camera.project(ends)
    visible = np.flatnonzero(depth.min(axis=1) > 0.2 * camera.distance)
    visible = visible[np.argsort(-depth[visible].mean(axis=1))]
    xy, depth = xy[visible], depth[visible]
    radius = body.radii[visible] * camera.focal / depth
    blur = camera.distance / camera.focal  # about one pixel, in metres, over which intersecting capsules blend
    Capsules(xy, radius, depth, body.colours[visible], camera.focal, blur).paint(canvas)


def _unit(vector: ndarray) -> ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
