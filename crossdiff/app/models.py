"""The models behind the page, each loaded when it is first needed."""

from __future__ import annotations

from pathlib import Path

from crossdiff.checkpoint import Task, find_checkpoint, model_config, shipped_model
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import CrossDiffPipeline


class Models:
    """One model per task, or the same for both.

    checkpoint: a folder or a shipped model's name, used for both tasks; None: the shipped model of each task.
    device: torch device, such as "cpu".
    """

    def __init__(self, checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        self.device = device
        self._checkpoint = None if checkpoint is None else find_checkpoint(checkpoint)
        self._loaded: dict[Path, CrossDiffPipeline] = {}

    @property
    def steps(self) -> int:
        """Steps of sampling by default: those of `SamplingConfig`, or of a distilled model."""
        return SamplingConfig().for_model(model_config(self.folder("text"))).steps

    def folder(self, task: Task, steps: int | None = None) -> Path:
        """The checkpoint folder of a task: "text" for standard sampling, "lift" for mixture sampling and videos.

        steps: of sampling; a shipped model that was distilled to them takes the place of one that was not.
        """
        return self._checkpoint or shipped_model(task, steps)

    def pipeline(self, task: Task, steps: int | None = None) -> CrossDiffPipeline:
        folder = self.folder(task, steps)
        if folder not in self._loaded:
            self._loaded[folder] = CrossDiffPipeline.from_pretrained(folder, self.device)
        return self._loaded[folder]
