"""The settings and inputs of a training run: it resumes only with those that it was started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from crossdiff import record
from crossdiff.checkpoint import CONFIG, WEIGHTS, is_checkpoint, latest_state, step_of
from crossdiff.errors import ConfigError
from crossdiff.files import read_record
from crossdiff.learnt import CAPTIONS
from crossdiff.novelty import EMBEDDINGS
from crossdiff.record import Record
from crossdiff.training.config import LoopConfig
from crossdiff.training.launch import precision_of

C = TypeVar("C", bound=LoopConfig)

# Settings that may change when a run resumes: what is logged and kept, and the number of devices (which changes the
# numbers only through the dropout that each device draws for its own rows).
_FREE = {
    "log_every", "logger", "validate_every", "sample_every", "sample_prompts", "checkpoint_every", "keep",
    "workers", "device", "devices", "num_nodes",
}  # fmt: skip
_RECORD, _STATES, TEACHERS, KEPT = "train.yaml", "state", "teachers", "kept.json"
_MADE = (
    WEIGHTS, CONFIG, CAPTIONS, EMBEDDINGS, KEPT, "loss.csv", "validation.csv", "best", "last_good", "samples", "log",
    TEACHERS, _STATES,
)  # fmt: skip


def pin(cfg: LoopConfig, inputs: dict[str, str], out: Path, start_over: bool) -> None:
    """Write `out/train.yaml`; refuse a folder with states of other settings or inputs, or start over there.

    A run that starts from scratch first deletes the files of the run before it.
    """
    resolved = _resolved(cfg, inputs)
    before = read_record(out / _RECORD)
    if is_checkpoint(out) and not before:
        raise ConfigError(f"{out}: holds a model that no training made there; give another --out")
    if latest_state(out / _STATES) is None:
        if is_checkpoint(out) and not start_over:
            raise ConfigError(
                f"{out}: holds a trained model, but no {_STATES}/ to resume from; give another --out, "
                "or replace the model with --start-over"
            )
        record.clear(out, [*_MADE, _RECORD])
    record.pin(out / _RECORD, resolved, _MADE, start_over, _free(before, resolved))


def is_finished(cfg: LoopConfig, inputs: dict[str, str], out: Path) -> bool:
    """Whether the training in `out` has taken all steps with this configuration and these inputs."""
    state = latest_state(out / _STATES)
    if state is None or not is_checkpoint(out) or step_of(state) < cfg.steps:
        return False
    return not record.differences(read_record(out / _RECORD), _resolved(cfg, inputs))


def _resolved(cfg: LoopConfig, inputs: dict[str, str]) -> dict[str, Any]:
    """What a run is pinned to."""
    settings = {**cfg.model_dump(mode="json", exclude=_FREE), "precision": precision_of(cfg)}
    return {"config": settings, "inputs": inputs}


def recorded(out: Path, default: C) -> C:
    """The configuration that the training in `out` was started with; the default where there was none."""
    settings = read_record(out / _RECORD).get("config", {})
    try:
        return type(default).model_validate({**default.model_dump(mode="json"), **settings})
    except (TypeError, ValidationError):
        return default


def saved_at(out: Path) -> int | None:
    """When the newest state of the training in `out` was saved, in nanoseconds; None without a state or a model.

    The same time before and after `fit`, which saves the last step's state, means that there was nothing to do.
    """
    state = latest_state(out / _STATES)
    return None if state is None or not is_checkpoint(out) else state.stat().st_mtime_ns


def _free(before: Record, now: Record) -> tuple[str, ...]:
    """`steps` may grow where nothing else depends on their number."""
    longer = now["config"]["steps"] > before.get("config", {}).get("steps", 0)
    by_share = now["config"]["decay"] != "constant" or now["config"].get("short_windows") is not None
    return ("steps",) if longer and not by_share else ()
