"""Where one shot of a video ends and the next begins."""

from __future__ import annotations

from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from pydantic import NonNegativeFloat, PositiveFloat

from crossdiff.config import Config


class ShotConfig(Config):
    """When a frame counts as a cut, for PySceneDetect's AdaptiveDetector, which tolerates moving cameras."""

    ratio: PositiveFloat = 3.0
    """Change from the previous frame, as a multiple of the changes around it."""
    min_change: NonNegativeFloat = 15.0
    """Smallest change from the previous frame: mean over hue, saturation and brightness, of 255."""
    min_seconds: NonNegativeFloat = 0.3
    """Shortest time between two cuts, in seconds."""


class ShotDetector:
    """Fed small frames one by one; `cuts` holds the first frame of every shot but the first, two frames late."""

    def __init__(self, cfg: ShotConfig, fps: float) -> None:
        self.cuts: list[int] = []
        self._frames = 0
        self._detector = _detector(
            adaptive_threshold=cfg.ratio,
            min_scene_len=max(1, round(cfg.min_seconds * fps)),
            min_content_val=cfg.min_change,
        )

    def add(self, frame: UInt8[ndarray, "h w 3"]) -> None:
        """frame: BGR, as OpenCV reads it."""
        self.cuts += self._detector.process_frame(self._frames, frame)
        self._frames += 1


def _detector(**settings: float) -> Any:
    """PySceneDetect's detector, whose measure of change is computed by OpenCV, in a third of the time.

    A version of it that no longer asks for the measure in this way computes its own.
    """
    import cv2
    from scenedetect.detectors import AdaptiveDetector

    class Detector(AdaptiveDetector):
        _before: ndarray | None = None

        def _calculate_frame_score(self, frame_num: int, frame_img: ndarray) -> float:
            before, self._before = self._before, cv2.cvtColor(frame_img, cv2.COLOR_BGR2HSV)
            return 0.0 if before is None else cv2.norm(self._before, before, cv2.NORM_L1) / before.size

    return Detector(**settings)
