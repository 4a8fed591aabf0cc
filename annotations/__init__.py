"""Captions of wild clips: of action labels, and from files of the user."""

from crossdiff.annotations.actions import captions_for, labels
from crossdiff.annotations.captions import VideoCaption, caption_line, read_captions

__all__ = ["VideoCaption", "caption_line", "captions_for", "labels", "read_captions"]
