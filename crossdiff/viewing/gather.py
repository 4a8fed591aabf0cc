"""Motions that are shown together, and those among them that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from crossdiff.errors import CrossDiffError, InputError
from crossdiff.files import decoding
from crossdiff.progress import track
from crossdiff.wording import Failures, counted, listed

T = TypeVar("T")


@dataclass
class ShownMotions(Failures):
    """The file that shows the motions, their number, and the reasons of those that could not be shown."""

    path: Path
    motions: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{counted(self.motions, 'motion')} in {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)"

    def what_failed(self) -> str:
        return f"{counted(len(self.failed), 'motion')} could not be shown"

    def gather(self, readers: Sequence[tuple[str, Callable[[], T]]]) -> list[T]:
        """Call the readers of the named motions and count their results; InputError where all fail."""
        read: list[T] = []
        for name, reader in track(readers, "read"):
            try:
                with decoding(name, "a motion that can be shown"):
                    read.append(reader())
            except CrossDiffError as error:
                self.failed[name] = str(error).removeprefix(f"{name}: ")
        if not read:
            raise InputError(f"no motion could be shown:{listed(self.failed)}")
        self.motions = len(read)
        return read
