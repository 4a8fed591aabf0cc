"""Pose backends by name; each is imported only when it is asked for."""

from __future__ import annotations

from crossdiff.errors import InputError
from crossdiff.pipeline.backends.base import Person, PoseBackend

BACKENDS = ("mediapipe",)


def create_backend(name: str) -> PoseBackend:
    if name == "mediapipe":
        from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend

        return MediaPipeBackend()
    raise InputError(f"no pose backend {name!r}; there are: {', '.join(BACKENDS)}")


__all__ = ["BACKENDS", "Person", "PoseBackend", "create_backend"]
