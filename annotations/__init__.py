"""Captions of wild clips: of action labels, and from files of the user."""
