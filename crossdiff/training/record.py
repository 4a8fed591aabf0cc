"""What a training run was started with: it is gone on with under the same configuration and inputs only."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from crossdiff.checkpoint import keep_newest, latest_state
from crossdiff.errors import ConfigError
from crossdiff.files import write_text
from crossdiff.training.config import LoopConfig

log = logging.getLogger(__name__)

# Settings that say how a result is come by, and change nothing about it.
_MACHINE = {"workers", "devices", "num_nodes"}


def pin(cfg: LoopConfig, inputs: dict[str, str], out: Path, start_over: bool) -> None:
    """Write `out/train.yaml`; where states of a run with other settings or inputs lie there, refuse or delete them."""
    path, states = out / "train.yaml", out / "state"
    resolved = {"config": cfg.model_dump(mode="json", exclude=_MACHINE), "inputs": inputs}
    if latest_state(states) is not None:
        changed = _differences(_read_yaml(path), resolved)
        if changed and not start_over:
            raise ConfigError(
                f"{out}: was started with other settings or data ({', '.join(changed)}); give another --out, "
                "or start over with --start-over"
            )
        if changed:
            log.warning("%s: %s changed, training starts over", out, ", ".join(changed))
            keep_newest(states, 0)
    write_text(path, yaml.safe_dump(resolved, sort_keys=False))


def _read_yaml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    parts = [(part, key) for part in now for key in now[part]]
    return [key for part, key in parts if before.get(part, {}).get(key) != now[part][key]]
