"""Motions sampled of prompts, which are kept in a folder and used again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.files import load_npz, save_npz
from crossdiff.progress import track

WAYS = ("standard", "mixture")
LENGTH = 60  # frames
_BATCH = 16


@dataclass(frozen=True)
class SampledActions:
    """Motions with the action and the sentence of each, as many of every action, one action after the other."""

    motions: list[Float[ndarray, "60 22 3"]]
    labels: list[str]
    sentences: list[str]


class ActionSampler:
    """Samples motions in both ways; those made before are read from a folder.

    checkpoints: a model, by name or folder, for `standard` and for `mixture`.
    """

    def __init__(self, checkpoints: Mapping[str, str], folder: Path) -> None:
        self.checkpoints, self.folder = checkpoints, folder
        self._pipelines: dict[str, CrossDiffPipeline] = {}

    def motions(self, way: str, prompt: str, seeds: int) -> list[Float[ndarray, "60 22 3"]]:
        """Joints of the seeds 0, 1, ..."""
        path = self.folder / way / f"{re.sub(r'[^a-z]+', '-', prompt.lower()).strip('-')}.npz"
        made = list(load_npz(path, ("joints",))["joints"]) if path.is_file() else []
        while len(made) < seeds:
            batch = range(len(made), min(len(made) + _BATCH, seeds))
            prompts = [prompt] * len(batch)
            made += [m.joints for m in self._pipeline(way)(prompts, LENGTH, seed=list(batch), mixture=way == "mixture")]
            path.parent.mkdir(parents=True, exist_ok=True)
            save_npz(path, joints=np.stack(made))
        return made[:seeds]

    def of_actions(self, way: str, sentences: Mapping[str, Sequence[str]], count: int) -> SampledActions:
        """`count` motions of each action, shared out evenly among its sentences."""
        motions, labels, said = [], [], []
        for action, own in track(sentences.items(), f"{way} samples"):
            for number, sentence in enumerate(own):
                share = count * (number + 1) // len(own) - count * number // len(own)
                motions += self.motions(way, sentence, share)
                labels += [action] * share
                said += [sentence] * share
        return SampledActions(motions, labels, said)

    def _pipeline(self, way: str) -> CrossDiffPipeline:
        if way not in self._pipelines:
            self._pipelines[way] = CrossDiffPipeline.from_pretrained(self.checkpoints[way])
        return self._pipelines[way]
