"""`crossdiff convert-evaluator`: T2M's released evaluators to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary


@app.command("convert-evaluator", no_args_is_help=True)
def convert_evaluator(
    released: Annotated[Path, typer.Argument(help="T2M's text_mot_match/model/finest.tar.")],
    stats: Annotated[Path, typer.Option(help="Folder with the evaluator's mean.npy and std.npy (T2M's meta folder).")],
    words: Annotated[Path, typer.Option(help="Its word vectors: an npz with words and vectors (GloVe).")],
    out: Annotated[Path, typer.Option(help="Folder for evaluators; gets t2m-all, or the part that the file is of.")],
) -> None:
    """Turn a released evaluator of T2M into one for `crossdiff evaluate --evaluators OUT`; nothing is unpickled.

    Example: crossdiff convert-evaluator finest.tar --stats meta/ --words glove.npz --out t2m_released
    """
    from crossdiff.errors import InputError
    from crossdiff.evaluators.evaluators import is_evaluator, save_evaluator
    from crossdiff.evaluators.released import load_released

    evaluator = load_released(released, stats, words)
    folder = out / f"t2m-{evaluator.config.part}"
    if is_evaluator(folder):
        raise InputError(f"{folder}: holds an evaluator; give another --out")
    save_evaluator(evaluator, folder)
    summary(f"{folder}: t2m evaluator of {evaluator.config.part}, {evaluator.config.dim} values, {evaluator.words}")
