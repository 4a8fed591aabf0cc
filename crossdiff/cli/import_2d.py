"""`crossdiff import-2d`: 2D poses that were found elsewhere, as clips of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import Captions, summary, took


@app.command("import-2d", no_args_is_help=True)
def import_2d(
    source: Annotated[
        Path, typer.Argument(help="Folder of keypoints (ID.npz, captions in ID.txt), or JHMDB's poses in one .npz.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder; one that exists is gone on with.")] = None,
    captions: Captions = None,
    camera: Annotated[
        str | None,
        typer.Option(help="Where files do not say: still (as of keypoints), unknown, or guess (as of JHMDB)."),
    ] = None,
) -> None:
    """Take 2D poses from annotations or another detector into a run, instead of extracting them from videos.

    docs/pipeline.md says what the files hold. Exits with 3 when some clips failed and with 1 when all did.

    Example: crossdiff import-2d keypoints/ --out runs/annotated
    """
    from crossdiff.pipeline.importing.imports import import_keypoints
    from crossdiff.pipeline.importing.pose_files import camera_rule, read_poses
    from crossdiff.pipeline.run import Run

    # What can be wrong with the command is said before a run folder is made for nothing.
    found = read_poses(source, captions, camera_rule(camera))
    run = Run.create(out)
    if out is None:
        took("run", run.root, "a new run; name it with --out")
    result = import_keypoints(run, found.clips, str(source), found.count)
    summary(f"{result}; keypoints in {run.keypoints}")
    result.raise_failures()
