"""Motion files to one video or picture: what `crossdiff render` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossdiff.errors import CrossDiffError, InputError, PartialFailure
from crossdiff.types import Motion3D
from crossdiff.viewing.motion_files import caption_of, motion_files, read_motion
from crossdiff.viewing.sheet import render_sheet
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted, listed

# Pixels along a panel. GIFs pack badly, and moments stand side by side.
SIZES = {".mp4": 480, ".gif": 320, ".png": 240}
_WIDEST = 8192  # pixels: beyond this, players and browsers give up
MOMENTS = 6


@dataclass
class RenderSummary:
    """What was drawn where, and what could not be, with the reasons."""

    path: Path
    motions: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{counted(self.motions, 'motion')} in {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)"

    def raise_failures(self) -> None:
        if self.failed:
            raise PartialFailure(f"{counted(len(self.failed), 'motion')} could not be drawn:{listed(self.failed)}")


def render_files(
    paths: Sequence[Path], out: Path, titles: Sequence[str] = (), size: int | None = None, moments: int | None = None
) -> RenderSummary:
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
    summary = RenderSummary(out)
    motions, shown = _read(files, titles or [caption_of(file) or file.stem for file in files], summary)
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


def _read(files: Sequence[Path], titles: Sequence[str], summary: RenderSummary) -> tuple[list[Motion3D], list[str]]:
    """The motions that can be read, with their titles; the summary counts them and names the others."""
    motions, shown = [], []
    for file, title in zip(files, titles, strict=True):
        try:
            motions.append(read_motion(file))
            shown.append(title)
        except CrossDiffError as error:
            summary.failed[str(file)] = str(error).removeprefix(f"{file}: ")
    if not motions:
        raise InputError(f"no motion could be drawn:{listed(summary.failed)}")
    summary.motions = len(motions)
    return motions, shown
