"""Video files, read frame by frame as a player shows them."""

from crossdiff.video.reader import SUFFIXES, FrameSource, VideoInfo, VideoReader, holds_video

__all__ = ["SUFFIXES", "FrameSource", "VideoInfo", "VideoReader", "holds_video"]
