"""Hidden hips and shoulders: what the visible ones say about them, and what is lost."""

from dataclasses import replace

import numpy as np
from wild import keypoints, waving

from crossdiff.pipeline.motion2d.hidden import estimate_hidden
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33, CLOSE, JHMDB15, ROUGH
from crossdiff.pipeline.motion2d.motion import MotionConfig, near_jumps, to_motions
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

LEFT_HIP, RIGHT_HIP = (BLAZEPOSE33.names.index(f"{side}_hip") for side in ("left", "right"))
LEFT_SHOULDER, RIGHT_SHOULDER = (BLAZEPOSE33.names.index(f"{side}_shoulder") for side in ("left", "right"))


def hidden(frames: slice, *names: int, length: int = 60) -> Keypoints2D:
    """Somebody who waves, with keypoints hidden (and misplaced) in some frames."""
    whole = keypoints(waving(length))
    score, xy = whole.score.copy(), whole.xy.copy()
    score[frames, list(names)], xy[frames, list(names)] = 0, 999
    return replace(whole, score=score, xy=xy)


def unseen(motion, frame: int) -> set[str]:
    return {HUMANML3D.joint_names[j] for j in np.flatnonzero(~motion.valid[frame])}


def test_a_person_from_the_side_is_not_lost():
    (motion,) = to_motions(hidden(slice(None), LEFT_HIP, LEFT_SHOULDER), MotionConfig())
    assert len(motion.joints) == 60 and unseen(motion, 30) == {"l_hip", "l_shoulder", "l_collar"}
    # The trunk is where the visible side is.
    assert abs(motion.joints[30, HUMANML3D.index("neck"), 0]) < 0.1


def test_the_root_does_not_jump_where_a_hip_disappears():
    apart = (waving(1)[0, LEFT_HIP] - waving(1)[0, RIGHT_HIP])[0]
    clip = hidden(slice(20, 60), LEFT_HIP)
    xy, estimated = estimate_hidden(clip.xy, clip.score > 0, clip.time, BLAZEPOSE33)
    assert (estimated[20:, LEFT_HIP] == CLOSE).all() and not estimated[:20].any()
    distance = (xy[:, LEFT_HIP] - xy[:, RIGHT_HIP])[:, 0]
    np.testing.assert_allclose(distance[:20], apart, rtol=1e-5)
    assert (np.diff(distance[19:30]) < 0).all() and np.abs(np.diff(distance)).max() < 0.12 * apart
    np.testing.assert_allclose(distance[30:], 0, atol=1e-4)


def test_a_hip_hidden_for_a_moment_stays_where_it_was():
    clip = hidden(slice(20, 30), LEFT_HIP)
    xy, _ = estimate_hidden(clip.xy, clip.score > 0, clip.time, BLAZEPOSE33)
    np.testing.assert_allclose(xy[20:30, LEFT_HIP], waving(60)[20:30, LEFT_HIP], rtol=1e-5)


def test_without_shoulders_only_the_root_is_known_of_the_trunk():
    clip = hidden(slice(20, 40), LEFT_SHOULDER, RIGHT_SHOULDER)
    _, estimated = estimate_hidden(clip.xy, clip.score > 0, clip.time, BLAZEPOSE33)
    assert (estimated[20:40, [LEFT_SHOULDER, RIGHT_SHOULDER]] == ROUGH).all()
    (motion,) = to_motions(clip, MotionConfig())
    assert {"spine1", "spine3", "neck", "l_shoulder"} <= unseen(motion, 30)
    assert not {"pelvis", "l_hip", "r_hip", "l_knee"} & unseen(motion, 30)
    np.testing.assert_allclose(motion.joints[:, 0], 0, atol=0.01)


def test_without_hips_the_root_is_lost():
    motions = to_motions(hidden(slice(60, 80), LEFT_HIP, RIGHT_HIP, length=130), MotionConfig())
    assert [len(motion.joints) for motion in motions] == [60, 50]


def test_a_neck_that_was_not_annotated_is_above_the_shoulders():
    xy = np.zeros((3, 15, 2))
    for name, place in {"shoulder": 0.0, "hip": 100.0}.items():
        for side in ("left", "right"):
            xy[:, JHMDB15.names.index(f"{side}_{name}")] = (0, place)
    visible = np.ones((3, 15), dtype=bool)
    neck = JHMDB15.names.index("neck")
    visible[1:, [neck, JHMDB15.names.index("left_shoulder")]] = False
    found, estimated = estimate_hidden(xy, visible, np.arange(3.0), JHMDB15)
    assert estimated[:, neck].tolist() == [0, CLOSE, CLOSE]
    np.testing.assert_allclose(found[1:, neck], [(0, -17), (0, -17)])


def test_a_cut_of_the_film_cuts_the_motion():
    whole = keypoints(waving(80))
    xy = whole.xy.copy()
    xy[40:, :, 0] += 200
    motions = to_motions(replace(whole, xy=xy), MotionConfig())
    assert [len(motion.joints) for motion in motions] == [37, 37]
    assert all(np.abs(motion.joints[:, 0]).max() < 0.01 for motion in motions)
    assert not near_jumps(np.cumsum(np.full((50, 2), 0.4), axis=0), 15.0, 20.0).any()
