"""ViTPose checkpoints of mmpose and of the authors' repository -> a folder for the `vitpose` backend."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossdiff.errors import CheckpointError, ClipError
from crossdiff.files import decoding, write_atomically, write_text
from crossdiff.models.convert import read_official
from crossdiff.pipeline.backends.hub import CONFIG, PROCESSOR, WEIGHTS
from crossdiff.pipeline.motion2d.mapping import keypoint_set_of

PATCH = 16
# Attention heads cannot be seen in the weights: those of ViTPose-S, B, L and H by their widths.
_HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}

# Theirs -> transformers'. mmpose (through mmpretrain) and the authors' repository name the same parts differently.
_NAMES = [
    (r"backbone\.patch_embed\.proj(?:ection)?\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.(?:ln1|norm1)\.", r"backbone.encoder.layer.\1.layernorm_before."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.(?:ln2|norm2)\.", r"backbone.encoder.layer.\1.layernorm_after."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.attn\.qkv\.", r"backbone.encoder.layer.\1.attention.attention.{}."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.attn\.proj\.", r"backbone.encoder.layer.\1.attention.output.dense."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.(?:ffn\.layers\.0\.0|mlp\.fc1)\.", r"backbone.encoder.layer.\1.mlp.fc1."),
    (r"backbone\.(?:layers|blocks)\.(\d+)\.(?:ffn\.layers\.1|mlp\.fc2)\.", r"backbone.encoder.layer.\1.mlp.fc2."),
    (r"backbone\.(?:ln1|last_norm)\.", "backbone.layernorm."),
    (r"(?:keypoint_)?head\.deconv_layers\.0\.", "head.deconv1."),
    (r"(?:keypoint_)?head\.deconv_layers\.1\.", "head.batchnorm1."),
    (r"(?:keypoint_)?head\.deconv_layers\.3\.", "head.deconv2."),
    (r"(?:keypoint_)?head\.deconv_layers\.4\.", "head.batchnorm2."),
    (r"(?:keypoint_)?head\.final_layer\.", "head.conv."),
]
_POSITIONS = "backbone.embeddings.position_embeddings"


@dataclass(frozen=True)
class ConvertedPose:
    """What was found in the weights. size: (height, width) of the network's input in pixels."""

    millions: float
    layers: int
    width: int
    keypoint_set: str
    size: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"{self.millions:.1f} M parameters: {self.layers} layers, width {self.width}, {self.keypoint_set}, "
            f"crops of {self.size[1]} x {self.size[0]} pixels"
        )


def convert_pose(path: Path, out: Path) -> ConvertedPose:
    """Write configuration, processor and weights of transformers' ViTPose to `out`. Nothing is unpickled."""
    from safetensors.torch import save_file
    from transformers import VitPoseImageProcessorPil

    with decoding(path, "a ViTPose checkpoint", CheckpointError):
        model = vitpose_of(read_pose_state(path), path)
    backbone = model.config.backbone_config
    height, width = backbone.image_size
    processor = VitPoseImageProcessorPil(size={"height": height, "width": width})
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    write_text(out / CONFIG, model.config.to_json_string())
    write_text(out / PROCESSOR, processor.to_json_string())
    write_atomically(out / WEIGHTS, lambda tmp: save_file(state, tmp, metadata={"format": "pt"}))
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    table = keypoint_set_of(model.config.num_labels)
    return ConvertedPose(millions, backbone.num_hidden_layers, backbone.hidden_size, table.name, (height, width))


def read_pose_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a .pth or .safetensors file. mmpose puts plain numpy arrays beside them, which run no code either."""
    numbers = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)]
    rebuild: Any = np.empty(0).__reduce__()[0]
    named = [(rebuild, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]  # numpy 1 and 2
    with torch.serialization.safe_globals([*named, np.ndarray, np.dtype, *numbers]):
        return read_official(path)


def vitpose_of(state: Mapping[str, Tensor], source: object = "checkpoint") -> Any:
    """transformers' network with these weights, in eval mode: every name and shape must fit."""
    from transformers import VitPoseForPoseEstimation

    ours, unknown = _renamed(state)
    model = VitPoseForPoseEstimation(_config(ours, source)).eval()
    expected = model.state_dict()
    wrong = {
        "missing": sorted(expected.keys() - ours.keys()),
        "unexpected": sorted([*unknown, *(ours.keys() - expected.keys())]),
        "of another shape": sorted(n for n in expected.keys() & ours.keys() if expected[n].shape != ours[n].shape),
    }
    if any(wrong.values()):
        found = "; ".join(f"{what}: {', '.join(names[:3])}" for what, names in wrong.items() if names)
        raise CheckpointError(
            f"{source}: not the weights of one ViTPose network of mmpose or its authors ({found}); "
            "of ViTPose+, which holds several, take the converted one from the hub: usyd-community/vitpose-plus-base"
        )
    model.load_state_dict(ours)
    return model


def _renamed(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The weights by transformers' names, and the names that it has none for."""
    ours: dict[str, Tensor] = {}
    unknown = []
    for name, value in state.items():
        new = next((re.sub(f"^{old}", new, name) for old, new in _NAMES if re.match(old, name)), None)
        if name == "backbone.pos_embed":
            # transformers adds the first position, a class token's, to all others; mmpose has added it already.
            whole = value.shape[1] % 12 == 1
            ours[_POSITIONS] = value if whole else torch.cat([torch.zeros_like(value[:, :1]), value], dim=1)
        elif new is None:
            unknown.append(name)
        elif "{}" in new:
            for part, value_of in zip(("query", "key", "value"), value.chunk(3), strict=True):
                ours[new.format(part)] = value_of
        else:
            ours[new] = value
    return ours, unknown


def _config(ours: Mapping[str, Tensor], source: object) -> Any:
    """Sizes that are read from the weights."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig

    try:
        width, patches = ours[_POSITIONS].shape[2], ours[_POSITIONS].shape[1] - 1
        feed_forward = ours["backbone.encoder.layer.0.mlp.fc1.weight"].shape[0]
        labels = ours["head.conv.weight"].shape[0]
        keypoint_set_of(labels)
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{source}: not a ViTPose network: lacks {error}; give its .pth as published") from None
    except ClipError as error:
        raise CheckpointError(f"{source}: {error}") from None
    if width not in _HEADS:
        known = ", ".join(map(str, _HEADS))
        raise CheckpointError(f"{source}: width {width}; expected one of {known} (ViTPose-S, B, L, H)")
    third = math.isqrt(patches // 12)  # of the columns, a quarter of the rows
    if 12 * third**2 != patches:
        raise CheckpointError(f"{source}: {patches} patches; expected crops of 4 : 3, such as 256 x 192 (192 patches)")
    layers = len({n.split(".")[3] for n in ours if n.startswith("backbone.encoder.layer.")})
    backbone = VitPoseBackboneConfig(
        image_size=(4 * third * PATCH, 3 * third * PATCH),
        patch_size=(PATCH, PATCH),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=_HEADS[width],
        mlp_ratio=feed_forward // width,
        layer_norm_eps=1e-6,
        out_indices=[layers],
    )
    simple = "head.deconv1.weight" not in ours
    return VitPoseConfig(backbone_config=backbone, num_labels=labels, use_simple_decoder=simple)
