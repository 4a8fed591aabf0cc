"""Pose backends by name, imported on demand."""

from __future__ import annotations

from collections.abc import Sequence

from crossdiff.config import load_config
from crossdiff.errors import InputError
from crossdiff.pipeline.backends.base import Person, PoseBackend

BACKENDS = ("mediapipe", "vitpose", "mmpose")


def create_backend(name: str, settings: Sequence[str] = ()) -> PoseBackend:
    """The backend of a name, with settings as `key=value`."""
    overrides, option = list(settings), "--pose-set"
    if name == "mediapipe":
        from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend, MediaPipeConfig

        return MediaPipeBackend(load_config(MediaPipeConfig, None, overrides, option))
    if name == "vitpose":
        from crossdiff.pipeline.backends.vitpose import VitPoseBackend, VitPoseConfig

        return VitPoseBackend(load_config(VitPoseConfig, None, overrides, option))
    if name == "mmpose":
        from crossdiff.pipeline.backends.mmpose import MMPoseBackend, MMPoseConfig

        return MMPoseBackend(load_config(MMPoseConfig, None, overrides, option))
    raise InputError(f"no pose backend {name!r}; there are: {', '.join(BACKENDS)}")


__all__ = ["BACKENDS", "Person", "PoseBackend", "create_backend"]
