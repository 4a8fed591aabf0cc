"""ViTPose (Xu et al., NeurIPS 2022) through transformers: everyone in the frame; 17, 26 or 133 keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.pipeline.backends.hub import load_pretrained
from crossdiff.pipeline.backends.topdown import PersonCrop, TopDownBackend, TopDownConfig
from crossdiff.pipeline.motion2d.mapping import keypoint_set_of


class VitPoseConfig(TopDownConfig):
    """Settings of the vitpose backend."""

    weights: str = "usyd-community/vitpose-base-simple"
    """Pose network: hub id, or a folder written by `crossdiff convert-pose`."""


class VitPoseBackend(TopDownBackend):
    """Heat maps by the network, keypoints by transformers' unbiased decoding (DARK, UDP)."""

    name = "vitpose"

    def __init__(self, cfg: VitPoseConfig) -> None:
        import transformers

        super().__init__(cfg)
        loaded = load_pretrained(
            transformers.VitPoseForPoseEstimation,
            transformers.VitPoseImageProcessorPil,
            cfg.weights,
            "weights",
            self.device,
        )
        self._model: Any = loaded.model
        self._processor: Any = loaded.processor
        table = keypoint_set_of(self._model.config.num_labels)
        self.keypoint_set = table.name
        self._pairs = torch.tensor([(i, j) for i, j in enumerate(table.mirror) if i < j], device=self.device)
        self.identity |= {"transformers": transformers.__version__, "weights": loaded.fingerprint}

    def keypoints(self, crops: Sequence[PersonCrop]) -> tuple[Float[ndarray, "n k 2"], Float[ndarray, "n k"]]:
        heatmaps = self.heatmaps(np.stack([self._cut(*crop) for crop in crops]))
        boxes = [[_corner_and_size(box) for _, box in crops]]
        (found,) = self._processor.post_process_pose_estimation(SimpleNamespace(heatmaps=heatmaps), boxes)
        return tuple(np.stack([one[part].numpy() for one in found]) for part in ("keypoints", "scores"))

    @torch.inference_mode()
    def heatmaps(self, crops: Float[ndarray, "n h w 3"]) -> Float[Tensor, "n k y x"]:
        """Of RGB crops of the network's size, uint8; with `flip`, the mean with those of the mirrored crops."""
        mean, std = (
            torch.tensor(v, device=self.device) for v in (self._processor.image_mean, self._processor.image_std)
        )
        pixels = torch.from_numpy(crops).to(self.device) * self._processor.rescale_factor
        inputs = {"pixel_values": ((pixels - mean) / std).permute(0, 3, 1, 2)}
        if self._model.config.backbone_config.num_experts > 1:  # of ViTPose+, the first is COCO's
            inputs["dataset_index"] = torch.zeros(len(crops), dtype=torch.long, device=self.device)
        heatmaps = self._model(**inputs).heatmaps.float()
        if self.cfg.flip:
            inputs["pixel_values"] = inputs["pixel_values"].flip(-1)
            heatmaps = (heatmaps + self._model(**inputs, flip_pairs=self._pairs).heatmaps.float()) / 2
        return heatmaps

    def _cut(self, frame: ndarray, box: Float[ndarray, "4"]) -> Float[ndarray, "h w 3"]:
        """The padded box in the network's size, as the processor does it, which is many times slower."""
        from transformers.models.vitpose.image_processing_pil_vitpose import box_to_center_and_scale, get_warp_matrix

        width, height = self._processor.size["width"], self._processor.size["height"]
        centre, scale = box_to_center_and_scale(_corner_and_size(box), width, height)
        matrix = get_warp_matrix(0, 2 * centre, np.array((width, height)) - 1.0, 200 * scale)
        return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _corner_and_size(box: Float[ndarray, "4"]) -> Float[ndarray, "4"]:
    return np.concatenate([box[:2], box[2:] - box[:2]])
