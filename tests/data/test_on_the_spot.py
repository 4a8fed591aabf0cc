"""Walking ahead becomes walking on the spot: no path, the same bones and lifted feet, and a caption that says so."""

from __future__ import annotations

import numpy as np
import pytest
from poses import posed

from crossdiff.data.captions import Caption
from crossdiff.data.on_the_spot import on_the_spot, spot_caption
from crossdiff.skeleton import HUMANML3D


def walking(speed, frames=80, rate=1.0, turn=0.0):
    """Somebody who swings the legs and moves ahead at `speed` metres per second."""
    swing = 35 * np.sin(2 * np.pi * rate * np.arange(frames) / 20)
    thighs = np.stack([swing, -swing], axis=1)
    joints = posed(thighs, np.abs(thighs) * 0.8, ahead=speed * np.arange(frames) / 20)
    angle = np.linspace(0, turn, frames)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.moveaxis(joints, -1, 0)
    return np.stack([x * cos + z * sin, y, z * cos - x * sin], axis=-1)


@pytest.mark.parametrize("speed", [1.2, 3.0])
def test_the_path_goes_and_the_steps_stay(speed):
    joints = walking(speed)
    still = on_the_spot(joints)
    assert np.linalg.norm(still[:, 0, [0, 2]] - still[0, 0, [0, 2]], axis=-1).max() < 0.2
    for joint, parent in enumerate(HUMANML3D.parents):
        if parent >= 0:
            before, after = (np.linalg.norm(j[:, joint] - j[:, parent], axis=-1) for j in (joints, still))
            np.testing.assert_allclose(after, before, atol=1e-6)
    for ankle in ("l_ankle", "r_ankle"):
        heights = [np.ptp(j[:, HUMANML3D.index(ankle), 1]) for j in (joints, still)]
        assert heights[1] > 0.6 * heights[0]
        reach = [np.ptp((j[:, HUMANML3D.index(ankle)] - j[:, 0])[:, 2]) for j in (joints, still)]
        assert reach[1] < 0.5 * reach[0]


@pytest.mark.parametrize(
    "joints",
    [walking(0.2), walking(1.2, turn=3.0), walking(-1.2), walking(1.2, frames=30)],
    ids=["slow", "a curve", "backwards", "short"],
)
def test_other_motion_is_not_put_on_the_spot(joints):
    assert on_the_spot(joints) is None


@pytest.mark.parametrize(
    ("texts", "verb"),
    [
        (["a person walks forward"], "walks"),
        (["someone is running ahead"], "runs"),
        (["a figure", "a man jogs"], "jogs"),
        (["a person walks backwards"], None),
        (["a person walks", "someone turns left while walking"], None),
        (["a person runs in place"], None),
        (["a person waves"], None),
    ],
)
def test_captions_of_walking_and_running_ahead(texts, verb):
    found = spot_caption([Caption(text, "") for text in texts], seed=1)
    assert (found is None) == (verb is None)
    assert found is None or f" {verb} " in found.text
