"""A motion for the page of `crossdiff view`: points, capsules, camera and flat views, ready for JSON."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import ClipError, InputError
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D
from crossdiff.viewing.camera import facing_of, view_axes
from crossdiff.viewing.encode import Image
from crossdiff.viewing.figure import Body, bone_colour, side_colour
from crossdiff.viewing.label import axes_of_yaw
from crossdiff.viewing.palette import LEFT, RIGHT
from crossdiff.viewing.video import MotionView

_QUALITY = 72  # of WebP: the drawn skeleton keeps its edges
_MOST_PICTURES = 240  # of one video; a longer one changes its picture less often
_SIDES = {LEFT: "l", RIGHT: "r"}


@dataclass(frozen=True)
class Shown:
    """A motion on the page.

    caption: its title.
    name: shown below it, such as the file's name.
    yaw: yaw of the filming camera in degrees, from `fit_yaw`; None without a camera.
    pictures: RGB frames of the video, one for each frame of the motion, of one size; repeated while it is unchanged.
    parts: prompts in a row with their frames, shown as a timeline.
    path: points (N, 2), x and z in metres, that the motion was to follow, drawn on the floor.
    """

    motion: Motion3D
    caption: str = ""
    name: str = ""
    yaw: float | None = None
    pictures: Sequence[Image] = ()
    parts: Sequence[tuple[str, int]] = ()
    path: ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.motion.joints) == 0:
            raise ClipError(f"{self.name or 'motion'}: has no frames; drop it")
        if self.pictures and len(self.pictures) != len(self.motion.joints):
            raise InputError(
                f"{self.name or 'motion'}: {len(self.pictures)} pictures for {len(self.motion.joints)} frames; "
                "give one for each frame, or none"
            )

    @property
    def about(self) -> str:
        frames, fps = len(self.motion.joints), self.motion.fps
        length = f"{frames} frames, {frames / fps:.1f} s"
        return f"{self.name} · {length}" if self.caption and self.name else length

    @property
    def flat_titles(self) -> tuple[str, str]:
        return ("Front", "Side") if self.yaw is None else ("From the camera", "Side")

    @property
    def has_video(self) -> bool:
        return bool(self.pictures)

    @property
    def axes(self) -> tuple[ndarray, ndarray]:
        """Right, up and forward (rows) of the front and the side view."""
        if self.yaw is not None:
            return axes_of_yaw(self.yaw), axes_of_yaw(self.yaw + 90.0)
        facing = facing_of(np.asarray(self.motion.joints[0], dtype=np.float64), self.motion.skeleton)
        return view_axes(facing, 0.0, 0.0), view_axes(facing, np.pi / 2, 0.0)


def motion_data(shown: Shown) -> dict[str, Any]:
    """The drawing of one motion; lengths in metres, angles in radians, arrays as base64 of little-endian float32.

    points (F, P, 3): the joints, then the ends of head and hands, which the skeleton lacks; path (F, 2):
    x and z that the camera follows; limbs: both points, both radii and the side (l, r, m) of each capsule;
    flat: right (x, z) of the front's and the side's picture; half: metres from a flat picture's middle to its edge.
    """
    motion = shown.motion
    names = motion.skeleton.joint_names
    view = MotionView(motion, None if shown.yaw is None else axes_of_yaw(shown.yaw))
    points = np.concatenate([view.joints, _tips(view)], axis=1)
    front, side = (axes[0, ::2] / np.linalg.norm(axes[0, ::2]) for axes in shown.axes)
    height = float(view.joints[..., 1].max() + 0.12 * view.body.scale)
    middle = (view.floor + height) / 2
    away = points - np.stack([view.path[:, 0], np.full(len(points), middle), view.path[:, 1]], axis=-1)[:, None]
    across = [np.abs(away[..., ::2] @ right).max() for right in (front, side)]
    forward = view.axes[2]
    low, high = view.path.min(axis=0), view.path.max(axis=0)
    return {
        "fps": motion.fps,
        "names": names,
        "sides": [_side(side_colour(name)) for name in names],
        "bones": [(up, j, _side(bone_colour(names[j]))) for up, j in motion.skeleton.bones],
        "points": _packed(points),
        "path": _packed(view.path),
        "limbs": _limbs(view.body, motion.skeleton),
        "scale": view.body.scale,
        "floor": view.floor,
        "height": view.centre,
        "middle": middle,
        "half": max(float(np.max(across)), (height - view.floor) / 2 + 0.05),
        "distance": view.distance,
        "azimuth": float(np.arctan2(-forward[0], -forward[2])),
        "elevation": float(np.arcsin(-forward[1])),
        "path_middle": ((low + high) / 2).tolist(),
        "spread": float(1.1 * np.linalg.norm(high - low)),
        "flat": [front.tolist(), side.tolist()],
        "parts": [frames for _, frames in shown.parts],
        "wanted": None if shown.path is None else np.round(shown.path, 3).tolist(),
        **_film(shown.pictures),
    }


def _tips(view: MotionView) -> ndarray:
    """(F, P, 3) both ends of the head, and the end of each hand."""
    hands = len(view.body.hands)
    ends = np.stack([view.body.capsules(pose)[-1 - hands :] for pose in view.joints])
    return np.concatenate([ends[:, 0], ends[:, 1:, 1]], axis=1)


def _limbs(body: Body, skeleton: Skeleton) -> list[tuple[int, int, float, float, str]]:
    """Capsules over the points of `motion_data`, in the order of `Body.capsules`."""
    first = skeleton.num_joints
    ends = [*body.bones.tolist(), (first, first + 1)]
    ends += [(wrist, first + 2 + n) for n, (wrist, _) in enumerate(body.hands)]
    sides = [_side((int(r), int(g), int(b))) for r, g, b in body.colours]
    radii = np.round(body.radii, 4).tolist()
    return [(a, b, start, end, side) for (a, b), (start, end), side in zip(ends, radii, sides, strict=True)]


def _side(colour: tuple[int, int, int]) -> str:
    return _SIDES.get(colour, "m")


def _packed(array: ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode("ascii")


def _film(pictures: Sequence[Image]) -> dict[str, Any]:
    """The distinct pictures as data URIs, and the index of each frame's picture."""
    if not pictures:
        return {}
    every = -(-len(pictures) // _MOST_PICTURES)
    film: list[str] = []
    film_of: list[int] = []
    last: Image | None = None
    for number, picture in enumerate(pictures):
        if last is None or (number % every == 0 and picture is not last):
            film.append(_data_uri(picture))
            last = picture
        film_of.append(len(film) - 1)
    return {"film": film, "film_of": film_of}


def _data_uri(picture: Image) -> str:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"picture of the video: expected (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".webp", blue_first, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
