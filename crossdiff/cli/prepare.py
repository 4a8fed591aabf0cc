"""`crossdiff prepare`: motions of any kind to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary, took

DEFAULT_DATASET = Path("dataset")


@app.command(no_args_is_help=True)
def prepare(
    source: Annotated[
        Path,
        typer.Argument(
            help="HumanML3D or KIT folder, folder of .npy joints, .npz of joints, AMASS folder, or BVH files; "
            "captions in texts/ or texts.zip, lists in train.txt, val.txt, test.txt."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Dataset folder to write.")] = None,
    joint_map: Annotated[
        str | None, typer.Option(help="BVH: bvh_cmu, bvh_bandai_namco, or a YAML file that names the joints.")
    ] = None,
    body_models: Annotated[Path | None, typer.Option(help="AMASS: folder of SMPL-H or SMPL-X models (.npz).")] = None,
    index: Annotated[
        Path | None, typer.Option(help="AMASS, BVH: HumanML3D's index.csv of clips, if it is not in SOURCE.")
    ] = None,
    max_bad_share: Annotated[
        float | None, typer.Option(help="Broken share of clips or caption lines that is accepted (0.05).")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One setting, such as fps=30; repeatable.")] = None,
) -> None:
    """Turn motions and captions into a HumanML3D folder: features, statistics, splits, and what was left out.

    Example: crossdiff prepare bvh/ --joint-map bvh_cmu --out dataset --set min_frames=24
    """
    from crossdiff.config import load_config
    from crossdiff.data.bvh import JointMap
    from crossdiff.data.prepare import PrepareConfig
    from crossdiff.data.prepare import prepare as prepare_dataset
    from crossdiff.viewing.plots import plot_dataset

    overrides = [*(set_ or []), *([f"max_bad_share={max_bad_share}"] if max_bad_share is not None else [])]
    cfg = load_config(PrepareConfig, config, overrides)
    names = load_config(JointMap, joint_map) if joint_map is not None else None
    if out is None:
        out = DEFAULT_DATASET
        took("out", out, "name it with --out")
    prepared = prepare_dataset(source, out, cfg, names, body_models, index)
    for path in plot_dataset(out):
        took("plot", path, "made with the dataset")
    summary(str(prepared))
