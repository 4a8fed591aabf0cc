"""A person as shaded capsules: the body built around a skeleton's joints, and a small depth-buffered painter for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.skeleton import Skeleton
from crossdiff.viewing.camera import Camera

LEFT, RIGHT, NEUTRAL = (52, 120, 196), (222, 112, 58), (150, 158, 170)  # blue and orange: told apart by everyone

# Radius of the body at each joint, in metres, for the leg length below; `l_` and `r_` are left off the names.
_RADII = {
    "pelvis": 0.098, "spine": 0.1, "spine1": 0.1, "spine2": 0.104, "spine3": 0.108, "chest": 0.108, "neck": 0.056,
    "head": 0.05, "hip": 0.085, "knee": 0.056, "ankle": 0.041, "heel": 0.038, "foot": 0.033, "collar": 0.075,
    "shoulder": 0.056, "elbow": 0.041, "wrist": 0.031,
}  # fmt: skip
_LEG = 0.83
_TRUNK = {"hip", "collar", "shoulder"}  # bones that end here are drawn in the trunk's colour
_HEAD_RADIUS, _HEAD_UP, _HAND = 0.096, (0.015, 0.075), 0.085
_LIGHT = np.array([-0.45, 0.72, -0.53]) / np.linalg.norm([-0.45, 0.72, -0.53])  # camera axes, from upper left


@dataclass(frozen=True)
class Body:
    """Which capsules make up the figure of one skeleton, for a person of one size.

    bones: (N, 2) joints of each capsule's ends; radii: (N, 2) metres; colours: (N, 3);
    head, hands: capsules that the skeleton has no bone for, as (joint, joint before it).
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
    """Size a figure to the person: every thickness grows with the length of the leg."""
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
    """RGB of the side of the body that a joint's name gives."""
    return {"l_": LEFT, "r_": RIGHT}.get(name[:2], NEUTRAL)


def bone_colour(name: str) -> tuple[int, int, int]:
    """RGB of the bone that ends in the named joint; hips and shoulders belong to the trunk."""
    return NEUTRAL if name[2:] in _TRUNK else side_colour(name)


def draw_figure(canvas: ndarray, camera: Camera, body: Body, joints: Float[ndarray, "j 3"]) -> None:
    """Paint one pose into `canvas` (H, W, 3) uint8, in place; capsules hide each other by their depth at each pixel."""
    ends = body.capsules(joints)
    xy, depth = camera.project(ends)
    near = depth.min(axis=1) > 0.2 * camera.distance
    radius = body.radii * camera.focal / np.maximum(depth, 1e-6)
    low = np.floor((xy - radius[..., None]).min(axis=1) - 1)
    high = np.ceil((xy + radius[..., None]).max(axis=1) + 2)
    limits = (camera.width, camera.height)
    low, high = np.clip(low, 0, limits).astype(int), np.clip(high, 0, limits).astype(int)
    shown = near & (high > low).all(axis=1)
    if not shown.any():
        return
    left, top = low[shown].min(axis=0)
    right, bottom = high[shown].max(axis=0)
    region = canvas[top:bottom, left:right].astype(np.float32)
    depths = np.full(region.shape[:2], np.inf, dtype=np.float32)
    blur = camera.distance / camera.focal  # about one pixel, in metres: crossing capsules blend over it
    for n in np.flatnonzero(shown)[np.argsort(-depth[shown].mean(axis=1))]:
        (x0, y0), (x1, y1) = low[n], high[n]
        patch = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        shape = _Capsule(xy[n] - (x0, y0), radius[n], depth[n], camera.focal)
        shape.paint(region[patch], depths[patch], body.colours[n], blur)
    canvas[top:bottom, left:right] = (region + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class _Capsule:
    """A tapered capsule in a patch of the picture. ends: (2, 2) pixels; radius: (2,) pixels; depth: (2,) metres."""

    ends: ndarray
    radius: ndarray
    depth: ndarray
    focal: float

    def paint(self, patch: ndarray, depths: ndarray, colour: ndarray, blur: float) -> None:
        """Blend into `patch` (h, w, 3) where nearer than `depths` (h, w) metres, and update both."""
        height, width = depths.shape
        x = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5 - self.ends[0, 0])
        y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - self.ends[0, 1])
        dx, dy = (self.ends[1] - self.ends[0]).astype(np.float32)
        along = np.clip((x * dx + y * dy) / max(float(dx * dx + dy * dy), 1e-6), 0, 1)
        radius = np.float32(self.radius[0]) + along * np.float32(self.radius[1] - self.radius[0])
        x, y = x - along * dx, y - along * dy
        away = np.sqrt(x * x + y * y)
        share = np.minimum(away / radius, 1)
        bulge = np.sqrt(1 - share * share)
        axis_depth = np.float32(self.depth[0]) + along * np.float32(self.depth[1] - self.depth[0])
        depth = axis_depth - bulge * radius * (axis_depth / np.float32(self.focal))
        cover = np.clip(radius - away + 0.5, 0, 1) * np.clip((depths - depth) / np.float32(blur) + 0.5, 0, 1)
        lit = (x * np.float32(_LIGHT[0]) - y * np.float32(_LIGHT[1])) / radius - bulge * np.float32(_LIGHT[2])
        shade = 0.66 + 0.42 * np.maximum(lit, 0) - 0.16 * (1 - bulge) ** 2
        gloss = 46 * np.maximum(lit, 0) ** 6
        ink = np.minimum(shade[..., None] * colour + gloss[..., None], 255)
        patch += cover[..., None] * (ink - patch)
        np.copyto(depths, depth, where=cover > 0.5)


def _unit(vector: ndarray) -> ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
