"""Conversion of the authors' released checkpoint and its statistics to our model, without unpickling."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import decoding, load_npy
from crossdiff.models.config import ModelConfig
from crossdiff.models.model import CrossDiffModel
from crossdiff.models.official import HEADS, TEXT_ENCODER, load_official, official_config
from crossdiff.models.weights import without_wrapper
from crossdiff.text import load_text_encoder
from crossdiff.types import Domain

# Keys of the state dict in files that hold other objects too.
_NESTED = ("state_dict", "model_state_dict", "model")
# Width of CLIP ViT-B/32's vectors, which the authors use.
_CLIP_DIM = 512
# Yaw velocity, x and z velocity, height in HumanML3D's published Std.npy; other data differ by more.
_PUBLISHED_ROOT_STD, _NEAR = (0.012826, 0.016927, 0.016927, 0.153766), 0.05


@dataclass(frozen=True)
class Converted:
    """A converted model.

    dropped: number of omitted entries of the text encoder.
    published: whether the 3D statistics match HumanML3D's published ones; None without any to compare.
    """

    model: CrossDiffModel
    dropped: int
    published: bool | None

    def __str__(self) -> str:
        cfg = self.model.config
        millions = sum(p.numel() for p in self.model.network.parameters()) / 1e6
        return (
            f"{millions:.2f} M parameters: {cfg.skeleton}, width {cfg.width}, {cfg.heads} heads, "
            f"{cfg.domain_layers} layers per domain, {cfg.shared_layers} shared, {cfg.root_layers} of the root, "
            f"up to {cfg.max_frames} frames, text encoder {cfg.text_encoder}"
        )


def convert_official(
    path: Path, stats: Path | None = None, heads: int = HEADS, text_encoder: str = "clip"
) -> Converted:
    """The model of an authors' checkpoint (.pt or .safetensors) with the statistics of a folder.

    stats: folder with `Mean.npy`, `Std.npy` (3D), and perhaps `Mean2d.npy`, `Std2d.npy`; None: no statistics. Sampling
    needs the 3D statistics, lifting and training also the 2D ones.
    text_encoder: `clip`, or `clip:FOLDER`.
    """
    state = read_official(path)
    with decoding(path, "the authors' checkpoint", CheckpointError):
        config = _with_encoder(official_config(state, heads, path), text_encoder, path)
        model = CrossDiffModel(config)
        load_official(model.network, state, path)
    for domain, (mean, std) in read_statistics(stats, config).items() if stats is not None else ():
        model.set_statistics(domain, mean, std)
    dropped = sum(name.startswith(TEXT_ENCODER) for name in state)
    return Converted(model.eval(), dropped, _is_published(model))


def read_official(path: Path) -> dict[str, Tensor]:
    """The tensors, by name, of a file that is a state dict or holds one."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; name the authors' checkpoint, .pt or .safetensors")
    held = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if isinstance(held, Mapping):
        held = next((held[key] for key in _NESTED if isinstance(held.get(key), Mapping)), held)
    if not isinstance(held, Mapping) or not held:
        raise CheckpointError(f"{path}: expected a state dict (tensors by name), got {_kind(held)}")
    for name, value in held.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: expected tensors by name, got {_kind(value)} under {name!r}; "
                f"save the network's state dict alone, or under the key {_NESTED[0]!r}"
            )
    state = without_wrapper(dict(held))
    for name, value in state.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: {name} has {value.numel()} values, more than it stores; get it again")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; get the file again")
    return state


def _kind(value: object) -> str:
    return f"empty {type(value).__name__}" if isinstance(value, Mapping) and not value else type(value).__name__


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}); get it again") from None


def _read_torch(path: Path) -> Any:
    try:
        with path.open("rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other file formats; the error that follows is enough
            return torch.load(handle, map_location="cpu", weights_only=True)
    except PermissionError:
        raise
    except Exception as error:  # torch raises many kinds for truncated, modified or other files
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise CheckpointError(
                f"{path}: holds {found[1]} beside tensors, and reading such objects can run arbitrary code; nothing "
                "was read. If you trust the file, save its state dict with safetensors.torch.save_file and give that"
            ) from None
        raise CheckpointError(
            f"{path}: not a readable PyTorch checkpoint ({type(error).__name__}); get the file again"
        ) from None


def read_statistics(folder: Path, config: ModelConfig) -> dict[Domain, tuple[Tensor, Tensor]]:
    """Mean and standard deviation of the features; of 2D features only if the folder has them."""
    stats: dict[Domain, tuple[Tensor, Tensor]] = {"3d": _mean_and_std(folder, "", config, "3d")}
    if any((folder / f"{name}2d.npy").is_file() for name in ("Mean", "Std")):
        stats["2d"] = _mean_and_std(folder, "2d", config, "2d")
    return stats


def _mean_and_std(folder: Path, suffix: str, config: ModelConfig, domain: Domain) -> tuple[Tensor, Tensor]:
    dim = config.layout(domain).dim
    arrays = []
    for path in (folder / f"{name}{suffix}.npy" for name in ("Mean", "Std")):
        array = load_npy(path)
        if array.shape != (dim,) or array.dtype.kind not in "fiu":
            raise InputError(
                f"{path}: expected {dim} numbers ({config.skeleton}, {domain}), got shape {array.shape} of "
                f"{array.dtype}; {_remedy(config, domain)}"
            )
        if not np.isfinite(array).all():
            raise InputError(f"{path}: holds NaN or infinite values; {_remedy(config, domain)}")
        arrays.append(torch.from_numpy(array.astype(np.float32)))
    mean, std = arrays
    if not (std > 0).all():
        raise InputError(f"{path}: standard deviations must be above 0, got {std.min():g}; {_remedy(config, domain)}")
    return mean, std


def _remedy(config: ModelConfig, domain: Domain) -> str:
    if domain == "3d":
        return f"give the folder with the published Mean.npy and Std.npy of {config.skeleton}"
    return "make them with: crossdiff prepare SOURCE --set layout_2d=official"


def _with_encoder(config: ModelConfig, name: str, source: Path) -> ModelConfig:
    """Bind the model to CLIP, by the hash of the weights if they are in a folder; the hub is not accessed."""
    kind, _, weights = name.partition(":")
    if kind != "clip":
        raise InputError(f"text encoder: the authors' checkpoints read clip or clip:FOLDER, got {name!r}")
    dim, fingerprint = _CLIP_DIM, ""
    if weights:
        name = f"clip:{Path(weights).resolve()}" if Path(weights).is_dir() else name
        encoder = load_text_encoder(name)
        name, dim, fingerprint = encoder.name, encoder.dim, encoder.fingerprint
    if dim != config.text_dim:
        raise CheckpointError(
            f"{source}: needs text of {config.text_dim} values, {name} gives {dim}; "
            "name the CLIP weights that it was trained with: --text-encoder clip:FOLDER"
        )
    return config.model_copy(update={"text_encoder": name, "text_fingerprint": fingerprint})


def _is_published(model: CrossDiffModel) -> bool | None:
    if model.config.skeleton != "humanml3d" or not model.has_statistics("3d"):
        return None
    root = model.normalizers["3d"].get_buffer("std")[model.config.layout("3d").root]
    return bool(((root / torch.tensor(_PUBLISHED_ROOT_STD) - 1).abs() < _NEAR).all())
