"""Boxes around people by RT-DETR, which needs no suppression of overlapping boxes, and so no compiled operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.errors import InputError
from crossdiff.pipeline.backends.hub import load_pretrained

# They share inputs and outputs.
_FAMILY = ("rt_detr", "rt_detr_v2", "d_fine")
# Pixels; nobody's motion can be read from fewer, and a crop of nothing has no scale.
_SMALLEST = 8


class PersonDetector:
    """source: hub id or folder of a network of RT-DETR's family; threshold: lowest score of a person."""

    def __init__(self, source: str, threshold: float, device: torch.device) -> None:
        from transformers import AutoModelForObjectDetection, RTDetrImageProcessorPil

        loaded = load_pretrained(AutoModelForObjectDetection, RTDetrImageProcessorPil, source, "detector", device)
        self._model, self._processor, self.fingerprint = loaded.model, loaded.processor, loaded.fingerprint
        self._threshold, self._device = threshold, device
        kind, labels = self._model.config.model_type, self._model.config.id2label
        people = [number for number, label in labels.items() if label.lower() == "person"]
        if kind not in _FAMILY or not people:
            raise InputError(
                f"detector {source!r}: expected a network of {', '.join(_FAMILY)} with the class person, got {kind} "
                f"with {', '.join(list(labels.values())[:3])}, ...; name another: --pose-set detector=HUB_ID_OR_FOLDER"
            )
        self._person = people[0]

    @torch.inference_mode()
    def boxes(self, frames: Sequence[ndarray]) -> list[Float[ndarray, "n 4"]]:
        """(left, top, right, bottom) in pixels within the frame, for every person in each RGB frame, surest first."""
        outputs = self._model(pixel_values=torch.stack([self._input(frame) for frame in frames]))
        outputs.logits, outputs.pred_boxes = outputs.logits.float(), outputs.pred_boxes.float()
        found = self._processor.post_process_object_detection(
            outputs, self._threshold, target_sizes=[frame.shape[:2] for frame in frames]
        )
        return [
            _within(one["boxes"][one["labels"] == self._person].cpu().numpy(), frame)
            for one, frame in zip(found, frames, strict=True)
        ]

    def _input(self, frame: ndarray) -> Float[Tensor, "3 h w"]:
        """What the processor does, which is several times slower; its networks take no mean and deviation."""
        pixels = torch.from_numpy(frame).to(self._device).permute(2, 0, 1)[None].float()
        size = (self._processor.size["height"], self._processor.size["width"])
        resized = torch.nn.functional.interpolate(pixels, size, mode="bilinear", antialias=True)
        return resized[0] * self._processor.rescale_factor


def _within(boxes: Float[ndarray, "n 4"], frame: ndarray) -> Float[ndarray, "n 4"]:
    height, width = frame.shape[:2]
    inside = np.clip(boxes, 0, [width, height, width, height])
    return inside[(inside[:, 2:] - inside[:, :2] >= _SMALLEST).all(axis=1)]
