"""Training evaluators on any dataset, resumably: T2M's in two phases, TMR's in one.

Clips that share a caption are never negatives of each other: T2M's random shift would otherwise push matching pairs
apart.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError, InputError
from crossdiff.evaluators.body_parts import Part, part_indices
from crossdiff.evaluators.clips import WINDOW, Clips, pad
from crossdiff.evaluators.config import EvaluatorTraining, PhaseConfig
from crossdiff.evaluators.evaluators import (
    FILES,
    Kind,
    T2MEvaluator,
    TMREvaluator,
    is_evaluator,
    new_evaluator,
    save_evaluator,
)
from crossdiff.evaluators.losses import info_nce, matching_loss
from crossdiff.evaluators.networks import MovementDecoder
from crossdiff.evaluators.phases import STATES, Phase
from crossdiff.evaluators.words import WordVectors, caption_words, load_word_vectors
from crossdiff.record import pin
from crossdiff.text import load_text_encoder
from crossdiff.training.state import Best

__all__ = ["EvaluatorSummary", "EvaluatorTraining", "PhaseConfig", "info_nce", "matching_loss", "train_evaluator"]

log = logging.getLogger(__name__)

_RECORD = "training.yaml"


@dataclass(frozen=True)
class EvaluatorSummary:
    """An evaluator's folder, and its lowest loss on the validation split."""

    out: Path
    kind: Kind
    part: Part
    loss: float
    step: int

    def __str__(self) -> str:
        return f"{self.out}: {self.kind} evaluator of {self.part}, validation loss {self.loss:.4f} at step {self.step}"


def train_evaluator(
    cfg: EvaluatorTraining,
    data: Path,
    out: Path,
    kind: Kind,
    part: Part,
    words: Path | None = None,
    device: str = "cpu",
    start_over: bool = False,
) -> EvaluatorSummary:
    """Train one evaluator on the dataset's training split, and write it to `out`.

    words: file of word vectors, for `t2m`; without it those of the embedded sentence model. A run resumes only with the
    configuration, data and words that it was started with (ConfigError); `start_over` replaces it where they differ.
    """
    train = Clips(MocapDataset(data, "train"))
    val, test = (_split(data, split) for split in ("val", "test"))
    if val is None:
        log.warning("%s: no usable val.txt; the validation loss is measured on training clips", data)
    vectors = _vectors(kind, words, [clips for clips in (train, val, test) if clips is not None])
    val = val or train
    resolved: dict[str, Any] = {"kind": kind, "part": part, "skeleton": train.data.skeleton.name}
    resolved["trained_on"] = train.data.fingerprint()
    if vectors is not None:
        resolved |= {"words": vectors.name, "word_dim": vectors.dim, "text_fingerprint": vectors.fingerprint}
    else:
        resolved["text_fingerprint"] = load_text_encoder(cfg.evaluator.text_encoder).fingerprint
    cfg = cfg.model_copy(update={"evaluator": cfg.evaluator.model_copy(update=resolved)})
    _pin(cfg, out, vectors, start_over)
    torch.manual_seed(cfg.seed)
    evaluator = new_evaluator(cfg.evaluator, vectors, data)
    stats = train.data.statistics()["3d"]
    evaluator.set_statistics(stats.mean, stats.std)
    evaluator.to(device)
    if isinstance(evaluator, T2MEvaluator):
        _train_movement(evaluator, cfg, train, val, out)
        best = _train_matching(evaluator, cfg, train, val, out)
    else:
        assert isinstance(evaluator, TMREvaluator)
        best = _train_contrastive(evaluator, cfg, train, val, out)
    save_evaluator(evaluator.eval(), out)
    return EvaluatorSummary(out, kind, part, best.loss, best.step)


def _split(data: Path, split: str) -> Clips | None:
    try:
        return Clips(MocapDataset(data, split))
    except InputError as error:
        log.info("%s", error)
        return None


def _vectors(kind: Kind, words: Path | None, splits: Sequence[Clips]) -> WordVectors | None:
    if kind == "tmr":
        if words is not None:
            raise ConfigError("--words: tmr reads captions with the sentence model; word vectors are for --kind t2m")
        return None
    wanted = {word for clips in splits for cs in clips.data.captions for c in cs for word, _ in caption_words(c)}
    vectors = load_word_vectors(words, wanted)
    return vectors.only(wanted) if hasattr(vectors, "only") else vectors


def _pin(cfg: EvaluatorTraining, out: Path, vectors: WordVectors | None, start_over: bool) -> None:
    """Refuse a run of other settings, data or words, or start over in its folder."""
    record = {**cfg.model_dump(mode="json"), "words": "" if vectors is None else vectors.fingerprint}
    if is_evaluator(out) and not (out / _RECORD).is_file():
        raise ConfigError(f"{out}: holds an evaluator that no training made there; give another --out")
    pin(out / _RECORD, record, (*FILES, STATES), start_over)


def _train_movement(evaluator: T2MEvaluator, cfg: EvaluatorTraining, train: Clips, val: Clips, out: Path) -> None:
    """Train the autoencoder on 40-frame windows: L1, and T2M's two penalties for large and for jerky latents."""
    config = evaluator.config
    width = len(part_indices(config.part, config.body))
    decoder = MovementDecoder(config.movement_dim, config.movement_width, width).to(evaluator.device)
    encoder = evaluator.movement_encoder

    def loss(clips: Clips, rng: np.random.Generator) -> Tensor:
        windows = clips.windows(cfg.movement.batch_size, rng).to(evaluator.device)
        x = evaluator.normalized(windows, torch.full((len(windows),), WINDOW, device=evaluator.device))
        latent = encoder(evaluator.without_contacts(x))
        smooth = (latent[:, 1:] - latent[:, :-1]).abs().mean()
        return (decoder(latent) - x).abs().mean() + 0.001 * latent.abs().mean() + 0.001 * smooth

    modules = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    Phase("movement", modules, cfg.movement, cfg, loss, out).run(train, val)
    encoder.requires_grad_(False)


def _train_matching(evaluator: T2MEvaluator, cfg: EvaluatorTraining, train: Clips, val: Clips, out: Path) -> Best:
    """Train the encoders of motion and text; the movement encoder is frozen."""

    def loss(clips: Clips, rng: np.random.Generator) -> Tensor:
        chosen, captions, features = clips.draw(cfg.matching.batch_size, rng)
        shared = torch.from_numpy(clips.shared.between(chosen)).to(evaluator.device)
        shift = int(rng.integers(1, len(chosen))) if len(chosen) > 1 else 0
        motion = evaluator.motion(*pad(features, evaluator.device))
        return matching_loss(evaluator.text(captions), motion, shared, shift, cfg.margin)

    evaluator.movement_encoder.eval()
    modules = nn.ModuleDict({"motion": evaluator.motion_encoder, "text": evaluator.text_encoder})
    return Phase("matching", modules, cfg.matching, cfg, loss, out).run(train, val)


def _train_contrastive(evaluator: TMREvaluator, cfg: EvaluatorTraining, train: Clips, val: Clips, out: Path) -> Best:
    """Train both transformers with InfoNCE; captions of similar sentences are no negatives either."""
    texts = sorted({c.text for clips in (train, val) for cs in clips.data.captions for c in cs})
    evaluator.rows.add(texts)
    encode = load_text_encoder("minilm").encode
    embedded: dict[str, Tensor] = {}

    def sentences(texts: list[str]) -> Tensor:
        new = sorted(set(texts) - embedded.keys())
        if new:
            embedded.update(zip(new, encode(new), strict=True))
        return torch.stack([embedded[t] for t in texts])

    def loss(clips: Clips, rng: np.random.Generator) -> Tensor:
        chosen, captions, features = clips.draw(cfg.contrastive.batch_size, rng)
        unit = nn.functional.normalize(sentences([c.text for c in captions]), dim=-1)
        filtered = torch.from_numpy(clips.shared.between(chosen)) | (unit @ unit.T > cfg.similar)
        motion = evaluator.motion(*pad(features, evaluator.device))
        return info_nce(evaluator.text(captions), motion, filtered.to(evaluator.device), cfg.temperature)

    modules = nn.ModuleDict({"motion": evaluator.motion_network, "text": evaluator.text_network})
    return Phase("contrastive", modules, cfg.contrastive, cfg, loss, out).run(train, val)
