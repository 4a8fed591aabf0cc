"""Where one shot of a video ends and the next begins."""

from __future__ import annotations

from jaxtyping import UInt8
from numpy import ndarray
from pydantic import NonNegativeFloat, PositiveFloat

from crossdiff.config import Config


class ShotConfig(Config):
    """A cut is a frame that differs from the one before `ratio` times as much as its neighbours do, and by at least
    `min_change` (mean over hue, saturation and brightness, of 255), no sooner than `min_seconds` after another.

    ratio: of PySceneDetect's AdaptiveDetector, which moving cameras do not deceive.
    """

    ratio: PositiveFloat = 3.0
    min_change: NonNegativeFloat = 15.0
    min_seconds: NonNegativeFloat = 0.3


class ShotDetector:
    """Fed small frames one by one; `cuts` holds the first frame of every shot but the first, two frames late."""

    def __init__(self, cfg: ShotConfig, fps: float) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self.cuts: list[int] = []
        self._frames = 0
        self._detector = AdaptiveDetector(
            adaptive_threshold=cfg.ratio,
            min_scene_len=max(1, round(cfg.min_seconds * fps)),
            min_content_val=cfg.min_change,
        )

    def add(self, frame: UInt8[ndarray, "h w 3"]) -> None:
        """frame: BGR, as OpenCV reads it."""
        self.cuts += self._detector.process_frame(self._frames, frame)
        self._frames += 1
