"""The dotted path that `crossdiff.pipeline.importing.imports` had; kept for one release."""

from crossdiff.pipeline.importing.imports import ImportedClip, ImportSummary, UnusableClip, import_keypoints

__all__ = ["ImportSummary", "ImportedClip", "UnusableClip", "import_keypoints"]
