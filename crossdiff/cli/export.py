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
    formats: Annotated[list[str], typer.Option("--format", help="bvh, glb, npz, csv or smpl; repeatable.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to.")] = None,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="First remove jitter (Gaussian with a sigma of one frame).")
    ] = False,
    foot_lock: Annotated[bool, typer.Option("--foot-lock", help="Hold feet still while they touch the floor.")] = False,
    unit: Annotated[str, typer.Option(help="BVH: cm or m.")] = "cm",
    body_model: Annotated[
        Path | None, typer.Option(help="smpl: your body model (.npz), to fit its mean body exactly.")
    ] = None,
    mesh: Annotated[
        bool, typer.Option("--mesh", help="smpl: also the skin of --body-model, one .obj per frame.")
    ] = False,
) -> None:
    """Write motions for Blender, game engines, body-model tools or tables, on bones of constant length.

    Example: crossdiff export walk.npy --format bvh --format glb --smooth --foot-lock --out walk
    """
    from typing import cast

    from crossdiff.export.batch import ExportOptions, Format, export_motions
    from crossdiff.export.bvh import Unit
    from crossdiff.workflows.defaults import resolve_out

    folder = resolve_out(out, Path("export"), print_default)
    chosen = tuple(cast(Format, kind) for kind in dict.fromkeys(formats))
    options = ExportOptions(chosen, smooth, foot_lock, cast(Unit, unit), body_model, mesh)
    result = export_motions(motions, folder, options)
    for line in result.measures():
        print_text(f"  {line}")
    print_summary(result)
    result.raise_failures()
