"""The interactive page: figures to turn, zoom and scrub, side by side on one timeline, in a single file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from markupsafe import Markup

from crossdiff.errors import InputError, MissingDependencyError
from crossdiff.files import write_text
from crossdiff.templates import fill_template
from crossdiff.viewing.camera import FOCAL
from crossdiff.viewing.palette import page_colours
from crossdiff.viewing.player.data import Shown, motion_data

__all__ = ["Shown", "write_view"]

# three.js as packaged by the SageMath project; the installed file is read, nothing of it is copied here.
_PACKAGE, _LIBRARY = "jupyter_threejs_sage", Path("static", "r130", "three.min.js")
_SCRIPTS = ("motion.js", "flat.js", "stage.js", "player.js")
# Text that would end the script element, or make the parser expect another end.
_ENDS = re.compile(r"<(?=/script|!--|script)", re.IGNORECASE)


def write_view(path: Path, motions: Sequence[Shown], title: str = "Motions") -> Path:
    """Write one page that plays the motions in step, each as a figure in space beside its front and side views.

    A shorter motion holds its last pose. Needs `pip install "crossdiff[view]"`.
    """
    library = check_view(path)
    if not motions:
        raise InputError(f"{path}: no motions to show; give at least one")
    here = files("crossdiff.viewing.player")
    script = "\n".join(here.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    page = fill_template(
        "crossdiff.viewing.player",
        "view.html",
        title=title,
        cards=motions,
        data={"focal": FOCAL, "motions": [motion_data(shown) for shown in motions]},
        colours=page_colours(),
        style=Markup(here.joinpath("view.css").read_text(encoding="utf-8")),
        library=_script(library),
        script=_script(script),
    )
    write_text(path, page)
    return path


def check_view(path: Path) -> str:
    """The text of three.js; InputError if the page's name has another suffix than .html or .htm."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: pages are written as .html; change the name")
    return three_js()


def three_js() -> str:
    """The text of three.js, from the installed package."""
    # Located without importing it: only its file is needed.
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError('view: three.js is not installed; pip install "crossdiff[view]"')
    path = Path(spec.submodule_search_locations[0]) / _LIBRARY
    if not path.is_file():
        raise MissingDependencyError(f"{path}: no such file; pip install jupyter-threejs-sage==130")
    return path.read_text(encoding="utf-8")


def _script(text: str) -> Markup:
    return Markup(_ENDS.sub(r"\\x3c", text))
