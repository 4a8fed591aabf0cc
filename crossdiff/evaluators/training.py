"""Training evaluators on any dataset, resumably: T2M's in two phases, TMR's in one.

Random numbers in step k depend only on the seed, the phase and k. Clips that share a caption are never negatives of
each other: T2M's random shift would otherwise push matching pairs apart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from crossdiff.config import Config
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError, InputError
from crossdiff.evaluators.body_parts import Part, part_indices
from crossdiff.evaluators.clips import WINDOW, Clips, pad
from crossdiff.evaluators.evaluators import (
    FILES,
    EvaluatorConfig,
    Kind,
    T2MEvaluator,
    TMREvaluator,
    is_evaluator,
    new_evaluator,
    save_evaluator,
)
from crossdiff.evaluators.networks import MovementDecoder
from crossdiff.evaluators.words import WordVectors, caption_words, load_word_vectors
from crossdiff.progress import progress_bar
from crossdiff.record import pin
from crossdiff.text import load_text_encoder
from crossdiff.training.state import Best, StateFolder

log = logging.getLogger(__name__)

_STATES, _RECORD = "state", "training.yaml"
_MATCH_BATCHES = 8
_PHASES = {"movement": 0, "matching": 1, "contrastive": 2}


class PhaseConfig(Config):
    """A phase of training with Adam at a constant learning rate."""

    steps: int = Field(ge=1)
    """Optimizer steps."""
    batch_size: int = Field(32, ge=2)
    """Clips per step."""
    learning_rate: float = Field(1e-4, gt=0)
    """Learning rate."""
    gradient_clip: float = Field(0.0, ge=0)
    """Largest norm of each network's gradients. 0: no clipping."""


class EvaluatorTraining(Config):
    """Sizes and phases. T2M's evaluator has the phases `movement` and `matching`, TMR's has `contrastive`."""

    evaluator: EvaluatorConfig = EvaluatorConfig()
    """Architecture."""
    movement: PhaseConfig = PhaseConfig(steps=200_000, batch_size=128)
    """Phase of the movement autoencoder (t2m)."""
    matching: PhaseConfig = PhaseConfig(steps=200_000, gradient_clip=0.5)
    """Phase that matches text and motion (t2m)."""
    contrastive: PhaseConfig = PhaseConfig(steps=50_000, batch_size=64, gradient_clip=1.0)
    """The only phase of tmr."""
    margin: float = Field(10.0, gt=0)
    """Margin of T2M's contrastive loss."""
    temperature: float = Field(0.1, gt=0)
    """Temperature of InfoNCE (tmr)."""
    similar: float = Field(0.8, gt=0, le=1)
    """Cosine similarity of two captions above which they are no negatives of each other (tmr)."""
    validate_every: int = Field(200, ge=1)
    """Steps between validation losses; the weights with the lowest are kept."""
    seed: int = Field(0, ge=0)
    """Seed of the weights and batches."""


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
    asked: dict[str, Any] = {"kind": kind, "part": part, "skeleton": train.data.skeleton.name}
    asked["trained_on"] = train.data.fingerprint()
    if vectors is not None:
        asked |= {"words": vectors.name, "word_dim": vectors.dim, "text_fingerprint": vectors.fingerprint}
    else:
        asked["text_fingerprint"] = load_text_encoder(cfg.evaluator.text_encoder).fingerprint
    cfg = cfg.model_copy(update={"evaluator": cfg.evaluator.model_copy(update=asked)})
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
    pin(out / _RECORD, record, (*FILES, _STATES), start_over)


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
    _Phase("movement", modules, cfg.movement, cfg, loss, out).run(train, val)
    encoder.requires_grad_(False)


def matching_loss(
    text: Float[Tensor, "b e"], motion: Float[Tensor, "b e"], shared: Bool[Tensor, "b b"], shift: int, margin: float
) -> Tensor:
    """T2M's contrastive loss.

    Squared distance of matched pairs, plus a squared hinge max(0, margin - d)^2 between each text and the motion
    `shift` rows away; pairs that share a caption are skipped.
    """
    near = (text - motion).square().sum(-1)
    far = (text - motion.roll(shift, 0)).square().sum(-1).clamp(min=1e-12).sqrt()
    fair = ~shared.roll(shift, 1).diagonal()
    lacking = (margin - far).clamp(min=0).square()
    return near.mean() + (lacking * fair).sum() / fair.sum().clamp(min=1)


def _train_matching(evaluator: T2MEvaluator, cfg: EvaluatorTraining, train: Clips, val: Clips, out: Path) -> Best:
    def loss(clips: Clips, rng: np.random.Generator) -> Tensor:
        chosen, captions, features = clips.draw(cfg.matching.batch_size, rng)
        shared = torch.from_numpy(clips.shared.between(chosen)).to(evaluator.device)
        shift = int(rng.integers(1, len(chosen))) if len(chosen) > 1 else 0
        motion = evaluator.motion(*pad(features, evaluator.device))
        return matching_loss(evaluator.text(captions), motion, shared, shift, cfg.margin)

    evaluator.movement_encoder.eval()
    modules = nn.ModuleDict({"motion": evaluator.motion_encoder, "text": evaluator.text_encoder})
    return _Phase("matching", modules, cfg.matching, cfg, loss, out).run(train, val)


def info_nce(
    text: Float[Tensor, "b e"], motion: Float[Tensor, "b e"], filtered: Bool[Tensor, "b b"], temperature: float
) -> Tensor:
    """Symmetric InfoNCE of unit vectors; `filtered` pairs off the diagonal are not used as negatives."""
    logits = text @ motion.T / temperature
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    logits = logits.masked_fill(filtered & ~own, -torch.inf)
    target = torch.arange(len(text), device=text.device)
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2


def _train_contrastive(evaluator: TMREvaluator, cfg: EvaluatorTraining, train: Clips, val: Clips, out: Path) -> Best:
    every = sorted({c.text for clips in (train, val) for cs in clips.data.captions for c in cs})
    evaluator.rows.add(every)
    sentence = load_text_encoder("minilm").encode

    def loss(clips: Clips, rng: np.random.Generator) -> Tensor:
        chosen, captions, features = clips.draw(cfg.contrastive.batch_size, rng)
        unit = nn.functional.normalize(_sentences([c.text for c in captions], sentence), dim=-1)
        filtered = torch.from_numpy(clips.shared.between(chosen)) | (unit @ unit.T > cfg.similar)
        motion = evaluator.motion(*pad(features, evaluator.device))
        return info_nce(evaluator.text(captions), motion, filtered.to(evaluator.device), cfg.temperature)

    known: dict[str, Tensor] = {}

    def _sentences(texts: list[str], encode: Callable[[list[str]], Tensor]) -> Tensor:
        new = sorted(set(texts) - known.keys())
        if new:
            known.update(zip(new, encode(new), strict=True))
        return torch.stack([known[t] for t in texts])

    modules = nn.ModuleDict({"motion": evaluator.motion_network, "text": evaluator.text_network})
    return _Phase("contrastive", modules, cfg.contrastive, cfg, loss, out).run(train, val)


class _Phase:
    """Adam on one loss, resumable; afterwards the modules have the weights of the lowest validation loss."""

    def __init__(
        self,
        name: Literal["movement", "matching", "contrastive"],
        modules: nn.ModuleDict,
        phase: PhaseConfig,
        cfg: EvaluatorTraining,
        loss: Callable[[Clips, np.random.Generator], Tensor],
        out: Path,
    ) -> None:
        self.name, self.modules, self.phase, self.cfg, self.loss = name, modules, phase, cfg, loss
        self.out, self.states = out, StateFolder(out / _STATES / name)
        self.optimizer = torch.optim.Adam(modules.parameters(), phase.learning_rate)
        self.step, self.best, self.weights = 0, Best(0, float("inf")), _copy(modules)

    def run(self, train: Clips, val: Clips) -> Best:
        self._resume()
        with progress_bar() as bar:
            task = bar.add_task(f"train {self.name}", total=self.phase.steps, completed=self.step, note="")
            while self.step < self.phase.steps:
                loss = self._advance(train)
                if self.step % self.cfg.validate_every == 0 or self.step == self.phase.steps:
                    self._validate(val)
                    self._save()
                    bar.update(task, note=f"loss {loss:.4f}, validation {self.best.loss:.4f}")
                bar.update(task, completed=self.step)
        self.modules.load_state_dict(self.weights)
        self.modules.eval()
        return self.best

    def _advance(self, train: Clips) -> float:
        key = (self.cfg.seed, _PHASES[self.name], self.step)
        rng = np.random.default_rng(key)
        self.modules.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            loss = self.loss(train, rng)
        self.optimizer.zero_grad()
        loss.backward()
        if self.phase.gradient_clip:
            for module in self.modules.values():
                nn.utils.clip_grad_norm_(module.parameters(), self.phase.gradient_clip)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def _validate(self, val: Clips) -> None:
        self.modules.eval()
        rngs = [np.random.default_rng((self.cfg.seed, _PHASES[self.name], 1 << 40, i)) for i in range(_MATCH_BATCHES)]
        loss = float(np.mean([float(self.loss(val, rng)) for rng in rngs]))
        log.info("%s step %d: validation loss %.4f", self.name, self.step, loss)
        if not np.isfinite(loss):
            raise ConfigError(f"{self.out}: the loss became {loss}; lower {self.name}.learning_rate")
        if loss < self.best.loss:
            self.best, self.weights = Best(self.step, loss), _copy(self.modules)

    def _save(self) -> None:
        state: dict[str, object] = {
            "step": self.step, "best_step": self.best.step, "best_loss": self.best.loss, "best": self.weights,
            "modules": self.modules.state_dict(), "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip
        self.states.save(self.step, state)

    def _resume(self) -> None:
        state = self.states.load()
        if state is None:
            self.states.drop_leftovers()
            return
        self.modules.load_state_dict(state["modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best = int(state["step"]), Best(int(state["best_step"]), float(state["best_loss"]))
        self.weights = state["best"]


def _copy(modules: nn.ModuleDict) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in modules.state_dict().items()}
