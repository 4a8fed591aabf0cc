"""How many motions of each action are recognised, and the table of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_TWICE_STANDARD = 1.96


class Recognition:
    """Whether motions were recognised as their action, by set of motions and action, over several classifiers."""

    def __init__(self, names: Sequence[str], actions: Sequence[str], classifiers: int) -> None:
        self.classifiers = classifiers
        self.correct: dict[str, dict[str, list[float]]] = {name: {a: [] for a in actions} for name in names}

    def add(self, name: str, predicted: Sequence[str], labels: Sequence[str]) -> None:
        """The answers of one classifier on a set of motions."""
        for found, label in zip(predicted, labels, strict=True):
            self.correct[name][label].append(found == label)

    def accuracy(self, name: str) -> dict[str, float]:
        """The fraction recognised of each action."""
        return {action: float(np.mean(answers)) for action, answers in self.correct[name].items()}

    def mean(self, name: str) -> float:
        """The mean over the actions."""
        return float(np.mean(list(self.accuracy(name).values())))

    def interval(self, name: str) -> float:
        """Half the 95 % interval of the mean over actions; the classifiers' answers on one clip count as one."""
        by_action = self.correct[name].values()
        variances = [np.var(answers) * self.classifiers / len(answers) for answers in by_action]
        return _TWICE_STANDARD * float(np.sqrt(np.sum(variances))) / len(variances)

    def table(self, counts: Mapping[str, int], counted: str) -> str:
        """Markdown: a row for each action, their mean, the mean relative to the first set's, and chance.

        counts: motions of each action in the first set. counted: heading of these.
        """
        names = list(self.correct)
        accuracies = {name: self.accuracy(name) for name in names}
        lines = [f"| action | {counted} | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
        for action, count in counts.items():
            lines.append(f"| {action} | {count} | {' | '.join(f'{accuracies[n][action]:.2f}' for n in names)} |")
        means = {name: self.mean(name) for name in names}
        lines.append("| mean | | " + " | ".join(f"{m:.2f} ± {self.interval(n):.2f}" for n, m in means.items()) + " |")
        first = means[names[0]]
        ratios = [f"{m / first:.2f}" if first else "-" for m in means.values()]
        lines.append(f"| relative to {names[0]} | | {' | '.join(ratios)} |")
        lines.append(f"| chance | | {' | '.join([f'{1 / len(counts):.2f}'] * len(names))} |")
        return "\n".join(lines)
