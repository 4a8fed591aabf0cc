"""Evaluators of a dataset: their folder, their kinds, and training several of them in turn."""

from __future__ import annotations

from pathlib import Path

from crossdiff.errors import InputError
from crossdiff.evaluators.body_parts import PARTS, Part
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.evaluators import Kind
from crossdiff.evaluators.training import train_evaluator
from crossdiff.workflows.callbacks import DefaultCallback, StageCallback, silent
from crossdiff.workflows.defaults import resolve_out

EVALUATORS = "evaluators"


def evaluators_of(data: Path, folder: Path | None = None) -> Path:
    """The named folder of evaluators, or that of a dataset."""
    return folder or data / EVALUATORS


def train_evaluators(
    cfg: EvaluatorTraining,
    data: Path,
    out: Path | None = None,
    kind: str | None = None,
    part: str | None = None,
    words: Path | None = None,
    device: str = "cpu",
    start_over: bool = False,
    on_stage: StageCallback = silent,
    on_default: DefaultCallback = silent,
) -> None:
    """Train the evaluators of a kind and body part into OUT/KIND-PART, by default all of them into DATASET/evaluators.

    words: word vectors for t2m, see `train_evaluator`. on_stage: called with each evaluator's name and summary.
    """
    if words is not None and kind is None:
        kind = "t2m"
        on_default("kind", kind, "--words are its own")
    chosen = choose_evaluators(kind, part)
    out = resolve_out(out, data / EVALUATORS, on_default)
    for one_kind, one_part in chosen:
        name = f"{one_kind}-{one_part}"
        on_stage(name, train_evaluator(cfg, data, out / name, one_kind, one_part, words, device, start_over))


def choose_evaluators(kind: str | None = None, part: str | None = None) -> list[tuple[Kind, Part]]:
    """Kind and part of the evaluators to train; tmr without a part is trained on the whole body only."""
    if part is not None and part not in PARTS:
        raise InputError(f"--part: expected {', '.join(PARTS)}, got {part!r}")
    if kind is not None and kind not in ("t2m", "tmr"):
        raise InputError(f"--kind: expected t2m or tmr, got {kind!r}")
    chosen: list[tuple[Kind, Part]] = []
    if kind != "tmr":
        chosen += [("t2m", p) for p in PARTS if part in (None, p)]
    if kind != "t2m":
        chosen += [("tmr", p) for p in PARTS if p == (part or "all")]
    return chosen
