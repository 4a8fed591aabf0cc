"""`crossdiff prepare`: motions of any kind to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import DEFAULT_DATASET, setting
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def prepare(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="One or several: HumanML3D or KIT folder, folder of .npy joints, .npz of joints, AMASS folder, or BVH "
            "files; captions in texts/ or texts.zip, lists in train.txt, val.txt, test.txt."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Dataset folder to write.")] = None,
    captions: Annotated[
        Path | None, typer.Option(help="JSON file of further captions: {clip id: [sentences]}.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Leave out clips with such ids, as 'walk_*'; repeat for several patterns.")
    ] = None,
    joint_map: Annotated[
        str | None, typer.Option(help="BVH: bvh_cmu, bvh_bandai_namco, or a YAML file that names the joints.")
    ] = None,
    body_models: Annotated[Path | None, typer.Option(help="AMASS: folder of SMPL-H or SMPL-X models (.npz).")] = None,
    index: Annotated[
        Path | None, typer.Option(help="AMASS, BVH: HumanML3D's index.csv of clips, if it is not in SOURCE.")
    ] = None,
    max_bad_share: Annotated[
        float | None, typer.Option(help="Largest accepted fraction of broken clips or caption lines; default: 0.05.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with settings.")] = None,
    set_: Annotated[list[str] | None, setting("fps=30")] = None,
) -> None:
    """Turn motions and captions into a HumanML3D folder: features, statistics, splits, and a list of what was left out.

    Exits with 3 when more is broken than --max-bad-share, and the rest was prepared.

    Example: crossdiff prepare bvh/ --joint-map bvh_cmu --out dataset --set min_frames=24
    """
    from crossdiff.config import load_config
    from crossdiff.data.bvh import JointMap
    from crossdiff.data.prepare import PrepareConfig
    from crossdiff.data.prepare import prepare as prepare_dataset
    from crossdiff.viewing.plots import plot_dataset
    from crossdiff.workflows.defaults import resolve_out

    overrides = [*(set_ or []), *([f"max_bad_share={max_bad_share}"] if max_bad_share is not None else [])]
    cfg = load_config(PrepareConfig, config, overrides)
    cfg = cfg.model_copy(update={"exclude": (*cfg.exclude, *(exclude or []))})
    names = load_config(JointMap, joint_map) if joint_map is not None else None
    folder = resolve_out(out, DEFAULT_DATASET, print_default)
    prepared = prepare_dataset(source, folder, cfg, names, body_models, index, captions)
    for path in plot_dataset(folder):
        print_default("plot", path, "made with the dataset")
    print_summary(prepared)
    prepared.raise_failures()
