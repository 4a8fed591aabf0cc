"""What the page shows and offers for download: the interactive viewer, and files for other programs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossdiff.app.progress import ProgressCallback
from crossdiff.export.batch import ExportOptions, export_motions
from crossdiff.files import save_npy
from crossdiff.viewing.player.view import Shown, write_view
from crossdiff.viewing.video import render_motion

_EXPORTED = ExportOptions(("bvh", "glb"))
_KINDS = (".mp4", ".npy", ".bvh", ".glb")
VIEWER, ALL = "viewer.html", "all.zip"


@dataclass(frozen=True)
class Result:
    """What one request produced."""

    viewer: str = ""
    """A complete HTML page; empty if there is no motion."""
    files: list[Path] = field(default_factory=list)
    """Downloads."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, one line each."""


def write_outputs(
    shown: Sequence[Shown], folder: Path, progress: ProgressCallback, notes: Sequence[str] = ()
) -> Result:
    """Write the viewer's page and, named after `Shown.name`, an .mp4, .npy, .bvh and .glb of each motion.

    Several motions also come as one .zip. The notes name motions that cannot be exported.
    """
    arrays = []
    for n, one in enumerate(shown):
        progress(0.9 * n / len(shown), f"Drawing video {n + 1} of {len(shown)}")
        arrays.append(folder / f"{one.name}.npy")
        save_npy(arrays[-1], one.motion.joints)
        render_motion([one.motion], folder / f"{one.name}.mp4", [one.caption or one.name])
    progress(0.9, "Writing BVH and GLB")
    failed = export_motions(arrays, folder, _EXPORTED).failed
    page = write_view(folder / VIEWER, shown, title="Motion")
    named = (folder / f"{one.name}{kind}" for one in shown for kind in _KINDS)
    files = [page, *(path for path in named if path.is_file())]
    if len(shown) > 1:
        files.insert(0, _zipped(folder / ALL, files))
    missing = [
        f"{name}: no BVH and GLB. {reason.removeprefix(f'{folder / name}: ')}" for name, reason in failed.items()
    ]
    return Result(page.read_text(encoding="utf-8"), files, [*notes, *missing])


def _zipped(path: Path, files: Sequence[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path
