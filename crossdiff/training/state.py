"""The states that a training resumes from, and the lowest validation loss that it has reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import drop_leftovers, keep_newest, latest_state, load_state, save_state


@dataclass(frozen=True)
class Best:
    """The lowest validation loss so far, and the step at which it was measured."""

    step: int
    loss: float


@dataclass(frozen=True)
class StateFolder:
    """A folder of `step_N.pt`, of which the newest `keep` are kept."""

    path: Path
    keep: int = 1

    def save(self, step: int, state: dict[str, object]) -> None:
        """Write the state of a step, and delete the oldest states beyond `keep`."""
        save_state(self.path / f"step_{step:08d}.pt", state)
        keep_newest(self.path, self.keep)

    def load(self) -> dict[str, Any] | None:
        """The newest state; None where there is none."""
        path = latest_state(self.path)
        return None if path is None else load_state(path)

    def drop_leftovers(self) -> None:
        """Delete files that a killed process left half-written."""
        drop_leftovers(self.path)
