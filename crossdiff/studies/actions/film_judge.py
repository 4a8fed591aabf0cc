"""Classifiers of film: what annotated 2D motion of known actions makes of sampled motions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.files import load_npz
from crossdiff.pipeline.run import Run
from crossdiff.studies.actions.classifier import WindowTraining, train_classifier
from crossdiff.studies.actions.windows import FRAMES, Windows, flat_windows, hide, seen_from
from crossdiff.types import Motion2D

_VIEWS = 4  # from which each sampled motion is seen


class AnnotatedFilm:
    """Penn Action's 2D motions of a run, with the data set's own splits and views.

    poses: the file that they were imported from.
    """

    def __init__(self, run: Run, poses: Path) -> None:
        z = load_npz(poses, ("label", "split", "source_number", "view"))
        rows = zip(*(z[name].tolist() for name in ("label", "source_number", "split", "view")), strict=True)
        about = {f"penn_{label}_{number:04d}": (label, split, view) for label, number, split, view in rows}
        self.motions: dict[str, list[Motion2D]] = {"train": [], "test": []}
        self.labels: dict[str, list[str]] = {"train": [], "test": []}
        self.views: dict[str, list[str]] = {}
        for row in run.ledger.rows("build", state="done"):
            label, split, view = about.get(row.parent.removesuffix("_t0"), ("", "", ""))
            motion = Motion2D.load(run.motion2d / f"{row.id}.npz") if label else None
            if motion is not None and len(motion.joints) >= FRAMES:
                self.motions[split].append(motion)
                self.labels[split].append(label)
                self.views.setdefault(label, []).append(view)
        if not self.labels["train"] or not self.labels["test"]:
            raise InputError(
                f"{run.root}: has no motions of {poses}'s training and test clips; import, filter and build them first"
            )

    @property
    def actions(self) -> list[str]:
        return sorted(set(self.labels["train"]))

    @cached_property
    def windows(self) -> dict[str, Windows]:
        return {split: flat_windows(motions) for split, motions in self.motions.items()}


class FilmJudge:
    """A classifier of the training clips, which sees motions with the joints hidden that other clips do not show."""

    def __init__(self, film: AnnotatedFilm, seed: int, cfg: WindowTraining | None = None) -> None:
        self._film, self._rng = film, np.random.default_rng(seed)
        self._masks = film.windows["train"].seen
        windows, labels = film.windows["train"], film.labels["train"]
        self._classifier = train_classifier(windows, labels, cfg, seed=seed, masks=self._masks)

    def real(self) -> tuple[list[str], list[str]]:
        """What the test clips are recognised as, and their actions."""
        shown = hide(self._film.windows["test"], self._masks, self._rng, 1)
        return self._classifier.predict(shown), self._film.labels["test"]

    def sampled(
        self, motions: Sequence[Float[ndarray, "f 22 3"]], labels: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """What motions, seen from four sides that film of their action shows, are recognised as; and their actions.

        They lose the joints that two windows of film do not show, so that about as many are hidden as in real clips.
        """
        repeated = [pair for pair in zip(motions, labels, strict=True) for _ in range(_VIEWS)]
        seen = [seen_from(m, str(self._rng.choice(self._film.views[label])), self._rng) for m, label in repeated]
        shown = hide(flat_windows(seen), self._masks, self._rng, 2)
        return self._classifier.predict(shown), [label for _, label in repeated]
