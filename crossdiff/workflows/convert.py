"""Released checkpoints to folders of ours; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from crossdiff.checkpoint import save_model
from crossdiff.errors import InputError
from crossdiff.evaluators.evaluators import is_evaluator, save_evaluator
from crossdiff.evaluators.released import load_released
from crossdiff.models.convert import Converted, convert_official
from crossdiff.workflows.callbacks import DefaultCallback, silent
from crossdiff.workflows.defaults import empty_folder


def convert_model(
    official: Path,
    stats: Path | None,
    out: Path | None,
    heads: int = 4,
    text_encoder: str = "clip",
    on_default: DefaultCallback = silent,
) -> str:
    """Save a checkpoint of the paper's authors as a model of ours in `out`; returns a line that sums it up.

    stats: folder with HumanML3D's Mean.npy and Std.npy, and Mean2d.npy and Std2d.npy if there. heads: attention heads,
    which the weights do not show. Without statistics the model is saved too; the report says what needs them.
    """
    out = empty_folder(out, official, on_default)
    converted = convert_official(official, stats, heads, text_encoder)
    on_default("heads", heads, "cannot be seen in the weights; change it with --heads")
    if converted.dropped:
        left_out = f"{converted.dropped} entries clip_model.*"
        on_default("left out", left_out, "the text encoder's, not the motion network's")
    _report_statistics(converted, stats, on_default)
    save_model(converted.model, out)
    return f"{out}: {converted}"


def _report_statistics(converted: Converted, stats: Path | None, on_default: DefaultCallback) -> None:
    """Say which statistics are missing, or differ from those that the authors trained with."""
    if converted.published is False:
        reason = "NOT like HumanML3D's published ones, for which the authors' weights are made"
        on_default("3D statistics", stats, reason)
    if not converted.model.has_statistics("3d"):
        reason = "sampling needs Mean.npy and Std.npy: convert again with --stats FOLDER"
        on_default("3D statistics", "none", reason)
    if not converted.model.has_statistics("2d"):
        reason = "sampling needs none; pseudo-label needs Mean2d.npy and Std2d.npy in --stats"
        on_default("2D statistics", "none", reason)


def convert_evaluator(released: Path, stats: Path, words: Path, out: Path) -> str:
    """Save a released evaluator of T2M in OUT/t2m-PART; returns a line that sums it up.

    released: text_mot_match/model/finest.tar. stats: folder with the evaluator's mean.npy and std.npy. words: npz with
    its words and vectors.
    """
    evaluator = load_released(released, stats, words)
    folder = out / f"t2m-{evaluator.config.part}"
    if is_evaluator(folder):
        raise InputError(f"{folder}: holds an evaluator; give another --out")
    save_evaluator(evaluator, folder)
    return f"{folder}: t2m evaluator of {evaluator.config.part}, {evaluator.config.dim} values, {evaluator.words}"
