"""T2M's released evaluators (`finest.tar`): a torch file with the state of each network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossdiff.errors import CheckpointError, InputError
from crossdiff.evaluators.body_parts import PARTS, Part, part_contacts, part_indices
from crossdiff.evaluators.evaluators import EvaluatorConfig, T2MEvaluator
from crossdiff.evaluators.words import load_word_vectors
from crossdiff.files import decoding, load_npy
from crossdiff.models.weights import without_wrapper
from crossdiff.skeleton import SKELETONS

_NETWORKS = ("movement_encoder", "motion_encoder", "text_encoder")


def load_released(path: Path, stats: Path, words: Path) -> T2MEvaluator:
    """Read a released file without unpickling objects; sizes and body part follow from the weights.

    stats: folder with the evaluator's `mean.npy` and `std.npy` (T2M's `meta` folder), used unchanged.
    words: the word vectors that it was trained with (npz).
    Raises CheckpointError and InputError for files that do not fit.
    """
    if words.suffix != ".npz":
        raise InputError(f"{words}: expected an npz with words and vectors, those that {path.name} was trained with")
    states = _read(path)
    movement, motion, text = (states[name] for name in _NETWORKS)
    with decoding(path, "T2M's evaluator of this architecture", CheckpointError):
        input_width = movement["main.0.weight"].shape[1]
        skeleton, part = _find_part(input_width, path)
        vectors = load_word_vectors(words)
        config = EvaluatorConfig(
            kind="t2m",
            part=part,
            skeleton=skeleton,
            dim=motion["output_net.3.weight"].shape[0],
            movement_width=movement["main.0.weight"].shape[0],
            movement_dim=movement["out_net.weight"].shape[0],
            motion_width=motion["input_emb.weight"].shape[0],
            text_width=text["input_emb.weight"].shape[0],
            words=vectors.name,
            word_dim=text["input_emb.weight"].shape[1],
            trained_on=path.name,
        )
        evaluator = T2MEvaluator(config, vectors)
        for name, state in zip(_NETWORKS, (movement, motion, text), strict=True):
            getattr(evaluator, name).load_state_dict(state)
    for name, buffer in (("mean", evaluator.mean), ("std", evaluator.std)):
        buffer.copy_(_statistics(stats, name, evaluator))
    return evaluator.eval()


def _read(path: Path) -> dict[str, dict[str, Tensor]]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # torch raises many kinds
        raise CheckpointError(
            f"{path}: cannot be read as weights alone ({type(error).__name__}); give the released finest.tar"
        ) from None
    missing = [n for n in _NETWORKS if not isinstance(content, dict) or not isinstance(content.get(n), dict)]
    if missing:
        has = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(
            f"{path}: expected the keys {', '.join(_NETWORKS)}, lacks {', '.join(missing)}; has {has}"
        )
    states = {name: without_wrapper(content[name]) for name in _NETWORKS}
    for name, state in states.items():
        if wrong := [key for key, value in state.items() if not isinstance(value, Tensor)]:
            raise CheckpointError(f"{path}: {name} holds no tensor under {wrong[0]!r}; give the released finest.tar")
    return states


def _find_part(input_width: int, path: Path) -> tuple[str, Part]:
    """The skeleton and part whose number of values, without contacts, is the movement encoder's input width."""
    widths = {
        (name, part): len(part_indices(part, skeleton)) - part_contacts(part)
        for name, skeleton in SKELETONS.items()
        for part in PARTS
    }
    for key, width in widths.items():
        if width == input_width:
            return key
    raise CheckpointError(f"{path}: reads {input_width} values a frame; expected one of {sorted(set(widths.values()))}")


def _statistics(folder: Path, name: str, evaluator: T2MEvaluator) -> Tensor:
    path = folder / f"{name}.npy"
    with decoding(path, "statistics"):
        values = load_npy(path).astype("float32")
    if not np.isfinite(values).all() or (name == "std" and not (values > 0).all()):
        raise InputError(f"{path}: statistics must be finite, and standard deviations above 0")
    chosen = part_indices(evaluator.config.part, evaluator.config.body)
    if values.shape == (len(part_indices("all", evaluator.config.body)),):
        values = values[chosen]
    if values.shape != (len(chosen),):
        raise InputError(f"{folder / name}.npy: expected {len(chosen)} values, got {values.shape}")
    return torch.from_numpy(values)
