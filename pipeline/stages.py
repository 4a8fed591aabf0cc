"""Old path of `crossdiff.pipeline.summaries`."""

from crossdiff.pipeline.summaries import ClipSummary, StageSummary, no_clips, no_motions

__all__ = ["ClipSummary", "StageSummary", "no_clips", "no_motions"]
