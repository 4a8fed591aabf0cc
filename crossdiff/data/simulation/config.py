"""How 3D clips are filmed."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat

from crossdiff.config import Config


class FilmConfig(Config):
    """Simulated film of 3D clips: other bodies and poses than theirs, cameras, and a detector's errors."""

    weight: float = Field(1.0, gt=0)
    """Weight of its loss beside that of the other clips."""
    batch_size: int = Field(32, ge=1)
    """Filmed clips per step, on all devices together; all are equally long."""
    min_frames: int = Field(24, ge=8)
    """Shortest window, in frames."""
    max_frames: int = Field(196, ge=8)
    """Longest window, in frames; short ones are more frequent."""
    noise: tuple[NonNegativeFloat, NonNegativeFloat] = (0.3, 1.3)
    """Least and largest factor on a detector's errors, of which each clip draws its own; at 1 they are about two thirds
    of those measured of BlazePose."""
    lost: float = Field(0.5, ge=0, le=1)
    """Fraction of clips with hidden joints."""
    exchanged: float = Field(0.1, ge=0, le=1)
    """Fraction of clips in which left and right limbs change places for a while."""
    hide_path: float = Field(0.2, ge=0, le=1)
    """Fraction of clips whose root trajectory is hidden, as when the camera's movement is unknown."""
    tilted: float = Field(0.5, ge=0, le=1)
    """Fraction of cameras that look down or up (-10 to 40 degrees), and roll."""
    near: float = Field(0.6, ge=0, le=1)
    """Fraction of cameras that are 2.5 to 12 m away; the others are orthographic."""
    stretched: float = Field(0.2, ge=0, le=1)
    """Fraction of pictures whose pixels are not square."""
    proportions: float = Field(0.08, ge=0)
    """Spread of the lengths of bones, as a standard deviation of their logarithms."""
    mixed: float = Field(0.2, ge=0, le=1)
    """Fraction of clips whose upper body comes from another clip."""
    bent: float = Field(0.4, ge=0, le=1)
    """Fraction of clips whose limbs are turned."""
    bent_degrees: float = Field(25.0, ge=0)
    """Standard deviation of these turns, in degrees."""
    turned_over: float = Field(0.1, ge=0, le=1)
    """Fraction of clips whose body is turned over, up to upside down."""
