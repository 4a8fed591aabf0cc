"""Runs, checkpoints and folders that a caller names, or leaves out; each default that is taken is reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdiff import checkpoint as checkpoints
from crossdiff.errors import InputError
from crossdiff.pipeline.run import Run
from crossdiff.workflows.callbacks import DefaultCallback, silent

if TYPE_CHECKING:
    from crossdiff.pipeline.inputs import Selection
    from crossdiff.pipeline.tracks.people import PeopleConfig


def open_run(run: Path | None, on_default: DefaultCallback = silent) -> Run:
    """The named run, or the latest one; InputError if there is none."""
    opened = Run.open(run)
    if run is None:
        on_default("run", opened.root, "the latest run")
    return opened


def find_run(run: Path | None, on_default: DefaultCallback = silent) -> Run | None:
    """The named run, else the latest one, else None."""
    if run is not None:
        return Run.open(run)
    latest = Run.latest()
    if latest is not None:
        on_default("run", latest.root, "the latest run")
    return latest


def create_run(out: Path | None, on_default: DefaultCallback = silent) -> Run:
    """The run in folder `out`, created if it does not exist; without `out` a new one under runs/."""
    run = Run.create(out)
    if out is None:
        on_default("run", run.root, "a new run; name it with --out")
    return run


def run_of_inputs(
    videos: Selection,
    out: Path | None,
    identity: Mapping[str, Any],
    cfg: PeopleConfig | None = None,
    on_default: DefaultCallback = silent,
) -> Run:
    """The run in folder `out`; without it the latest run of the same videos and settings, else a new one.

    identity: of the pose backend.
    """
    from crossdiff.pipeline.extract import extract_config  # with OpenCV and scipy

    if out is None and (known := Run.extracted_from(videos.record(), extract_config(identity, cfg))):
        on_default("run", known.root, "the latest run of these inputs and settings; name a new one with --out")
        return known
    return create_run(out, on_default)


def resolve_checkpoint(
    checkpoint: str | None,
    run: Run | None = None,
    task: checkpoints.Task = "lift",
    on_default: DefaultCallback = silent,
    steps: int | None = None,
) -> Path:
    """Folder of the named checkpoint; without a name the run's fine-tuned model, else the task's shipped model.

    steps: of sampling, if they were given; a shipped model that was distilled to them replaces a shipped one.
    """
    if checkpoint is not None:
        few = checkpoints.few_step_model(checkpoint, steps)
        if few != checkpoint:
            on_default("checkpoint", str(few), f"{checkpoint} distilled to {steps} steps")
        return checkpoints.find_checkpoint(few)
    if run is not None and all((run.finetuned / name).is_file() for name in (checkpoints.WEIGHTS, checkpoints.CONFIG)):
        on_default("checkpoint", run.finetuned, "the run's fine-tuned model")
        return run.finetuned
    shipped = checkpoints.shipped_model(task, steps)
    on_default("checkpoint", shipped.name, "the shipped model")
    return shipped


def resolve_out(out: Path | None, default: Path, on_default: DefaultCallback = silent) -> Path:
    """The named output, or `default`."""
    if out is None:
        on_default("out", default, "name it with --out")
        return default
    return out


def empty_folder(out: Path | None, source: Path, on_default: DefaultCallback = silent) -> Path:
    """The named folder, or trained/NAME after the source; InputError unless it is new or empty."""
    out = resolve_out(out, Path("trained") / source.stem, on_default)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new folder with --out")
    return out


def model_name(checkpoint: str | None, model: Path) -> str:
    """A model's name in tables: the last two parts of the checkpoint as typed, else of its folder."""
    typed = [part for part in Path(checkpoint or model.name).parts[-2:] if part not in ("/", "..", ".")]
    return "-".join(typed or model.resolve().parts[-2:])
