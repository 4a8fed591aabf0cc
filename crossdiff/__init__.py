"""CrossDiff: 3D human motion from text and from videos found in the wild."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdiff.diffusion.pipeline import CrossDiffPipeline

__version__ = "0.1.0"
__all__ = ["CrossDiffPipeline", "__version__"]


def __getattr__(name: str) -> object:
    # Imported on first use, so that the command line starts without torch.
    if name == "CrossDiffPipeline":
        from crossdiff.diffusion.pipeline import CrossDiffPipeline

        return CrossDiffPipeline
    raise AttributeError(f"module 'crossdiff' has no attribute {name!r}")
