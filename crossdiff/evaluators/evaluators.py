"""Evaluators embed motions and captions so that matching ones are close to each other.

On disk an evaluator is a folder with `config.json`, `evaluator.safetensors` (networks, mean and standard deviation of
the features) and, if it was trained with word vectors from a file, `words.npz`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from crossdiff.config import Config
from crossdiff.data.captions import Caption
from crossdiff.errors import CheckpointError, ConfigError, InputError
from crossdiff.evaluators.body_parts import Part, part_contacts, part_indices
from crossdiff.evaluators.networks import FRAMES_PER_STEP, MovementEncoder, RecurrentEncoder, RecurrentTextEncoder
from crossdiff.evaluators.networks import TransformerEncoder as Transformer
from crossdiff.evaluators.words import (
    NUM_CLASSES,
    MiniLMVectors,
    TableVectors,
    WordVectors,
    load_word_vectors,
    word_batch,
)
from crossdiff.files import decoding, read_json, save_npz, sha256, write_atomically, write_text
from crossdiff.models.weights import read_weights
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.normalizer import MIN_STD
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.text import CachedEmbeddings, load_text_encoder

Kind = Literal["t2m", "tmr"]
_WEIGHTS, _CONFIG, _WORDS = "evaluator.safetensors", "config.json", "words.npz"
FILES = (_WEIGHTS, _CONFIG, _WORDS)
# Longer motion is cropped, as in T2M.
MOST_FRAMES = 196
# Frames of padding within the receptive field of the movement encoder's two convolutions.
_REACH = 8
_MOST_STEPS, _MOST_WORDS = 50, 128
# T2M divides the standard deviation of root and contacts by this, to give them more weight.
_ROOT_AND_CONTACTS = 5.0


class EvaluatorConfig(Config):
    """Architecture of an evaluator, and what it was trained with. The sizes of `t2m` default to T2M's own."""

    kind: Kind = "t2m"
    """`t2m`: the field's networks. `tmr`: contrastive transformers."""
    part: Part = "all"
    """Part of the body that the evaluator reads."""
    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    """Skeleton of the motion."""
    dim: int = Field(512, ge=1)
    """Width of the embeddings."""
    movement_width: int = Field(512, ge=1)
    """Hidden width of the movement encoder (t2m)."""
    movement_dim: int = Field(512, ge=1)
    """Output width of the movement encoder (t2m)."""
    motion_width: int = Field(1024, ge=1)
    """Width of the recurrent motion encoder (t2m)."""
    text_width: int = Field(512, ge=1)
    """Width of the recurrent text encoder (t2m)."""
    words: str = MiniLMVectors.name
    """Name of the word vectors (t2m)."""
    word_dim: int = Field(384, ge=1)
    """Width of the word vectors (t2m)."""
    text_encoder: str = "minilm"
    """Text encoder whose word rows are read (tmr)."""
    width: int = Field(256, ge=8)
    """Width of the transformers (tmr)."""
    heads: int = Field(4, ge=1)
    """Attention heads (tmr)."""
    layers: int = Field(4, ge=1)
    """Layers of each transformer (tmr)."""
    text_fingerprint: str = ""
    """Hash of the word vectors or text encoder; set by training."""
    trained_on: str = ""
    """Fingerprint of the dataset; set by training."""

    @property
    def body(self) -> Skeleton:
        return SKELETONS[self.skeleton]


class Evaluator(nn.Module, ABC):
    """Base of both kinds. Features are passed unnormalised; an evaluator applies its own mean and std."""

    mean: Tensor
    std: Tensor
    chosen: Tensor

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        chosen = part_indices(config.part, config.body)
        self.register_buffer("chosen", torch.from_numpy(chosen), persistent=False)
        self.register_buffer("mean", torch.zeros(len(chosen)))
        self.register_buffer("std", torch.ones(len(chosen)))

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    @abstractmethod
    def words(self) -> str:
        """Name of the word vectors or text encoder that reads the captions."""

    def normalized(self, features: Float[Tensor, "b t d"], lengths: Tensor) -> Float[Tensor, "b t p"]:
        """The part's values, normalised, with zeros after a motion's end."""
        x = (features[..., self.chosen] - self.mean) / self.std
        frame = torch.arange(x.shape[1], device=x.device)
        return x * (frame < lengths[:, None])[..., None]

    @abstractmethod
    def motion(self, features: Float[Tensor, "b t d"], lengths: Tensor) -> Float[Tensor, "b e"]:
        """Embeddings of padded features (B, T, D), not normalised, with their true lengths (B,)."""

    @abstractmethod
    def text(self, captions: Sequence[Caption]) -> Float[Tensor, "b e"]:
        """Embeddings of captions."""

    @torch.no_grad()
    def embed_motion(self, clips: Sequence[Float[ndarray, "t d"]], batch_size: int = 64) -> Float[ndarray, "n e"]:
        """Embeddings of clips of any length, given as unnormalised features; batched by length."""
        order = np.argsort([len(c) for c in clips], kind="stable")
        out = np.zeros((len(clips), self.config.dim), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            lengths = torch.tensor([min(len(clips[i]), MOST_FRAMES) for i in rows])
            padded = torch.zeros(len(rows), int(lengths.max()), clips[0].shape[1])
            for row, i in enumerate(rows):
                padded[row, : lengths[row]] = torch.from_numpy(np.asarray(clips[i][: lengths[row]], dtype=np.float32))
            out[rows] = self.motion(padded.to(self.device), lengths.to(self.device)).cpu().numpy()
        return out

    @torch.no_grad()
    def embed_text(self, captions: Sequence[Caption], batch_size: int = 64) -> Float[ndarray, "n e"]:
        parts = [self.text(captions[i : i + batch_size]).cpu().numpy() for i in range(0, len(captions), batch_size)]
        return np.concatenate(parts)

    def set_statistics(self, mean: ndarray, std: ndarray) -> None:
        """Set mean and std from those of all 3D features; std of root and contacts is divided by 5, as in T2M."""
        layout = layout_3d(self.config.body)
        std = np.maximum(np.array(std, dtype=np.float32), MIN_STD)
        std[layout.root] /= _ROOT_AND_CONTACTS
        std[layout.contacts] /= _ROOT_AND_CONTACTS
        self.mean.copy_(torch.from_numpy(np.asarray(mean, dtype=np.float32))[self.chosen])
        self.std.copy_(torch.from_numpy(std)[self.chosen])


class T2MEvaluator(Evaluator):
    """Text-motion matching of Guo et al. (CVPR 2022): a movement encoder, and recurrent encoders of motion and text."""

    def __init__(self, config: EvaluatorConfig, vectors: WordVectors) -> None:
        super().__init__(config)
        if vectors.dim != config.word_dim or vectors.name != config.words:
            raise ConfigError(
                f"word vectors: the evaluator was trained with {config.words} of {config.word_dim} values, "
                f"got {vectors.name} of {vectors.dim}; give its own"
            )
        _check_text(config, vectors.name, vectors.fingerprint)
        self.vectors = vectors
        width = len(self.mean) - part_contacts(config.part)
        self.movement_encoder = MovementEncoder(width, config.movement_width, config.movement_dim)
        self.motion_encoder = RecurrentEncoder(
            config.movement_dim, config.motion_width, config.motion_width, config.dim
        )
        self.text_encoder = RecurrentTextEncoder(config.word_dim, NUM_CLASSES, config.text_width, config.dim)

    @property
    def words(self) -> str:
        return f"{self.vectors.name} ({self.vectors.fingerprint})"

    def without_contacts(self, x: Float[Tensor, "b t p"]) -> Float[Tensor, "b t q"]:
        return x[..., : x.shape[-1] - part_contacts(self.config.part)]

    def motion(self, features: Float[Tensor, "b t d"], lengths: Tensor) -> Float[Tensor, "b e"]:
        x = self.without_contacts(self.normalized(features, lengths))
        # T2M pads to 196 frames; padding as wide as the receptive field gives the same output.
        frames = max(x.shape[1], min(x.shape[1] + _REACH, MOST_FRAMES))
        x = nn.functional.pad(x, (0, 0, 0, frames + -frames % FRAMES_PER_STEP - x.shape[1]))
        steps = (lengths // FRAMES_PER_STEP).clamp(min=1)
        return self.motion_encoder(self.movement_encoder(x), steps)

    def text(self, captions: Sequence[Caption]) -> Float[Tensor, "b e"]:
        batch = word_batch(captions, self.vectors)
        return self.text_encoder.encode(batch.words.to(self.device), batch.classes.to(self.device), batch.lengths)


class TMREvaluator(Evaluator):
    """Contrastive text-motion retrieval as in TMR (Petrovich et al., ICCV 2023), without its decoder.

    Two transformers with embeddings of unit length. Words are rows of the model's text encoder (frozen).
    """

    def __init__(self, config: EvaluatorConfig, cache: Path | None = None) -> None:
        super().__init__(config)
        encoder = load_text_encoder(config.text_encoder)
        _check_text(config, encoder.name, encoder.fingerprint)
        self.rows = CachedEmbeddings(config.text_encoder, cache, encoder.fingerprint, sequence=True)
        self._text_dim = encoder.dim
        sizes = (config.width, config.heads, config.layers, config.dim)
        self.motion_network = Transformer(len(self.mean), *sizes, _MOST_STEPS, FRAMES_PER_STEP)
        self.text_network = Transformer(self._text_dim, *sizes, _MOST_WORDS)

    @property
    def words(self) -> str:
        return self.config.text_encoder

    def motion(self, features: Float[Tensor, "b t d"], lengths: Tensor) -> Float[Tensor, "b e"]:
        x = self.normalized(features, lengths)
        frame = torch.arange(x.shape[1], device=x.device)
        return self.motion_network(x, frame < lengths[:, None])

    def text(self, captions: Sequence[Caption]) -> Float[Tensor, "b e"]:
        rows = self.rows([c.text for c in captions], self._text_dim)[:, :_MOST_WORDS].to(self.device)
        return self.text_network(rows, rows.abs().sum(-1) > 0)


def _check_text(config: EvaluatorConfig, name: str, fingerprint: str) -> None:
    if config.text_fingerprint not in ("", fingerprint):
        raise ConfigError(
            f"{name}: the evaluator was trained with weights of hash {config.text_fingerprint[:12]}, "
            f"got {fingerprint[:12]}; use those that it was trained with"
        )


def new_evaluator(config: EvaluatorConfig, vectors: WordVectors | None = None, cache: Path | None = None) -> Evaluator:
    """An evaluator with new weights; vectors: word vectors of `t2m`, by default the embedded ones."""
    if config.kind == "tmr":
        return TMREvaluator(config, cache)
    return T2MEvaluator(config, vectors or MiniLMVectors())


def save_evaluator(evaluator: Evaluator, folder: Path) -> None:
    """Write an evaluator; the configuration is written last and marks a complete folder."""
    if isinstance(evaluator, T2MEvaluator) and isinstance(evaluator.vectors, TableVectors):
        table = evaluator.vectors
        save_npz(folder / _WORDS, words=np.array(table.words), vectors=table.vectors)
    state = {k: v.detach().cpu().contiguous() for k, v in evaluator.state_dict().items()}
    write_atomically(folder / _WEIGHTS, lambda tmp: save_file(state, tmp, metadata={"format": "pt"}))
    write_text(folder / _CONFIG, json.dumps(evaluator.config.model_dump(), indent=2) + "\n")


def is_evaluator(folder: Path) -> bool:
    return (folder / _CONFIG).is_file() and (folder / _WEIGHTS).is_file()


def load_evaluator(folder: Path, device: str | torch.device = "cpu", cache: Path | None = None) -> Evaluator:
    """Read an evaluator that `save_evaluator` wrote, strictly, in eval mode."""
    if not is_evaluator(folder):
        raise CheckpointError(f"{folder}: no evaluator; make one with: crossdiff train-evaluator --data DATASET")
    try:
        config = EvaluatorConfig.model_validate(read_json(folder / _CONFIG))
        state = read_weights(folder / _WEIGHTS)
    except (ValidationError, InputError, CheckpointError) as error:
        raise CheckpointError(
            f"{folder}: not a readable evaluator ({str(error).splitlines()[0]}); train it again"
        ) from None
    vectors: WordVectors | None = None
    if (folder / _WORDS).is_file():
        loaded = load_word_vectors(folder / _WORDS)
        assert isinstance(loaded, TableVectors)
        loaded.name = config.words
        vectors = loaded
    _check_sizes(config, state, folder)
    with decoding(folder, "an evaluator", CheckpointError):
        evaluator = new_evaluator(config, vectors, cache)
    try:
        evaluator.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: weights do not fit the configuration ({str(error).splitlines()[-1].strip()})"
        ) from None
    return evaluator.to(device).eval()


_SIZES = {
    "t2m": ("dim", "movement_width", "movement_dim", "motion_width", "text_width", "word_dim"),
    "tmr": ("dim", "width"),
}


def _check_sizes(config: EvaluatorConfig, state: Mapping[str, Tensor], folder: Path) -> None:
    """CheckpointError for sizes beyond those of the weights, before networks of these sizes are allocated."""
    largest = max((size for tensor in state.values() for size in tensor.shape), default=0)
    sizes = {name: getattr(config, name) for name in _SIZES[config.kind]}
    wrong = {name: size for name, size in sizes.items() if size > largest}
    if config.kind == "tmr" and config.layers > len(state):
        wrong["layers"] = config.layers
    if wrong:
        name, size = next(iter(wrong.items()))
        raise CheckpointError(f"{folder}: weights do not fit the configuration ({name} {size}); train it again")
    if not (state.get("std", torch.ones(1)) > 0).all():
        raise CheckpointError(f"{folder}: standard deviations must be above 0; train it again")


def fingerprint(folder: Path) -> str:
    """Hash of an evaluator's configuration, weights, statistics and word vectors."""
    files: list[Any] = [folder / name for name in (_CONFIG, _WEIGHTS, _WORDS) if (folder / name).is_file()]
    return hashlib.sha256("".join(sha256(f) for f in files).encode()).hexdigest()[:16]
