"""Motion files to one video or picture: what `crossdiff render` does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from crossdiff.errors import InputError
from crossdiff.types import Motion3D
from crossdiff.viewing.gather import ShownMotions
from crossdiff.viewing.motion_files import caption_of, motion_files, read_motion
from crossdiff.viewing.sheet import render_sheet
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted

# Pixels along a panel. GIFs pack badly, and moments stand side by side.
SIZES = {".mp4": 480, ".gif": 320, ".png": 240}
_WIDEST = 8192  # pixels: beyond this, players and browsers give up
MOMENTS = 6


def render_files(
    paths: Sequence[Path], out: Path, titles: Sequence[str] = (), size: int | None = None, moments: int | None = None
) -> ShownMotions:
    """Draw motion files, and all of those in folders, as `out` says: .mp4, .gif, or .png (moments on a sheet).

    titles: one for each motion; without them captions that lie beside the files, else the files' names. size: pixels
    along a panel; moments: of each motion, in a .png alone. What cannot be read is in `failed`, and the rest is drawn;
    InputError where nothing can be, or what is asked for does not fit together.
    """
    kind = out.suffix.lower()
    if kind not in SIZES:
        raise InputError(f"{out}: expected a name that ends in {', '.join(SIZES)}; change it")
    if moments is not None and kind != ".png":
        raise InputError(f"{out}: moments belong to a picture; name it .png, or leave them out")
    files = motion_files(paths)
    if titles and len(titles) != len(files):
        raise InputError(f"{counted(len(titles), 'title')} for {counted(len(files), 'motion')}; give one each, or none")
    summary = ShownMotions(out)
    named = zip(files, titles or [caption_of(file) or file.stem for file in files], strict=True)
    read = summary.gather([(str(file), partial(_titled, file, title)) for file, title in named])
    motions, shown = [motion for motion, _ in read], [title for _, title in read]
    size = SIZES[kind] if size is None else size
    moments = MOMENTS if moments is None else moments
    across = moments if kind == ".png" else len(motions)
    if across * size > _WIDEST:
        raise InputError(
            f"{out}: {across} panels of {size} pixels are wider than {_WIDEST}; take fewer, or smaller ones"
        )
    if kind == ".png":
        render_sheet(motions, out, shown, moments, size)
    else:
        render_motion(motions, out, shown, size)
    return summary


def _titled(file: Path, title: str) -> tuple[Motion3D, str]:
    return read_motion(file), title
