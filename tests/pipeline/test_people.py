"""One video to its tracks: shots, people, times and the camera together."""

import json

import cv2
import numpy as np
import pytest
from wild import FakeBackend, texture, waving, write_frames, write_video

from crossdiff.pipeline.backends import Person
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33, keypoint_set_named
from crossdiff.pipeline.motion2d.measures import body_size
from crossdiff.pipeline.motion2d.motion import MotionConfig, to_motions
from crossdiff.pipeline.tracks.appearance import colours
from crossdiff.pipeline.tracks.people import People, PeopleConfig, find_people
from crossdiff.pipeline.tracks.shots import ShotConfig, ShotDetector
from crossdiff.video import VideoReader

SIZE = (320, 240)


def _find(video, pose=None) -> People:
    return find_people(video, pose or FakeBackend(), PeopleConfig(), lambda done, total: None)


class Late(FakeBackend):
    """Answers in batches of seven frames."""

    def estimate(self, frames):
        batch = []
        for people in super().estimate(frames):
            batch.append(people)
            if len(batch) == 7:
                yield from batch
                batch = []
        yield from batch


class Following(FakeBackend):
    """Finds the person of `_scene`, wherever the camera looks."""

    def __init__(self, places: np.ndarray) -> None:
        super().__init__()
        self.places = places

    def estimate(self, frames):
        for xy, _ in zip(self.places, frames, strict=False):
            yield [Person.from_keypoints(xy, np.full(33, 0.9))]


def _scene(frames: int, pan: float, zoom: float, textured: bool = True):
    """Frames and keypoints of someone who walks to the right before a wall, as a camera sees it that pans and zooms."""
    wall = cv2.GaussianBlur((texture((640, 400)) + 128).astype(np.uint8), (0, 0), 1.2) if textured else None
    walk = waving(frames) + (80.0, 130.0) + np.arange(frames)[:, None, None] * (1.2, 0.0)
    pictures, places = [], []
    for n in range(frames):
        scale = zoom ** (n / frames)
        view = np.array([[scale, 0, -100 - pan * n], [0, scale, -100]])
        picture = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8) if wall is None else cv2.warpAffine(wall, view, SIZE)
        xy = walk[n] @ view[:, :2].T + view[:, 2]
        near, far = xy.min(axis=0).astype(int).tolist(), xy.max(axis=0).astype(int).tolist()
        cv2.rectangle(picture, near, far, (30, 60 + n % 5 * 20, 200), -1)
        pictures.append(picture)
        places.append(xy)
    return pictures, np.array(places)


def _walk(tmp_path, pan, zoom, textured=True):
    pictures, places = _scene(60, pan, zoom, textured)
    (track,) = _find(write_frames(tmp_path / f"{pan}_{zoom}.mp4", pictures), Following(places)).tracks
    (motion,) = to_motions(track, MotionConfig())
    return motion


@pytest.mark.parametrize(("pan", "zoom"), [(1.5, 1.0), (0.0, 1.25), (1.0, 1.2)])
def test_the_root_goes_the_same_way_whatever_the_camera_does(tmp_path, pan, zoom):
    still, moving = _walk(tmp_path, 0.0, 1.0), _walk(tmp_path, pan, zoom)
    assert (still.camera, moving.camera) == ("still", "compensated")
    way = np.ptp(still.joints[:, 0, 0])
    assert way > 1 and np.abs(moving.joints[:, 0] - still.joints[:, 0]).max() < 0.03 * way


def test_before_a_plain_wall_the_camera_is_unknown(tmp_path):
    motion = _walk(tmp_path, 1.0, 1.0, textured=False)
    assert motion.camera == "unknown" and not motion.joints[:, 0].any()


def test_a_cut_ends_the_track_of_somebody_who_stands_in_both_shots(tmp_path):
    first, second = (texture((160, 140), seed) + 128 for seed in (0, 1))
    found = _find(write_frames(tmp_path / "a.mp4", [first] * 30 + [second] * 25))
    assert [track.frame.tolist() for track in found.tracks] == [list(range(30)), list(range(30, 55))]
    assert found.measures["shots"] == 2


def test_a_change_of_light_is_no_cut(tmp_path):
    room = texture(SIZE) + 120
    light, detector = room * 0.8 + [0, 20, 60], ShotDetector(ShotConfig(), 20.0)
    for picture in [*[room] * 30, *[light] * 25]:
        detector.add(picture.clip(0, 255).astype(np.uint8))
    assert detector.cuts == [30]
    found = _find(write_frames(tmp_path / "a.mp4", [room] * 30 + [light] * 25))
    assert [len(track.frame) for track in found.tracks] == [55]


def test_people_found_late_belong_to_their_own_frames(tmp_path):
    video = write_video(tmp_path / "a.mp4", frames=40)
    (now,), (late,) = _find(video).tracks, _find(video, Late()).tracks
    for name in ("xy", "frame", "time", "camera", "camera_known"):
        np.testing.assert_array_equal(getattr(now, name), getattr(late, name))


def test_an_unusable_camera_and_empty_frames_are_measured(tmp_path):
    found = _find(write_video(tmp_path / "a.mp4", frames=20, grey=0))
    assert found.tracks == [] and found.measures["camera_known"] < 0.1
    assert found.measures["frames"] == 20 and found.measures["fps"] == 20


@pytest.mark.shared
def test_squats_are_one_track_where_blazepose_found_them(shared):
    from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend

    videos = shared / "videos" / "people"
    (track,) = _find(videos / "squats.mp4", MediaPipeBackend()).tracks
    expected = np.array(json.loads((videos / "squats_blazepose.json").read_text()))[..., :2]
    assert track.frame.tolist() == list(range(len(expected)))
    body = keypoint_set_named(track.keypoint_set).body
    distance = np.linalg.norm(track.xy - expected, axis=-1) / body_size(expected[:, body])
    assert np.mean(distance < 0.05) > 0.95
    assert track.camera_known.all()


@pytest.mark.shared
def test_two_players_are_not_mixed(shared):
    """Looked at frame by frame: one in white until frame 280; one in blue until 150, then hidden by the other."""
    from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend

    video = shared / "videos" / "people" / "basketball_two_players.mp4"
    tracks = _find(video, MediaPipeBackend()).tracks
    long = [t for t in tracks if len(t.frame) >= 40]
    frames = list(VideoReader(video).frames())
    shirts = []
    for track in long:
        people = [Person.from_keypoints(xy, score) for xy, score in zip(track.xy, track.score, strict=True)]
        worn = [colours(frames[n], [one], BLAZEPOSE33)[0] for n, one in zip(track.frame, people, strict=True)]
        red, _, blue = np.array(worn)[:, :3].T
        shirts.append(blue - red > 0.15)
    assert all(min(blue.mean(), 1 - blue.mean()) < 0.1 for blue in shirts)  # somebody else's arm may be before a shirt
    assert sum(blue.sum() for blue in shirts) > 140 and sum((~blue).sum() for blue in shirts) > 240
    # The camera is held by hand, before a background full of corners.
    assert all(t.camera_known.all() for t in long)
