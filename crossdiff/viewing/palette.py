"""Colours of plots, figures, scenes and pages."""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup

# Series of plots.
BLUE, AMBER, RED, GREEN, GREY = "#2b5cad", "#e0a33a", "#c8402f", "#3c8a4e", "#9aa3af"
# Behind the series: a reference value, a band around it, grid lines.
REFERENCE, BAND, RULE = "#888888", "#dddddd", "#eeeeee"

# RGB of the sides of a figure: blue and orange, which colour-blind people can tell apart.
LEFT, RIGHT, NEUTRAL = (52, 120, 196), (222, 112, 58), (150, 158, 170)
# RGB of a scene: the background, its floor and grid, the root's path, shadows.
PAPER, FLOOR, GRID = (252, 252, 253), (243, 245, 248), (203, 209, 218)
PATH, SHADOW = (205, 168, 120), (136, 144, 158)


def page_colours() -> Markup:
    """Variables that the style sheets of all pages share, for light and dark screens."""
    return Markup(files("crossdiff.viewing").joinpath("colours.css").read_text(encoding="utf-8"))
