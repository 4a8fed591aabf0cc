"""Errors that a user can act on: messages say what is wrong, what was given, and what to do next."""

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
    """A checkpoint that is missing, damaged, or of another model than expected."""


class ClipError(CrossDiffError):
    """One clip (video, motion, caption) that cannot be used; the rest of the batch is processed."""


class MissingDependencyError(CrossDiffError):
    """An optional library or its weights are not installed."""


class PartialFailure(CrossDiffError):
    """The batch was processed, but some inputs failed; they are listed with reasons."""

    exit_code = 3
