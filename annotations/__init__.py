"""Captions of wild clips: of action labels, and from files of the user."""

from crossdiff.annotations.actions import captions_for, labels
from crossdiff.annotations.captions import VideoCaption, caption_line, read_caption_csv

__all__ = ["VideoCaption", "caption_line", "captions_for", "labels", "read_caption_csv"]
