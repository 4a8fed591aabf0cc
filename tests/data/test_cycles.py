"""Clips that end as they begin are repeated; others are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import person, write_run

from crossdiff.data.cycles import find_cycle, hold_still, placed_rows, repeated_rows
from crossdiff.data.wild import WildDataset
from crossdiff.files import load_npz, save_npz
from crossdiff.representation.features3d import features_to_joints, joints_to_features_3d
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.skeleton import HUMANML3D


def waving(frames, period, rest=0):
    """Features (F - 1, 263) of somebody whose forearms go round once in `period` frames, after `rest` still ones."""
    joints = person(frames, swing=0.0, turn=0.0).numpy()
    joints[..., [0, 2]] -= joints[:, :1, [0, 2]]  # on the spot
    joints[..., 1] -= joints[:, :1, 1] - joints[0, 0, 1]
    angle = 2 * np.pi * np.clip(np.arange(frames) - rest, 0, None) / period
    for side in "lr":
        elbow, wrist = (HUMANML3D.index(f"{side}_{part}") for part in ("elbow", "wrist"))
        for joint, reach in ((elbow, 0.25), (wrist, 0.55)):
            shoulder = joints[:, HUMANML3D.index(f"{side}_shoulder")]
            joints[:, joint] = shoulder + reach * np.stack([0 * angle, -np.cos(angle), np.sin(angle)], axis=-1)
    return joints_to_features_3d(torch.from_numpy(joints)).numpy()


@pytest.mark.parametrize("period", [16, 24])
def test_a_cycle_is_found_and_repeats_without_a_jump(period):
    features = waving(period + 5, period)
    start, stop = find_cycle(features)
    assert abs(stop - start - period) <= 1
    rows = repeated_rows((start, stop), len(features), 120, np.random.default_rng(3))
    assert len(features) < len(rows) <= 120
    joints = features_to_joints(torch.from_numpy(features[rows])).numpy()
    once = features_to_joints(torch.from_numpy(features)).numpy()
    step = np.linalg.norm(np.diff(once, axis=0), axis=-1).max()
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 1.6 * step


def test_what_ends_elsewhere_is_no_cycle():
    assert find_cycle(waving(24, 48)) is None  # half a turn
    assert find_cycle(waving(60, 16, rest=44)) is None  # a cycle of a small part of the clip
    assert find_cycle(waving(6, 4)) is None  # too short
    assert find_cycle(np.zeros((40, 263), dtype=np.float32)) is None


def test_repetitions_fit_and_keep_beginning_and_end():
    for seed in range(10):
        rows = repeated_rows((3, 13), 20, 64, np.random.default_rng(seed))
        assert len(rows) <= 64 and (len(rows) - 20) % 10 == 0
        assert rows[:13].tolist() == list(range(13)) and rows[-7:].tolist() == list(range(13, 20))
    assert repeated_rows((3, 13), 20, 12, np.random.default_rng(0)).tolist() == list(range(20))


def test_windows_of_a_run_repeat_cycles_where_asked(tmp_path):
    write_run(tmp_path, [30, 30])
    save_npz(tmp_path / "pseudo3d" / "wild1.npz", **(
        load_npz(tmp_path / "pseudo3d" / "wild1.npz") | {"features": waving(31, 25)}
    ))  # fmt: skip
    rng = np.random.default_rng(0)
    for repeat in (False, True):
        data = WildDataset(tmp_path, repeat=repeat)
        lengths = {i: {data.crop(i, 100, rng).num_frames for _ in range(20)} for i in (0, 1)}
        assert lengths[0] == {30}
        assert (max(lengths[1]) > 50) == repeat and max(lengths[1]) <= 100
        for window in (data.crop(1, 100, rng) for _ in range(5)):
            assert len(window.features["2d"]) == len(window.seen) == len(window.trusted["3d"]) == window.num_frames
    data.relabel(1, np.zeros((30, 263)))
    assert data.crop(1, 100, rng).num_frames == 30


def test_clips_are_placed_whole_in_windows_of_random_length():
    lengths = set()
    for seed in range(40):
        rows, own = placed_rows(20, 64, np.random.default_rng(seed))
        assert rows[own].tolist() == list(range(20))
        first = int(own.argmax())
        assert 20 <= len(rows) <= 64 and 3 * first <= len(rows) - 20
        assert (rows[:first] == 0).all() and (rows[first + 20 :] == 19).all()
        lengths.add(len(rows))
    assert len(lengths) > 10
    assert placed_rows(70, 64, np.random.default_rng(0))[0].tolist() == list(range(70))


def test_frames_around_a_clip_stand_still_and_are_no_targets(tmp_path):
    write_run(tmp_path, [30])
    data, rng = WildDataset(tmp_path, place_in=90), np.random.default_rng(1)
    window = max((data.crop(0, 196, rng) for _ in range(8)), key=lambda w: w.num_frames)
    own = window.trusted["3d"].all(axis=1)
    assert own.sum() == 30 and window.num_frames > 45
    assert not window.trusted["3d"][~own].any() and not window.trusted["2d"][~own].any()
    np.testing.assert_array_equal(window.features["3d"][own], data.clips[0].features["3d"])
    for domain, layout in (("3d", layout_3d()), ("2d", layout_2d())):
        still = window.features[domain][~own]
        assert not still[:, layout.groups["velocities"]].any() and not still[:, layout.groups["root"]][:, :2].any()
        poses = still[:, layout.groups["positions"]]
        assert np.isin(poses, data.clips[0].features[domain][[0, -1], layout.groups["positions"]]).all()
    joints = features_to_joints(torch.from_numpy(window.features["3d"])).numpy()
    assert np.abs(np.diff(joints[own.nonzero()[0][-1] + 1 :], axis=0)).max(initial=0) < 1e-5
    plain = np.ones((4, 263), dtype=np.float32)
    hold_still(plain, layout_3d(), np.array([True, False, True, True]))
    assert plain[0].all() and plain[1, 3] == 1 and not plain[1, :3].any()
