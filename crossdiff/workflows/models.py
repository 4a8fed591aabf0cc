"""What models are and know: size, and the actions that they have learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import WEIGHTS, find_checkpoint, is_checkpoint, load_model, shipped_models
from crossdiff.learnt import Origin, learnt_captions
from crossdiff.pipeline.run import Run
from crossdiff.workflows.learnt_actions import LearntAction, group_actions

_ORIGINS: dict[Origin, str] = {"capture": "motion capture", "film": "film alone"}


@dataclass(frozen=True)
class ModelInfo:
    """Size and knowledge of a model."""

    name: str
    """As it was asked for."""
    folder: Path
    parameters: int
    """Weights of the network."""
    bytes: int
    """Size of the file of weights."""
    skeleton: str
    max_seconds: float
    """Length of the longest motion."""
    text_encoder: str
    captions: int
    """Different captions that it has learnt; 0 if it came without a list."""
    distilled_steps: int | None
    """Steps of sampling that it was distilled for; None: not distilled."""
    actions: list[LearntAction]
    """The most frequent first."""

    def record(self) -> dict[str, Any]:
        """The fields as values of JSON."""
        return {**asdict(self), "folder": str(self.folder)}

    def __str__(self) -> str:
        few = "" if self.distilled_steps is None else f", distilled to {self.distilled_steps} steps of sampling"
        return (
            f"{self.name}: {self.parameters / 1e6:.1f} M parameters, {self.bytes / 1e6:.1f} MB, skeleton "
            f"{self.skeleton}, up to {self.max_seconds:.1f} s, text encoder {self.text_encoder}{few}"
        )

    def knowledge(self, most: int | None = None) -> str:
        """A line for each action, at most `most` of them."""
        if not self.captions:
            return "  what it has learnt is not known: the folder holds no captions.json"
        shown = self.actions[:most]
        name, clips = max(len(one.name) for one in shown), max(len(f"{one.clips:,}") for one in shown)
        lines = [
            f"  {one.name:{name}}  {one.clips:{clips},} clips, {_origin(one):14}  {one.example!r}" for one in shown
        ]
        if hidden := self.actions[len(shown) :]:
            lines.append(f"  and {len(hidden)} others of at most {hidden[0].clips} clips (--all shows them)")
        total = f"  {self.captions} captions by verb; clips count once for each of their captions:"
        return "\n".join([total, *lines])


def models_text(models: Sequence[ModelInfo], most: int | None = None) -> str:
    """Each model and at most `most` of its actions; those of an earlier model are not listed again."""
    lines, listed = [], list[ModelInfo]()
    for model in models:
        same = next((one.name for one in listed if one.actions == model.actions and model.captions), None)
        lines += [str(model), model.knowledge(most) if same is None else f"  the same captions as {same}"]
        listed.append(model)
    return "\n".join(lines)


def describe_models(checkpoints: Sequence[str] = ()) -> list[ModelInfo]:
    """The named models; without names the shipped ones, and the one that was fine-tuned in the latest run.

    CheckpointError: a name or folder is not a usable model.
    """
    names = list(checkpoints or shipped_models())
    latest = None if checkpoints else Run.latest()
    if latest is not None and is_checkpoint(latest.finetuned):
        names.append(str(latest.finetuned))
    return [describe_model(name) for name in names]


def describe_model(checkpoint: str) -> ModelInfo:
    """Size and knowledge of a model, given as `find_checkpoint` takes it; CheckpointError if it is not usable."""
    folder = find_checkpoint(checkpoint)
    model = load_model(folder)
    captions = learnt_captions(folder)
    return ModelInfo(
        name=checkpoint,
        folder=folder,
        parameters=sum(weights.numel() for weights in model.network.parameters()),
        bytes=(folder / WEIGHTS).stat().st_size,
        skeleton=model.config.skeleton,
        max_seconds=model.config.max_frames / model.skeleton.fps,
        text_encoder=model.config.text_encoder,
        captions=len(captions),
        distilled_steps=None if model.config.distilled is None else model.config.distilled.steps,
        actions=group_actions(captions),
    )


def _origin(action: LearntAction) -> str:
    return " and ".join(_ORIGINS[origin] for origin in action.origins)
