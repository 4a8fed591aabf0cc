"""The camera's movement, told by the background around a person."""

import cv2
import numpy as np
import pytest
from wild import texture

from crossdiff.pipeline.tracks.camera import CameraConfig, CameraTracker, outside

SIZE = (320, 180)
# A wall larger than what the camera sees of it.
WALL = cv2.GaussianBlur((texture((640, 400)) + 128).astype(np.uint8)[..., 0], (0, 0), 1.2)


def _views(frames: int, speed=(0.0, 0.0), zoom: float = 1.0, wall: np.ndarray = WALL):
    """What the camera sees, a person walking before it, and the map from each frame's pixels to the first's."""
    for n in range(frames):
        scale = zoom ** (n / max(frames - 1, 1))
        view = np.array([[scale, 0, -100 - speed[0] * n], [0, scale, -100 - speed[1] * n]])
        frame = cv2.warpAffine(wall, view, SIZE)
        left = 40 + 2 * n
        box = np.array([[left, 50.0, left + 40, 150]])
        frame[50:150, left : left + 40] = np.random.default_rng(n).integers(0, 255, (100, 40))
        first = np.array([[1, 0, -100.0], [0, 1, -100], [0, 0, 1]])
        yield frame, box, first @ np.linalg.inv(np.vstack([view, [0, 0, 1]]))


def _follow(views) -> tuple[CameraTracker, np.ndarray]:
    tracker, true = CameraTracker(CameraConfig()), []
    for frame, box, to_first in views:
        tracker.add(frame, box)
        true.append(to_first)
    return tracker, np.array(true)


def _error(tracker: CameraTracker, true: np.ndarray) -> float:
    """Pixels by which the frame's corners are off at most."""
    corners = np.array([[0, 0, 1], [320, 0, 1], [0, 180, 1], [320, 180, 1]]).T
    return float(np.abs((np.array(tracker.to_first) - true) @ corners).max())


@pytest.mark.parametrize(
    ("speed", "zoom"), [((0, 0), 1.0), ((1.5, 0.4), 1.0), ((4.0, 0), 1.0), ((0.8, 0), 1.3), ((0, 0), 0.8)]
)
def test_pan_and_zoom_are_told_although_a_person_walks_through(speed, zoom):
    tracker, true = _follow(_views(50, speed, zoom))
    assert all(tracker.known)
    assert _error(tracker, true) < 2.0


def test_a_resting_camera_rests():
    tracker, true = _follow(_views(100))
    assert all(tracker.known) and _error(tracker, true) < 0.2


def test_a_plain_wall_tells_nothing():
    tracker, _ = _follow(_views(10, wall=np.full_like(WALL, 128)))
    assert tracker.known == [True] + [False] * 9
    np.testing.assert_array_equal(tracker.to_first, np.tile(np.eye(3), (10, 1, 1)))


def test_a_person_who_fills_the_frame_leaves_nothing_to_tell_it_by():
    tracker = CameraTracker(CameraConfig())
    for frame, _, _ in _views(5, (2.0, 0)):
        tracker.add(frame, np.array([[0.0, 0, 320, 180]]))
    assert tracker.known == [True] + [False] * 4


def test_after_a_step_that_could_not_be_told_the_next_ones_are():
    views = [*_views(10, (1.0, 0)), *((f, b, m) for f, b, m in _views(10, (1.0, 0), wall=WALL[::-1, ::-1]))]
    tracker, _ = _follow(views)
    assert not tracker.known[10] and sum(tracker.known) == 19
    step = np.linalg.inv(tracker.to_first[12]) @ tracker.to_first[19]
    np.testing.assert_allclose(step[:2, 2], [7, 0], atol=0.3)


def test_points_outside_of_boxes():
    points = np.array([[1.0, 1], [5, 5], [9, 1]])
    assert outside(points, np.array([[0.0, 0, 2, 2], [4, 4, 6, 6]])).tolist() == [False, False, True]
    assert outside(points, np.zeros((0, 4))).all()
