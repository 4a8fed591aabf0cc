"""CrossDiff: 3D human motion from text and from videos found in the wild."""

__version__ = "0.1.0"
