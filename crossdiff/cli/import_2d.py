"""`crossdiff import-2d`: 2D poses from other sources, as clips of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import Captions, NewRun
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def import_2d(
    source: Annotated[
        Path, typer.Argument(help="Folder of keypoints (ID.npz, captions in ID.txt), or JHMDB's poses in one .npz.")
    ],
    out: NewRun = None,
    captions: Captions = None,
    camera: Annotated[
        str | None,
        typer.Option(
            help="Camera of files without one: still (default for keypoints), unknown, or guess (default for JHMDB)."
        ),
    ] = None,
) -> None:
    """Take 2D poses from annotations or another detector into a run, instead of extracting them from videos.

    docs/pipeline.md says what the files hold. Exits with 3 when some clips failed and with 1 when all did.

    Example: crossdiff import-2d keypoints/ --out runs/annotated
    """
    from crossdiff.pipeline.imports import import_keypoints
    from crossdiff.pipeline.pose_files import camera_rule, read_poses
    from crossdiff.workflows.defaults import create_run

    # Read before the run is created, so that a wrong source leaves no empty run.
    found = read_poses(source, captions, camera_rule(camera))
    run = create_run(out, print_default)
    result = import_keypoints(run, found.clips, str(source), found.count)
    print_summary(f"{result}; keypoints in {run.keypoints}")
    result.raise_failures()
