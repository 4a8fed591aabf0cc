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
        Path,
        typer.Argument(help="Folder of keypoints: ID.npz, or JSON of OpenPose, AlphaPose, COCO, mmpose; or one file."),
    ],
    out: NewRun = None,
    captions: Captions = None,
    camera: Annotated[
        str | None,
        typer.Option(
            help="Camera of files without one: still (default for keypoints), unknown, or guess (JHMDB, Penn Action)."
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of files that do not hold it, such as JSON.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Picture of JSON files, such as 1920x1080; else one that holds the poses.")
    ] = None,
    keypoint_set: Annotated[
        str | None, typer.Option(help="What the keypoints in JSON files are; else the usual set of their number.")
    ] = None,
    y_up: Annotated[
        bool | None,
        typer.Option(
            "--y-up/--y-down",
            help="y counts upwards and is reversed; or downwards, though most people are upside down.",
            show_default=False,
        ),
    ] = None,
    hold_out_captions: Annotated[
        bool,
        typer.Option(help="Leave out every fifth caption of an action, to test a model on unseen sentences."),
    ] = False,
) -> None:
    """Take 2D poses from annotations or another detector into a run, instead of extracting them from videos.

    docs/pipeline.md lists the formats. Exits with 3 when some clips failed and with 1 when all did.

    Example: crossdiff import-2d openpose_output/ --fps 30 --out runs/openpose
    """
    from crossdiff.pipeline.importing.imports import import_keypoints
    from crossdiff.pipeline.importing.options import ImportOptions, picture_size
    from crossdiff.pipeline.importing.picture import camera_rule
    from crossdiff.pipeline.importing.pose_files import read_poses
    from crossdiff.workflows.defaults import create_run

    # Read before the run is created, so that a wrong source leaves no empty run.
    options = ImportOptions(camera_rule(camera), fps, picture_size(size), keypoint_set, y_up, hold_out_captions)
    poses = read_poses(source, captions, options)
    run = create_run(out, print_default)
    result = import_keypoints(run, poses.clips, str(source), poses.count)
    print_summary(f"{result}; keypoints in {run.keypoints}")
    result.raise_failures()
