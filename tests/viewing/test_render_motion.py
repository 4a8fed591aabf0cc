from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossdiff.errors import ClipError, InputError
from crossdiff.skeleton import HUMANML3D, Skeleton
from crossdiff.types import Motion2D, Motion3D
from crossdiff.video import VideoReader
from crossdiff.viewing.camera import facing_of, view_axes
from crossdiff.viewing.figure import LEFT, RIGHT, draw_figure
from crossdiff.viewing.scene import Scene
from crossdiff.viewing.video import MotionView, render_2d, render_motion

Walking = Callable[..., Motion3D]
Frames = Callable[[Path], list[np.ndarray]]


def is_like(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(H, W) True where a pixel has the hue of a limb, lit or shaded."""
    pixel = frame.astype(float) - frame.mean(axis=-1, keepdims=True)
    limb = np.array(colour, dtype=float) - np.mean(colour)
    return (pixel @ limb) / np.linalg.norm(limb) > 45


def figure_mask(frame: np.ndarray) -> np.ndarray:
    return is_like(frame, LEFT) | is_like(frame, RIGHT)


@pytest.mark.parametrize("speed", [0.0, 0.06, 0.25])
def test_the_whole_figure_stays_in_the_picture(skeleton: Skeleton, speed: float, walking: Walking) -> None:
    motion = walking(40, speed, skeleton)
    view = MotionView(motion)
    scene = view.scene(200, view.distance)
    for frame in range(40):
        camera = scene.camera(*view.path[frame])
        xy, depth = camera.project(view.body.capsules(view.joints[frame]))
        edge = view.body.radii * camera.focal / depth
        assert (xy - edge[..., None]).min() > 5
        assert (xy + edge[..., None]).max() < 195


def test_the_figure_is_large_and_stands_on_the_floor(skeleton: Skeleton, walking: Walking) -> None:
    view = MotionView(walking(5, 0.0, skeleton))
    rows = np.flatnonzero(figure_mask(view.draw(view.scene(200, view.distance), 0)).any(axis=1))
    assert np.ptp(rows) > 90
    assert view.floor == pytest.approx(view.joints[..., 1].min() - view.body.foot_radius)


def test_left_is_blue_and_right_is_orange_whichever_way_the_person_faces(walking: Walking) -> None:
    for turn in np.radians([0, 90, 200]):
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        motion = walking(3)
        view = MotionView(Motion3D(motion.joints @ rotation.T, 20.0))
        picture = view.draw(view.scene(200, view.distance), 0)
        left = np.flatnonzero(is_like(picture, LEFT).any(axis=0)).mean()
        right = np.flatnonzero(is_like(picture, RIGHT).any(axis=0)).mean()
        assert right < left, "seen from the front, the person's right side is on our left"


def test_camera_axes_are_right_handed_and_in_front_of_the_person(walking: Walking) -> None:
    facing = facing_of(walking(1).joints[0], HUMANML3D)
    np.testing.assert_allclose(facing, [0, 0, 1], atol=1e-9)
    axes = view_axes(facing)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert axes[2] @ facing < 0  # looks against the direction that the person faces
    assert axes[1][1] > 0.9


def test_nearer_capsules_hide_farther_ones(walking: Walking) -> None:
    view = MotionView(walking(1, 0.0))
    axes = view_axes(np.array([0.0, 0.0, 1.0]), azimuth=np.pi / 2, elevation=0.0)
    scene = Scene(200, 200, axes, view.distance, view.floor, view.centre)
    canvas = np.full((200, 200, 3), 255, dtype=np.uint8)
    draw_figure(canvas, scene.camera(0, 0), view.body, view.joints[0])
    assert is_like(canvas, RIGHT).sum() > 10 * is_like(canvas, LEFT).sum()


def test_video_has_a_panel_for_each_motion_and_shorter_ones_hold(
    tmp_path: Path, frames_of: Frames, walking: Walking
) -> None:
    path = render_motion([walking(9), walking(4)], tmp_path / "m.mp4", ["one", "two"], size=96)
    info = VideoReader(path).info
    frames = frames_of(path)
    assert len(frames) == info.frames == 9
    assert info.fps == pytest.approx(20)
    assert info.size[0] >= 2 * 96
    assert info.size[1] > 96, "the titles need room above the pictures"
    first, second = (lambda f: f[-90:, :96].astype(int)), (lambda f: f[-90:, -96:].astype(int))
    assert np.abs(first(frames[8]) - first(frames[4])).max() > 60
    assert np.abs(second(frames[8]) - second(frames[4])).max() < 40  # nothing but the codec's noise


def test_works_for_both_skeletons_and_single_frames(tmp_path: Path, skeleton: Skeleton, walking: Walking) -> None:
    path = render_motion([walking(1, 0.0, skeleton, skeleton.fps)], tmp_path / "m.mp4", size=64)
    assert VideoReader(path).info.frames == 1


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3])
def test_absurd_joints_still_give_a_picture(tmp_path: Path, scale: float) -> None:
    joints = np.random.default_rng(0).normal(0, scale, (3, 22, 3))
    assert render_motion([Motion3D(joints, 20.0)], tmp_path / "m.mp4", size=64).is_file()


def test_a_blank_title_beside_another_says_nothing(tmp_path: Path, walking: Walking) -> None:
    path = render_motion([walking(1), walking(1)], tmp_path / "a.mp4", ["walk", " "], size=64)
    assert VideoReader(path).info.size[1] > 64


def test_long_titles_wrap_and_do_not_widen_the_video(tmp_path: Path, walking: Walking) -> None:
    plain = VideoReader(render_motion([walking(1)], tmp_path / "a.mp4", ["walk"], size=128)).info
    title = "a person walks forward, turns around, and then " * 4 + "W" * 80
    wrapped = VideoReader(render_motion([walking(1)], tmp_path / "b.mp4", [title], size=128)).info
    assert wrapped.size[0] == plain.size[0] == 128
    assert wrapped.size[1] > plain.size[1] + 20


def test_bad_requests_are_explained(tmp_path: Path, walking: Walking) -> None:
    path = tmp_path / "m.mp4"
    with pytest.raises(InputError, match="no motions"):
        render_motion([], path)
    with pytest.raises(InputError, match="2 titles for 1"):
        render_motion([walking(2)], path, ["a", "b"])
    with pytest.raises(InputError, match="in step"):
        render_motion([walking(2), walking(2, fps=30.0)], path)
    with pytest.raises(InputError, match="too small"):
        render_motion([walking(2)], path, size=8)
    with pytest.raises(ClipError, match="no frames"):
        render_motion([Motion3D(np.zeros((0, 22, 3)), 20.0)], path)
    with pytest.raises(ClipError, match="NaN"):
        render_motion([Motion3D(np.full((2, 22, 3), np.nan), 20.0)], path)
    assert not path.exists()


@pytest.fixture
def flat(walking: Walking) -> Motion2D:
    joints = walking(6).joints[..., [2, 1]]
    joints = joints - joints[0, 0]
    return Motion2D(joints, np.ones(joints.shape[:2], dtype=bool), 20.0)


def test_2d_video_and_masked_joints(tmp_path: Path, frames_of: Frames, flat: Motion2D) -> None:
    seen = flat
    right = [name.startswith("r_") for name in HUMANML3D.joint_names]
    joints, valid = seen.joints.copy(), seen.valid.copy()
    valid[:, right] = False
    joints[:, right] = np.nan
    path = render_2d([seen, Motion2D(joints, valid, 20.0)], tmp_path / "m.mp4", ["all", "left only"], size=128)
    frames = frames_of(path)
    assert len(frames) == 6
    whole, masked = frames[2][:, :128], frames[2][:, -128:]
    assert is_like(whole, RIGHT).sum() > 50
    assert is_like(masked, RIGHT).sum() == 0
    assert is_like(masked, LEFT).sum() > 50


def test_2d_figure_is_upright_and_inside(tmp_path: Path, frames_of: Frames, flat: Motion2D) -> None:
    frame = frames_of(render_2d([flat], tmp_path / "m.mp4", size=128))[0]
    mask = figure_mask(frame)
    assert not (mask[[0, -1]].any() or mask[:, [0, -1]].any())
    dark = np.flatnonzero((frame.max(axis=-1) < 190).any(axis=1))
    head = frame[dark[0] + 4]
    assert np.ptp(head[head.max(axis=-1) < 190].mean(axis=0)) < 40, "the grey head is at the top"


def test_2d_motion_without_any_joint_is_refused(tmp_path: Path) -> None:
    nothing = Motion2D(np.zeros((3, 22, 2)), np.zeros((3, 22), dtype=bool), 20.0)
    with pytest.raises(ClipError, match="no joint is valid"):
        render_2d([nothing], tmp_path / "m.mp4")
