"""A perspective camera that follows a moving person, and the distance from which the whole motion stays in view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from crossdiff.skeleton import Skeleton

FOCAL = 1.9  # in picture heights: about 30 degrees of view, little distortion of the body
AZIMUTH, ELEVATION = np.radians(38), np.radians(13)  # from the person's front to their right; above the floor
SAFE = 0.455  # distance from the middle that the figure may fill, relative to the picture's size
FOLLOW_SECONDS = 0.35  # width of the filter that turns the root's path into the camera's


@dataclass(frozen=True)
class SceneCamera:
    """Looks at `target` (3,) from `distance`, both in metres; `axes` (3, 3): right, up and forward in the world.

    width, height: of the picture in pixels; focal: in pixels.
    """

    target: Float[ndarray, "3"]
    distance: float
    axes: Float[ndarray, "3 3"]
    width: int
    height: int
    focal: float

    def project(self, points: Float[ndarray, "*n 3"]) -> tuple[Float[ndarray, "*n 2"], Float[ndarray, "*n"]]:
        """World points in metres to pixels (x right, y down) and to metres along the view."""
        relative = (points - self.target) @ self.axes.T
        depth = relative[..., 2] + self.distance
        centre = np.array([self.width / 2, self.height / 2])
        return centre + self.focal * relative[..., :2] * (1, -1) / depth[..., None], depth

    def floor_hits(self, y: float) -> Float[ndarray, "h w 2"]:
        """World x, z at which each pixel's ray meets the plane of height `y`; NaN above the horizon."""
        columns = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        rows = -(np.arange(self.height) + 0.5 - self.height / 2) / self.focal
        right, up, forward = self.axes
        ray = columns[None, :, None] * right + rows[:, None, None] * up + forward
        eye = self.target - self.distance * forward
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (y - eye[1]) / ray[..., 1:2]
        return np.where(reach > 0, eye + reach * ray, np.nan)[..., [0, 2]]


def view_axes(facing: Float[ndarray, "3"], azimuth: float = AZIMUTH, elevation: float = ELEVATION) -> ndarray:
    """Right, up and forward of a camera that sees a person who faces `facing` from `azimuth` right of the front."""
    sideways = np.array([-facing[2], 0.0, facing[0]])  # the person's right
    towards = np.cos(azimuth) * facing + np.sin(azimuth) * sideways  # from the person to the camera
    forward = -np.cos(elevation) * towards - np.sin(elevation) * np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), forward])


def facing_of(joints: Float[ndarray, "j 3"], skeleton: Skeleton) -> Float[ndarray, "3"]:
    """Horizontal unit vector that a pose faces; +z if hips and shoulders are degenerate."""
    r_hip, l_hip, r_shoulder, l_shoulder = skeleton.facing
    across = joints[r_hip] - joints[l_hip] + joints[r_shoulder] - joints[l_shoulder]
    forward = np.cross([0.0, 1.0, 0.0], across)
    length = np.linalg.norm(forward)
    return forward / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])


def smooth_path(root: Float[ndarray, "f d"], fps: float) -> Float[ndarray, "f d"]:
    """The path of the camera: the root's, smoothed."""
    return gaussian_filter1d(root, sigma=FOLLOW_SECONDS * fps, axis=0, mode="nearest")


def distance_to_hold(
    offsets: Float[ndarray, "*n 3"],
    radii: Float[ndarray, "*n"],
    axes: Float[ndarray, "3 3"],
    focal: float = FOCAL,
    wide: bool = False,
) -> float:
    """Smallest distance (m) at which balls at `offsets` from the target stay in a square picture, or a `wide` one.

    With focal length f and half picture h, both in picture heights: f (|x| + radius) / (z + distance) <= h.
    """
    x, y, z = np.moveaxis(offsets @ axes.T, -1, 0)
    reach = (np.abs(y) if wide else np.maximum(np.abs(x), np.abs(y))) + radii
    return float((focal / SAFE * reach - z).max())
