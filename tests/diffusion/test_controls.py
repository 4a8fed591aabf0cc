"""Paths and goals: what is typed, where the pelvis goes, and what hands and feet reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, person, small_model

from crossdiff.diffusion.controls import PlaceControl, plant_sampled_feet
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.floor_path import FloorPath, follow
from crossdiff.diffusion.goals import Goal
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import InputError
from crossdiff.representation.features3d import bone_lengths, joints_to_features_3d
from crossdiff.representation.root_track import RootTrack
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D

FAST = {"num_inference_steps": 3}
FRAMES = 24
CORNER = FloorPath(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    return CrossDiffPipeline(small_model())


def walk(seconds: float, sideways: bool = False) -> RootTrack:
    """Someone who sways, at 1 m/s straight ahead, or sideways while facing ahead."""
    time = np.arange(round(20 * seconds)) / 20
    place = time + 0.02j * np.sin(12 * time)
    return RootTrack(place * (1j if sideways else 1), np.zeros(len(time)))


def test_a_followed_path_keeps_sway_and_direction_in_the_body():
    for sideways in (False, True):
        track = walk(6, sideways)
        led = follow(track, FloorPath(np.array([[1.0, 2.0], [1.0, 4.0], [4.0, 4.0]])), 20)
        start, end = led.place[0], led.place[-1]
        assert abs(start - (2 + 1j)) < 0.05 and abs(end - (4 + 4j)) < 0.05
        steps = np.diff(led.place) * np.exp(-1j * led.heading[1:])
        # The body turns with the path: most of each step has the direction it had.
        expected = 1j if sideways else 1
        assert np.median((steps * np.conj(expected)).real) > 0.9 * np.median(np.abs(steps))
        assert np.ptp(led.heading) == pytest.approx(np.pi / 2, abs=0.2)
        assert np.abs(np.diff(led.place, 2)).max() > 0.001


def test_times_say_when_points_are_passed():
    path = FloorPath(np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), np.array([5.0, 7.0, 9.0]))
    led = follow(walk(4), path, 20)
    assert abs(led.place[40] - 1) < 0.1 and abs(led.place[-1] - 3) < 0.1
    assert path.seconds == 4.0


@pytest.mark.parametrize(
    ("points", "times"),
    [
        ([[0, 0]], None),
        ([[0, 0, 0], [1, 1, 1]], None),
        ([[0, 0], [0, 0.01]], None),
        ([[0, 0], [0, np.nan]], None),
        ([[0, 0], [0, 1]], [0.0, 0.0]),
        ([[0, 0], [0, 1]], [0.0]),
    ],
)
def test_a_path_that_cannot_be_followed(points, times):
    with pytest.raises(InputError, match="path: expected"):
        FloorPath(np.array(points, dtype=float), None if times is None else np.array(times))


@pytest.fixture
def walking(pipe, monkeypatch):
    """The network always says the mean of a walk."""
    steps = pipe.model.normalize("3d", joints_to_features_3d(person(60, turn=0.0)).mean(0))

    def forward(inputs, t, text, mask, targets):
        ((source, x),) = inputs.items()
        return {(source, targets[0]): steps + 0 * x}

    monkeypatch.setattr(pipe.model.network, "forward", forward)
    return pipe


def test_the_pelvis_follows_a_path_longer_than_the_network_takes(walking):
    pipe = walking
    motion = pipe.sequence([("walk", 60)], path=CORNER, **FAST)[0]
    root = motion.joints[:, 0, ::2]
    assert np.linalg.norm(root[0]) < 0.15 and np.linalg.norm(root[-1] - 1) < 0.15
    away = np.minimum(np.hypot(root[:, 0], np.maximum(root[:, 1] - 1, 0)), np.abs(root[:, 1] - 1))
    assert away.mean() < 0.1


def test_the_length_along_a_path_is_that_of_its_times_or_of_the_models_own_pace(walking):
    pipe = walking
    timed = FloorPath(CORNER.points, np.array([0.0, 0.4, 1.1]))
    assert pipe.frames_along(timed, "walk") == 23
    assert len(pipe("walk", path=timed, **FAST)[0].joints) == 23
    long = FloorPath(3 * CORNER.points)
    assert pipe.frames_along(long, "walk") == pytest.approx(3 * pipe.frames_along(CORNER, "walk"), abs=3)


def test_a_goal_is_typed_as_joint_point_and_time():
    goal = Goal("r_wrist", (0.5, 1.2, -0.3), 2.5)
    assert Goal.parse("r_wrist=0.5,1.2,-.3@2.5") == goal == Goal.parse(" r_wrist = 0.5, 1.2, -0.3 @ 2.5s ")
    for wrong in ("r_wrist", "r_wrist=1,2@3", "r_wrist=1,2,3", "head=1,2,3@1", "r_wrist=1,2,3@-1"):
        with pytest.raises(InputError, match="goal: expected"):
            Goal.parse(wrong)


@pytest.mark.parametrize("joint", ["l_wrist", "r_ankle"])
def test_a_limb_reaches_its_goal_with_bones_of_the_same_length(pipe, joint):
    plain = pipe("stand", FRAMES, **FAST)[0].joints
    point = plain[15, HUMANML3D.index(joint)] + [0.6, 0.1, 0.7]
    goal = Goal(joint, tuple(map(float, point)), 0.75)
    assert np.linalg.norm(plain[15, HUMANML3D.index(joint)] - point) > 0.9
    made = pipe("stand", FRAMES, goals=[goal], **FAST)[0]
    assert np.linalg.norm(made.joints[15, HUMANML3D.index(joint)] - point) < 0.08
    planted = plant_sampled_feet(made, goals=[goal])
    assert np.linalg.norm(planted.joints[15, HUMANML3D.index(joint)] - point) < 0.08


def test_a_goal_beyond_the_motion_and_a_path_beside_an_edit_are_refused(pipe):
    with pytest.raises(InputError, match="sample a longer motion"):
        pipe("stand", FRAMES, goals=[Goal("r_wrist", (0, 1, 0), 3.0)], **FAST)
    edit = Edit.from_joints(person(FRAMES).numpy(), slice(0, 5))
    with pytest.raises(InputError, match="got both"):
        pipe("stand", edit=edit, path=CORNER, **FAST)
    with pytest.raises(InputError, match="control: expected standard sampling"):
        pipe("stand", FRAMES, path=CORNER, mixture=True)


def test_rows_of_different_lengths_are_led_as_if_alone():
    model = small_model()
    x = torch.randn(2, FRAMES, 263, generator=torch.Generator().manual_seed(0))
    together = PlaceControl(model, [FRAMES, 12], path=CORNER)(x)
    alone = PlaceControl(model, [12], path=CORNER)(x[1:, :12])
    assert (together[1, :12] - alone[0]).abs().max() < 1e-5
    assert (together[1, 12:] - x[1, 12:]).abs().max() < 1e-5


def test_planted_feet_leave_kept_frames_as_they_are():
    rng = np.random.default_rng(0)
    joints = person(60).numpy()
    sliding = joints[:1] + np.linspace(0, 0.5, 60)[:, None, None] * [0, 0, 1] + 0.001 * rng.normal(size=joints.shape)
    motion = Motion3D(sliding.astype(np.float32), 20.0)
    edit = Edit.from_joints(motion.joints, slice(0, 10))
    planted = plant_sampled_feet(motion, edit)
    np.testing.assert_array_equal(planted.joints[:10], motion.joints[:10])
    toes = [HUMANML3D.index("l_foot"), HUMANML3D.index("r_foot")]
    before, after = (np.abs(np.diff(m.joints[20:, toes, 2], axis=0)).mean() for m in (motion, planted))
    assert after < 0.7 * before
    lengths = [bone_lengths(torch.from_numpy(m.joints)) for m in (motion, planted)]
    assert (lengths[0] - lengths[1]).abs().max() < 1e-4
