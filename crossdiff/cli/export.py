"""`crossdiff export`: motions to files that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.printing import print_default, print_summary, print_text


@help_alone
def export(
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION...",
            help="Files: joints as `crossdiff sample` writes them (.npy), a run's pseudo labels (RUN/pseudo3d/*.npz), "
            "or HumanML3D features (.npy).",
        ),
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="bvh, glb, npz, csv (positions), trc (OpenSim's markers), angles (of joints, as CSV) or smpl; "
            "repeatable; default: by the suffix of --out.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, or the file for one motion, such as walk.bvh.")
    ] = None,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="First remove jitter (Gaussian with a sigma of one frame).")
    ] = False,
    foot_lock: Annotated[
        bool,
        typer.Option(
            "--foot-lock/--raw", help="Hold feet still while they touch the floor, or leave them as they are."
        ),
    ] = True,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1, max=1000, help="Frames a second; default: 24 in BVH, as Blender assumes, else the motion's."
        ),
    ] = None,
    names: Annotated[str, typer.Option(help="Names of the joints: humanml3d, mixamo, unreal or vrm.")] = "humanml3d",
    unit: Annotated[str, typer.Option(help="BVH: m, as Blender assumes, or cm.")] = "m",
    body_model: Annotated[
        Path | None, typer.Option(help="smpl: your body model (.npz), to fit its mean body exactly.")
    ] = None,
    mesh: Annotated[
        bool, typer.Option("--mesh", help="smpl: also the skin of --body-model, one .obj per frame.")
    ] = False,
) -> None:
    """Write motions for Blender, game engines, biomechanics, body-model tools or tables, on bones of constant length.

    Example: crossdiff export walk.npy --format bvh --format glb --smooth --out walk

    Example: crossdiff export walk.npy --names mixamo --fps 30 --out walk.bvh
    """
    from typing import cast

    from crossdiff.export.batch import ExportOptions, Format, export_motions, format_of
    from crossdiff.export.bvh import Unit
    from crossdiff.export.rig import Names
    from crossdiff.wording import MOST_LISTED
    from crossdiff.workflows.defaults import resolve_out

    folder = resolve_out(out, Path("export"), print_default)
    by_suffix = format_of(folder)
    given = formats or ([by_suffix] if by_suffix is not None else [])
    chosen = tuple(cast(Format, kind) for kind in dict.fromkeys(given))
    options = ExportOptions(chosen, smooth, foot_lock, cast(Unit, unit), body_model, mesh, fps, cast(Names, names))
    result = export_motions(motions, folder, options)
    measures = result.measures()
    for line in measures[:MOST_LISTED]:
        print_text(f"  {line}")
    if len(measures) > MOST_LISTED:
        print_text(f"  ... and {len(measures) - MOST_LISTED} more")
    print_summary(result)
    result.raise_failures()
