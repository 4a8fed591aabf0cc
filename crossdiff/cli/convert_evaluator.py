"""`crossdiff convert-evaluator`: T2M's released evaluators to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.printing import print_summary


@help_alone
def convert_evaluator(
    released: Annotated[Path, typer.Argument(help="T2M's text_mot_match/model/finest.tar.")],
    stats: Annotated[Path, typer.Option(help="Folder with the evaluator's mean.npy and std.npy (T2M's meta folder).")],
    words: Annotated[Path, typer.Option(help="Its word vectors: an npz with words and vectors (GloVe).")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for evaluators; the evaluator is written to t2m-all, or t2m- and its body part."),
    ],
) -> None:
    """Turn a released evaluator of T2M into one for `crossdiff evaluate --evaluators OUT`; nothing is unpickled.

    Example: crossdiff convert-evaluator finest.tar --stats meta/ --words glove.npz --out t2m_released
    """
    from crossdiff.workflows.convert import convert_evaluator as convert

    print_summary(convert(released, stats, words, out))
