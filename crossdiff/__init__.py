"""CrossDiff: 3D human motion from text and from videos found in the wild."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from crossdiff import moved

if TYPE_CHECKING:
    from crossdiff.diffusion.editing import Edit
    from crossdiff.diffusion.pipeline import CrossDiffPipeline

__version__ = "0.1.0"
__all__ = ["CrossDiffPipeline", "Edit", "__version__"]


moved.install()

# Imported on first use, so that the command line starts without torch.
_LAZY = {"CrossDiffPipeline": "crossdiff.diffusion.pipeline", "Edit": "crossdiff.diffusion.editing"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'crossdiff' has no attribute {name!r}")
