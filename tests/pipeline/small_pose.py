"""Small networks with random weights, saved as the hub's are, for tests of pose backends."""

from pathlib import Path

import numpy as np
import torch


def save_detector(folder: Path, labels: tuple[str, ...] = ("person", "dog")) -> Path:
    """RT-DETR that takes 64 x 64 pixels and sees boxes of a twentieth of the frame."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessorPil, RTDetrResNetConfig

    torch.manual_seed(0)
    stages = ["stage2", "stage3", "stage4"]
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, layer_type="basic", out_features=stages
    )
    width, channels = 16, [16, 16, 16]
    cfg = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=width, encoder_in_channels=[8, 16, 16], encoder_ffn_dim=width,
        d_model=width, decoder_in_channels=channels, decoder_ffn_dim=width, num_queries=10, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, id2label=dict(enumerate(labels)),
    )  # fmt: skip
    RTDetrForObjectDetection(cfg).save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def save_vitpose(folder: Path, keypoints: int = 17, simple: bool = True, experts: int = 1) -> Path:
    """ViTPose that takes 64 x 48 pixels and gives heat maps of 16 x 12."""
    from transformers import (
        VitPoseBackboneConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
        VitPoseImageProcessorPil,
    )

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=(64, 48), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, out_indices=[2],
        initializer_range=0.3, num_experts=experts, part_features=8,
    )  # fmt: skip
    cfg = VitPoseConfig(backbone_config=backbone, num_labels=keypoints, use_simple_decoder=simple)
    VitPoseForPoseEstimation(cfg).save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def noise(count: int, size: tuple[int, int] = (320, 240)) -> list[np.ndarray]:
    """RGB frames of smooth noise; size: (width, height)."""
    import cv2

    generator = np.random.default_rng(0)
    return [cv2.resize(generator.integers(0, 256, (12, 16, 3), np.uint8), size) for _ in range(count)]
