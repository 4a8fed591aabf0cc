"""Action recognition from an evaluator's embeddings, for the field's recognition accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

_DECAY = 1e-3
_STEPS = 200


@dataclass(frozen=True)
class ActionClassifier:
    """Multinomial logistic regression on standardised embeddings. weights: (E + 1, classes), the bias last."""

    actions: tuple[str, ...]
    mean: Float[ndarray, " e"]
    std: Float[ndarray, " e"]
    weights: Float[ndarray, "e1 c"]

    @classmethod
    def fit(cls, embeddings: Float[ndarray, "n e"], labels: Sequence[str]) -> ActionClassifier:
        """Train on real motion, with equal weight for every action."""
        actions = tuple(sorted(set(labels)))
        target = torch.tensor([actions.index(label) for label in labels])
        count = torch.bincount(target, minlength=len(actions)).double()
        weight = len(labels) / (len(actions) * count)
        mean, std = embeddings.mean(0), embeddings.std(0) + 1e-6
        x = torch.from_numpy(_with_bias((embeddings - mean) / std)).double()
        weights = torch.zeros(x.shape[1], len(actions), dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            solver.zero_grad()
            wrong = torch.nn.functional.cross_entropy(x @ weights, target, weight)
            total = wrong + _DECAY * weights[:-1].square().sum()
            total.backward()
            return total

        solver.step(loss)
        return cls(actions, mean, std, weights.detach().numpy())

    def predict(self, embeddings: Float[ndarray, "n e"]) -> list[str]:
        scores = _with_bias((embeddings - self.mean) / self.std) @ self.weights
        return [self.actions[i] for i in scores.argmax(1)]

    def accuracy(self, embeddings: Float[ndarray, "n e"], labels: Sequence[str]) -> float:
        """Fraction of motions classified as their true action."""
        return float(
            np.mean([predicted == true for predicted, true in zip(self.predict(embeddings), labels, strict=True)])
        )


def _with_bias(x: ndarray) -> ndarray:
    return np.concatenate([x, np.ones((len(x), 1), dtype=x.dtype)], axis=1)
