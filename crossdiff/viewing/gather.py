"""What becomes of several motions that are shown together, of which some cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from crossdiff.errors import CrossDiffError, InputError, PartialFailure
from crossdiff.progress import track
from crossdiff.wording import counted, listed

T = TypeVar("T")


@dataclass
class ShownMotions:
    """Where motions are shown, how many, and which could not be, with the reasons."""

    path: Path
    motions: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{counted(self.motions, 'motion')} in {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)"

    def raise_failures(self) -> None:
        """PartialFailure that names each that could not be shown, where there is one."""
        if self.failed:
            raise PartialFailure(f"{counted(len(self.failed), 'motion')} could not be shown:{listed(self.failed)}")

    def gather(self, readers: Sequence[tuple[str, Callable[[], T]]]) -> list[T]:
        """What the readers of the named motions give, counted here; InputError where none gives anything."""
        read: list[T] = []
        for name, reader in track(readers, "read"):
            try:
                read.append(reader())
            except CrossDiffError as error:
                self.failed[name] = str(error).removeprefix(f"{name}: ")
        if not read:
            raise InputError(f"no motion could be shown:{listed(self.failed)}")
        self.motions = len(read)
        return read
