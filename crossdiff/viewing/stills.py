"""Single pictures: frames of a video on one sheet, poses of a motion in one row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import ClipError, InputError
from crossdiff.files import write_atomically
from crossdiff.types import Motion3D
from crossdiff.video import VideoReader
from crossdiff.viewing.camera import SceneCamera, distance_to_hold, facing_of, view_axes
from crossdiff.viewing.encode import Image
from crossdiff.viewing.figure import body_of, draw_figure
from crossdiff.viewing.scene import Scene

_GAP = 6  # pixels between the cells of a sheet
# Focal length in picture heights: long, so that the outer poses are seen from the same side as the middle one.
_LENS = 5.0
_TRAVELS = 0.7  # metres; a person who moves farther is seen from the side of the direction of travel


def write_picture(picture: Image, path: Path) -> Path:
    """Write an RGB picture, (H, W, 3) uint8: drawings as .png, photographs as .jpg."""
    if path.suffix.lower() not in (".png", ".jpg"):
        raise InputError(f"{path}: pictures are written as .png or .jpg; change the name")
    encoded = cv2.imencode(path.suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()

    def write(temporary: Path) -> None:
        temporary.write_bytes(encoded)

    write_atomically(path, write)
    return path


def contact_sheet(
    source: Path | Sequence[Image], path: Path, columns: int = 4, count: int = 8, width: int = 320
) -> Path:
    """Write `count` evenly spaced frames of a video (or of RGB frames) as one picture, each `width` pixels wide."""
    if columns < 1 or count < 1 or width < 8:
        raise InputError(f"contact sheet: columns {columns}, count {count} and width {width} must be positive")
    frames = _spread_of_video(source, count) if isinstance(source, Path) else _spread(source, count)
    if not frames:
        raise InputError(f"{path}: no frames for a contact sheet; give at least one")
    height = round(width * frames[0].shape[0] / frames[0].shape[1])
    cells = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for n, cell in enumerate(cells):
        top, left = n // columns * (height + _GAP), n % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = cell
    return write_picture(sheet, path)


def _spread(frames: Sequence[Image], count: int) -> list[Image]:
    return [frames[n] for n in evenly_spaced(len(frames), count)]


def _spread_of_video(video: Path, count: int) -> list[Image]:
    """Evenly spaced frames. The video is read twice, since files declare wrong lengths and frames need memory."""
    length = sum(1 for _ in VideoReader(video).frames())
    wanted = set(evenly_spaced(length, count))
    return [frame for number, frame in enumerate(VideoReader(video).frames()) if number in wanted]


def evenly_spaced(length: int, count: int) -> list[int]:
    """Numbers of at most `count` of `length` frames, from the first to the last."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int)).tolist() if length else []


def motion_strip(motion: Motion3D, path: Path, poses: int = 8, height: int = 480) -> Path:
    """Write one picture of a motion: its poses from left to right in time, from faint to solid, on one floor.

    A person who walks is seen nearly from the side; poses that would overlap are moved apart.
    """
    if len(motion.joints) == 0:
        raise ClipError("motion strip: the motion has no frames; drop the clip")
    if poses < 1 or height < 32:
        raise InputError(f"motion strip: {poses} poses, {height} pixels high; need 1 and 32 or more")
    joints = np.asarray(motion.joints, dtype=np.float64)
    body = body_of(motion.skeleton, joints)
    axes = _strip_axes(joints, motion)
    placed = _apart(joints[evenly_spaced(len(joints), poses)], axes, body.scale)
    ends = np.stack([body.capsules(pose) for pose in placed])
    # Drawn twice as large: the painter's edges are one pixel wide, and a still is looked at closely.
    stage, camera = _wide_stage(placed, ends, body.radii, axes, 2 * height)
    canvas = stage.draw_floor(camera)
    stage.draw_path(canvas, camera, placed[:, 0, ::2])
    solid = np.linspace(0.3, 1.0, len(placed)) if len(placed) > 1 else np.ones(1)
    for n in range(len(placed)):
        shaded = canvas.copy()
        stage.draw_shadow(shaded, camera, ends[n], body.radii)
        cv2.addWeighted(shaded, solid[n], canvas, 1 - solid[n], 0, dst=canvas)
    for n in np.argsort(-(placed[:, 0] @ axes[2])):
        drawn = canvas.copy()
        draw_figure(drawn, camera, body, placed[n])
        cv2.addWeighted(drawn, solid[n], canvas, 1 - solid[n], 0, dst=canvas)
    return write_picture(cv2.resize(canvas, (canvas.shape[1] // 2, height), interpolation=cv2.INTER_AREA), path)


def _strip_axes(joints: ndarray, motion: Motion3D) -> ndarray:
    """Seen from the right of the direction of travel; a person on the spot from three-quarters right of the front."""
    travel = (joints[-1, 0] - joints[0, 0]) * (1, 0, 1)
    length = np.linalg.norm(travel)
    if length > _TRAVELS:
        return view_axes(travel / length, azimuth=np.radians(72), elevation=np.radians(10))
    return view_axes(facing_of(joints[0], motion.skeleton), elevation=np.radians(10))


def _apart(poses: ndarray, axes: ndarray, scale: float) -> ndarray:
    """Place poses (P, J, 3) along the picture: 0.62 body sizes or more between neighbours, 1.1 at most on average."""
    right, up = axes[0], np.array([0.0, 1.0, 0.0])
    away = np.cross(up, right)  # along the floor, from the camera
    root = poses[:, 0]
    across = root @ right
    share = min(1.0, 1.1 * scale * len(poses) / max(float(np.ptp(across)), 1e-6))
    moved = share * across
    for n in range(1, len(moved)):
        moved[n] = max(moved[n], moved[n - 1] + 0.62 * scale)
    place = np.outer(moved, right) + np.outer(share * (root @ away), away)
    return poses + (place - root * (1, 0, 1))[:, None]


def _wide_stage(poses: ndarray, ends: ndarray, radii: ndarray, axes: ndarray, height: int) -> tuple[Scene, SceneCamera]:
    """A stage as wide as the row of poses needs, and the camera in front of its middle."""
    low, high = poses[..., 1].min() - radii.min(), poses[..., 1].max()
    middle = (poses[:, 0].min(axis=0) + poses[:, 0].max(axis=0)) / 2
    middle[1] = centre = low + 0.52 * (high - low)
    distance = distance_to_hold(ends - middle, radii, axes, _LENS, wide=True)

    def stand(width: int, target: ndarray) -> tuple[Scene, SceneCamera]:
        stage = Scene(width, height, axes, distance, low, centre, _LENS)
        return stage, stage.camera(target[0], target[2])

    def sides(camera: SceneCamera) -> tuple[float, float]:
        xy, depth = camera.project(ends)
        edge = radii * camera.focal / depth
        return float((xy[..., 0] - edge).min()), float((xy[..., 0] + edge).max())

    left, right = sides(stand(0, middle)[1])
    middle = middle + axes[0] * (left + right) / 2 * distance / (_LENS * height)
    left, right = sides(stand(0, middle)[1])
    return stand(2 * int(np.ceil(max(-left, right) + 0.12 * height)), middle)
