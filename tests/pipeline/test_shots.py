"""Shots: our measure of change is PySceneDetect's own."""

import cv2
import numpy as np
import pytest
from scenedetect.detectors import AdaptiveDetector

from crossdiff.pipeline.tracks.shots import ShotConfig, ShotDetector


def _film() -> list[np.ndarray]:
    """Three shots of moving blobs and noise, BGR."""
    rng = np.random.default_rng(0)
    frames = []
    for shot in range(3):
        back = cv2.resize(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8), (96, 64), interpolation=cv2.INTER_CUBIC)
        for number in range(25):
            frame = cv2.circle(back.copy(), (10 + 3 * number, 30), 8, (200, 60 * shot, 90), -1)
            frames.append(cv2.add(frame, rng.integers(0, 6, frame.shape, dtype=np.uint8)))
    return frames


def test_cuts_and_scores_are_those_of_the_library():
    cfg, ours = ShotConfig(), ShotDetector(ShotConfig(), 25.0)
    theirs = AdaptiveDetector(adaptive_threshold=cfg.ratio, min_scene_len=8, min_content_val=cfg.min_change)
    cuts = []
    for number, frame in enumerate(_film()):
        ours.add(frame)
        cuts += theirs.process_frame(number, frame)
        assert ours._detector._frame_score == pytest.approx(theirs._frame_score, rel=1e-12)
    assert ours.cuts == cuts == [25, 50]
