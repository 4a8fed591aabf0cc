"""Video files, read frame by frame as a player shows them."""

from crossdiff.video.reader import FrameSource, VideoInfo, VideoReader, holds_video, read_header

__all__ = ["FrameSource", "VideoInfo", "VideoReader", "holds_video", "read_header"]
