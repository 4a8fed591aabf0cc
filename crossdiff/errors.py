"""Errors that a user can act on: each message says what was wrong, what was got, and what to do next."""

from pathlib import Path


class CrossDiffError(Exception):
    """Base of every error that the command line shows as one line instead of a traceback."""

    exit_code = 1


class InputError(CrossDiffError):
    """A file, folder or value that cannot be used."""


class VideoError(InputError):
    """A video file that cannot be read; `reason` says why without naming the file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"


class ConfigError(CrossDiffError):
    """A configuration that is unknown, malformed or contradicts itself."""


class CheckpointError(CrossDiffError):
    """A checkpoint that is missing, damaged, or of another model than asked for."""


class ClipError(CrossDiffError):
    """One clip (video, motion, caption) that cannot be used; the rest of a batch goes on."""


class MissingDependencyError(CrossDiffError):
    """An optional library or its weights are not installed."""


class PartialFailure(CrossDiffError):
    """The batch was worked through, but some inputs failed; they are listed with their reasons."""

    exit_code = 3
