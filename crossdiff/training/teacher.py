"""Pseudo labels that a model in training renews as it learns."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from crossdiff.checkpoint import is_checkpoint, load_model, save_model
from crossdiff.data.wild import WildDataset
from crossdiff.diffusion.lifting import FlatClip, LabelConfig, label
from crossdiff.models import CrossDiffModel
from crossdiff.progress import track

_BATCH = 16


class OwnTeacher:
    """Relabels clips of a run (indices in `wild`) every few steps with the averaged model of that step.

    The model is kept in `folder` until the next one, so that a resumed run has the same labels.
    """

    def __init__(self, wild: WildDataset, clips: Sequence[int], every: int, cfg: LabelConfig, folder: Path) -> None:
        self.wild, self.clips, self.every, self.cfg, self.folder = wild, clips, every, cfg, folder

    def renew(self, step: int, model: CrossDiffModel) -> bool:
        """Relabel the clips if it is due at this step and not yet done; returns whether it was."""
        if not step or step % self.every or is_checkpoint(self._of(step)):
            return False
        training = model.training
        save_model(model.eval(), self._of(step))
        self._label(model)
        model.train(training)
        for old in self._steps():
            if old < step - self.every:  # a run killed before it saves this step resumes with the previous one
                shutil.rmtree(self._of(old), ignore_errors=True)
        return True

    def resume(self, step: int, device: torch.device) -> None:
        """Restore the labels of this step; models of later steps are deleted."""
        for later in self._steps():
            if later > step:
                shutil.rmtree(self._of(later), ignore_errors=True)
        steps = [s for s in self._steps() if is_checkpoint(self._of(s))]
        if steps:
            self._label(load_model(self._of(max(steps)), device).eval())

    def _label(self, model: CrossDiffModel) -> None:
        order = sorted(self.clips, key=lambda i: int(self.wild.lengths[i]))
        for start in track(range(0, len(order), _BATCH), "label"):
            rows = order[start : start + _BATCH]
            clips = [FlatClip(self.wild.clips[i].features["2d"], self.wild.clips[i].seen) for i in rows]
            for i, made in zip(rows, label(model, clips, self.cfg), strict=True):
                self.wild.relabel(i, made.features)

    def _of(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}"

    def _steps(self) -> list[int]:
        names = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(m[1]) for n in names if (m := re.fullmatch(r"step_(\d{8})", n)))
