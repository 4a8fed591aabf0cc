"""What a training run was started with: it is gone on with under the same configuration and inputs only."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from crossdiff.checkpoint import CONFIG, WEIGHTS, is_checkpoint, latest_state
from crossdiff.errors import ConfigError
from crossdiff.files import read_record, write_text
from crossdiff.training.config import LoopConfig
from crossdiff.training.launch import precision_of

log = logging.getLogger(__name__)

C = TypeVar("C", bound=LoopConfig)

# What a run is started with that may be another when it goes on: what is shown and kept, and by how many devices it
# is made (which changes the numbers only by the dropout that each draws for its own rows).
_FREE = {
    "log_every", "validate_every", "sample_every", "sample_prompts", "checkpoint_every", "keep",
    "workers", "devices", "num_nodes",
}  # fmt: skip
_RECORD, _STATES, TEACHERS = "train.yaml", "state", "teachers"
_MADE = (WEIGHTS, CONFIG, "loss.csv", "validation.csv", "best", "last_good", "samples", "log", TEACHERS, _STATES)


def pin(cfg: LoopConfig, inputs: dict[str, str], out: Path, start_over: bool) -> None:
    """Write `out/train.yaml`. Where states of a run with other settings or inputs lie there, refuse or start over.

    A run that starts anew first deletes all that one before it made.
    """
    settings = {**cfg.model_dump(mode="json", exclude=_FREE), "precision": precision_of(cfg)}
    resolved = {"config": settings, "inputs": inputs}
    before = read_record(out / _RECORD)
    if is_checkpoint(out) and not before:
        raise ConfigError(f"{out}: holds a model that no training made there; give another --out")
    changed = _differences(before, resolved)
    if latest_state(out / _STATES) is None:
        if is_checkpoint(out) and not start_over:
            raise ConfigError(
                f"{out}: holds a trained model, but no {_STATES}/ to go on from; give another --out, "
                "or delete the model and train anew with --start-over"
            )
        _clear(out)
    elif changed and not start_over:
        raise ConfigError(
            f"{out}: was started with other settings or data ({', '.join(changed)}); give another --out, "
            "or start over with --start-over"
        )
    elif changed:
        log.warning("%s: %s changed, training starts over", out, ", ".join(changed))
        _clear(out)
    write_text(out / _RECORD, yaml.safe_dump(resolved, sort_keys=False))


def recorded(out: Path, default: C) -> C:
    """The configuration that the training in `out` was started with; the default where there was none."""
    settings = read_record(out / _RECORD).get("config", {})
    try:
        return type(default).model_validate({**default.model_dump(mode="json"), **settings})
    except (TypeError, ValidationError):
        return default


def _clear(out: Path) -> None:
    for path in (out / name for name in _MADE):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # several processes may be at it
        else:
            path.unlink(missing_ok=True)


def _differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Names of the values that changed. More steps are no change where nothing else depends on their number."""
    parts = [(part, key) for part in now for key in now[part]]
    changed = [key for part, key in parts if before.get(part, {}).get(key) != now[part][key]]
    longer = now["config"]["steps"] > before.get("config", {}).get("steps", 0)
    by_share = now["config"]["decay"] != "constant" or now["config"].get("short_windows") is not None
    return [key for key in changed if not (key == "steps" and longer and not by_share)]
