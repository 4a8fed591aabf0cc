"""A small convolutional network that tells the action of a window of joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from crossdiff.config import Config
from crossdiff.studies.actions.windows import MIRROR, NAMES, Windows, hide

_LEAST_STD = np.float32(0.05)  # metres
FEATURES = 16  # width of the last layer: few enough for a Frechet distance of some hundred motions


class WindowTraining(Config):
    """How a classifier of windows is trained."""

    steps: PositiveInt = 1500
    """Optimiser steps."""
    batch_size: PositiveInt = 128
    """Windows in a batch; every action is as frequent as any other."""
    learning_rate: PositiveFloat = 2e-3
    """Highest learning rate; it falls to 0 as a cosine."""
    weight_decay: PositiveFloat = 1e-2
    """Weight decay of AdamW."""
    noise: PositiveFloat = 0.02
    """Standard deviation of the noise on joints, in metres."""
    turn: PositiveFloat = 8.0
    """Standard deviation of the turn of a window, in degrees: in the picture, or about the vertical axis in space."""
    zoom: PositiveFloat = 0.08
    """Standard deviation of the scale of a window."""


class WindowNetwork(nn.Module):
    """Logits of windows. width: channels of the convolutions; windows: those whose statistics normalise the joints."""

    mean: Tensor
    std: Tensor

    def __init__(self, windows: Windows, actions: int, width: int = 64) -> None:
        super().__init__()
        coordinates = windows.joints.shape[-1]
        mean, std = _statistics(windows)
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))
        channels = len(NAMES) * (coordinates + 1)
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, 5, padding=2), nn.GELU(), nn.Dropout(0.2),
            nn.Conv1d(width, width, 5, padding=2, stride=2), nn.GELU(), nn.Dropout(0.2),
            nn.Conv1d(width, width, 3, padding=1), nn.GELU(),
        )  # fmt: skip
        self.narrow = nn.Linear(2 * width, FEATURES)
        self.head = nn.Linear(FEATURES, actions)

    def features(self, joints: Float[Tensor, "n t j c"], seen: Bool[Tensor, "n t j"]) -> Float[Tensor, "n 16"]:
        """Activations before the last layer."""
        shown = seen[..., None].to(joints)
        x = torch.cat([(joints - self.mean) / self.std * shown, shown], dim=-1).flatten(2).transpose(1, 2)
        x = self.layers(x)
        return torch.tanh(self.narrow(torch.cat([x.mean(-1), x.amax(-1)], dim=-1)))

    def forward(self, joints: Float[Tensor, "n t j c"], seen: Bool[Tensor, "n t j"]) -> Float[Tensor, "n a"]:
        logits: Tensor = self.head(self.features(joints, seen))
        return logits


@dataclass(frozen=True)
class WindowClassifier:
    """A trained network and its actions."""

    actions: tuple[str, ...]
    network: WindowNetwork

    @torch.no_grad()
    def probabilities(self, windows: Windows) -> Float[ndarray, "c a"]:
        """Of each clip: the mean over its windows."""
        logits = self.network(torch.from_numpy(windows.joints), torch.from_numpy(windows.seen))
        return _mean_of_clips(logits.softmax(-1).numpy(), windows.clip)

    def predict(self, windows: Windows) -> list[str]:
        """The most probable action of each clip."""
        return [self.actions[n] for n in self.probabilities(windows).argmax(axis=1)]

    @torch.no_grad()
    def features(self, windows: Windows) -> Float[ndarray, "c 16"]:
        """Of each clip: the mean over its windows."""
        found = self.network.features(torch.from_numpy(windows.joints), torch.from_numpy(windows.seen))
        return _mean_of_clips(found.numpy(), windows.clip)


def train_classifier(
    windows: Windows,
    labels: Sequence[str],
    cfg: WindowTraining | None = None,
    seed: int = 0,
    masks: Bool[ndarray, "m 20 14"] | None = None,
) -> WindowClassifier:
    """Train on windows of clips with these labels.

    Windows are mirrored, turned, scaled and made noisy by chance. masks: what other windows show; each window loses the
    joints that one of them does not show, so that hidden joints say little about the action.
    """
    cfg = cfg or WindowTraining()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    actions = tuple(sorted(set(labels)))
    target = np.array([actions.index(label) for label in labels])[windows.clip]
    of_action = [np.flatnonzero(target == n) for n in range(len(actions))]
    network = WindowNetwork(windows, len(actions))
    optimiser = torch.optim.AdamW(network.parameters(), cfg.learning_rate, weight_decay=cfg.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, cfg.steps)
    for _ in range(cfg.steps):
        chosen = rng.integers(len(actions), size=cfg.batch_size)
        rows = np.array([rng.choice(of_action[n]) for n in chosen])
        batch = _varied(Windows(*(part[rows] for part in windows)), cfg, rng)
        batch = hide(batch, masks, rng, 1) if masks is not None else batch
        logits = network(torch.from_numpy(batch.joints), torch.from_numpy(batch.seen))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(chosen), label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return WindowClassifier(actions, network.eval())


def _statistics(windows: Windows) -> tuple[Float[ndarray, "j c"], Float[ndarray, "j c"]]:
    """Mean and standard deviation of each joint where it is seen; the latter at least 5 cm."""
    count = np.maximum(windows.seen.sum(axis=(0, 1)), 1)[:, None]
    mean = (windows.joints.sum(axis=(0, 1)) / count).astype(np.float32)
    square = ((windows.joints - mean) ** 2 * windows.seen[..., None]).sum(axis=(0, 1)) / count
    return mean, np.maximum(np.sqrt(square), _LEAST_STD).astype(np.float32)


def _varied(windows: Windows, cfg: WindowTraining, rng: np.random.Generator) -> Windows:
    """Windows mirrored (half of them), turned and scaled, with noise."""
    joints, seen, count = windows.joints.copy(), windows.seen.copy(), len(windows.joints)
    turned = rng.random(count) < 0.5
    joints[turned] = joints[turned][:, :, MIRROR]
    joints[turned, ..., 0] *= -1
    seen[turned] = seen[turned][:, :, MIRROR]
    axes = [0, joints.shape[-1] - 1]  # x and y of a picture, x and z in space
    angle = np.radians(rng.normal(0, cfg.turn, count))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    joints[..., axes] = np.einsum("ijn,ntkj->ntki", matrix, joints[..., axes])
    joints *= 1 + rng.normal(0, cfg.zoom, (count, 1, 1, 1))
    joints += rng.normal(0, cfg.noise, joints.shape)
    return Windows((joints * seen[..., None]).astype(np.float32), seen, windows.clip)


def _mean_of_clips(values: Float[ndarray, "n d"], clip: Int[ndarray, " n"]) -> Float[ndarray, "c d"]:
    """Means over the windows of each clip, which must have one at least."""
    total = np.zeros((int(clip.max()) + 1, values.shape[1]))
    np.add.at(total, clip, values)
    return total / np.bincount(clip)[:, None]
