"""Pose backends by name; each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from crossdiff.errors import InputError
from crossdiff.pipeline.backends.base import Person, PoseBackend

BACKENDS = ("mediapipe",)


def create_backend(name: str, settings: Sequence[str] = ()) -> PoseBackend:
    """A backend from what can be typed, and sent to another process: its name, and `key=value` settings."""
    if name == "mediapipe":
        from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend

        return MediaPipeBackend()
    raise InputError(f"no pose backend {name!r}; there are: {', '.join(BACKENDS)}")


__all__ = ["BACKENDS", "Person", "PoseBackend", "create_backend"]
