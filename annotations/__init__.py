"""Captions of wild clips: of action labels, and from files of the user."""

from typing import TYPE_CHECKING

from crossdiff.annotations.actions import captions_for, labels
from crossdiff.annotations.captions import VideoCaption, caption_line, read_caption_csv
from crossdiff.moved import moved_names

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

__all__ = ["VideoCaption", "caption_line", "captions_for", "labels", "read_caption_csv"]
