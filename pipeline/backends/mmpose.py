"""Top-down networks through mmpose, in a separate environment (`make mmpose`): ViTPose as published."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import CheckpointError, InputError, MissingDependencyError
from crossdiff.files import sha256
from crossdiff.pipeline.backends.convert import read_pose_state
from crossdiff.pipeline.backends.topdown import PersonCrop, TopDownBackend, TopDownConfig
from crossdiff.pipeline.motion2d.mapping import keypoint_set_of


class MMPoseConfig(TopDownConfig):
    """Settings of the mmpose backend."""

    config: str = "td-hm_ViTPose-base-simple_8xb64-210e_coco-256x192"
    """Configuration of the pose network: a file, or the name of one shipped with mmpose."""
    weights: Path
    """Weights for this configuration, a .pth file."""
    precision: Literal["float32"] = "float32"
    """mmpose decodes float32 alone."""


class MMPoseBackend(TopDownBackend):
    """mmpose's own crops, network and decoding, around the same person detector as everywhere."""

    name = "mmpose"

    def __init__(self, cfg: MMPoseConfig) -> None:
        mmpose = import_mmpose()
        super().__init__(cfg)
        self._model = build_model(cfg.config, str(self.device), cfg.flip)
        load_weights(self._model, cfg.weights)
        self.keypoint_set = keypoint_set_of(self._model.dataset_meta["num_keypoints"]).name
        self._pipeline = mmpose.apis.inference.Compose(self._model.cfg.test_dataloader.dataset.pipeline)
        network = json.dumps(self._model.cfg.model.to_dict(), sort_keys=True, default=str)
        self.identity |= {
            "mmpose": mmpose.__version__,
            "config": hashlib.sha256(network.encode()).hexdigest(),
            "weights": sha256(cfg.weights),
        }

    @torch.no_grad()
    def keypoints(self, crops: Sequence[PersonCrop]) -> tuple[Float[ndarray, "n k 2"], Float[ndarray, "n k"]]:
        from mmengine.dataset import pseudo_collate

        found = self._model.test_step(pseudo_collate([self._prepared(*crop) for crop in crops]))
        people = [sample.pred_instances for sample in found]
        return np.concatenate([p.keypoints for p in people]), np.concatenate([p.keypoint_scores for p in people])

    def _prepared(self, frame: ndarray, box: Float[ndarray, "4"]) -> dict[str, Any]:
        one = np.ones(1, dtype=np.float32)
        return self._pipeline({"img": frame, "bbox": box[None], "bbox_score": one, **self._model.dataset_meta})


def build_model(config: str, device: str, flip: bool) -> Any:
    """An mmpose network for RGB crops, with random weights."""
    mmpose = import_mmpose()
    from mmengine.config import Config

    cfg = Config.fromfile(_find_config(config, Path(str(mmpose.__file__)).parent))
    # mmpose takes what OpenCV reads; our frames are RGB already.
    cfg.model.data_preprocessor.bgr_to_rgb = False
    cfg.model.test_cfg.flip_test = flip
    return mmpose.apis.init_model(cfg, None, device)


def load_weights(model: Any, path: Path) -> None:
    """Strictly, and without unpickling, which mmpose's own reader would do."""
    try:
        model.load_state_dict(read_pose_state(path))
    except RuntimeError as error:
        lines = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: not the weights of this configuration ({lines[:200]}); name the one it was trained with: "
            "--pose-set config=NAME_OR_FILE"
        ) from None


def _find_config(name: str, package: Path) -> Path:
    if Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for path in (package / ".mim" / "configs").rglob("*.py")}
    stem = name.removesuffix(".py")
    if stem not in shipped:
        near = ", ".join(sorted(n for n in shipped if "ViTPose" in n)) or "none"
        raise InputError(f"config {name!r}: no such file, nor one of mmpose's {len(shipped)}; of ViTPose's: {near}")
    return shipped[stem]


def import_mmpose() -> ModuleType:
    """mmpose, with what its networks are made of registered.

    Its modules import compiled operators that top-down networks do not use. mmcv-lite, the mmcv that can be had for
    any torch, has none, so a stand-in takes their names while the modules load.
    """
    try:
        _import_torchvision()
        stand_in = None if find_spec("mmcv._ext") else _NoOperators("mmcv._ext")
        if stand_in:
            sys.modules[stand_in.__name__] = stand_in
        import mmpretrain.utils.dependency

        # Its vision-language models need a transformers of long ago.
        mmpretrain.utils.dependency.WITH_MULTIMODAL = False
        import mmpose.apis
        import mmpretrain.models

        if stand_in:
            del sys.modules[stand_in.__name__]  # mmengine asks whether there are operators
    except ImportError as error:
        raise MissingDependencyError(
            f"the mmpose backend needs a separate environment ({error}): make mmpose, then "
            ".venv-mmpose/bin/crossdiff extract-2d --backend mmpose"
        ) from None
    return mmpose


class _NoOperators(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def _import_torchvision() -> None:
    """torchvision describes operators that its build for another torch (one with CUDA, say) cannot bring along."""
    try:
        import torchvision
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        import torchvision  # noqa: F401
