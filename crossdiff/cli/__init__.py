"""The command `crossdiff`: a table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections import Counter
from typing import NoReturn

import typer

from crossdiff import __version__
from crossdiff.cli.lazy import lazy_group
from crossdiff.errors import CrossDiffError
from crossdiff.wording import MOST_LISTED, printable

# Topic -> command -> module and function below `crossdiff.cli`, imported when the command is asked for.
COMMANDS: dict[str, dict[str, str]] = {
    "Start": {
        "demo": "demo:demo",
        "run": "run:run",
        "app": "serve:serve",
    },
    "Videos to labels": {
        "extract-2d": "extract_2d:extract_2d",
        "import-2d": "import_2d:import_2d",
        "filter": "filter:filter_",
        "build-2d": "build_2d:build_2d",
        "pseudo-label": "pseudo_label:pseudo_label",
        "status": "status:status",
        "report": "report:report",
    },
    "Learn": {
        "finetune": "finetune:finetune",
        "prepare": "prepare:prepare",
        "train": "train:train",
        "distil": "distil:distil",
        "recipe": "recipe:recipe",
    },
    "Sample and look": {
        "models": "models:models",
        "sample": "sample:sample",
        "render": "render:render",
        "view": "view:view",
        "export": "export:export",
    },
    "Measure": {
        "train-evaluator": "train_evaluator:train_evaluator",
        "evaluate": "evaluate:evaluate",
        "evaluate-lift": "evaluate_lift:evaluate_lift",
        "compare": "compare:compare",
        "study ablations": "study:ablations",
        "study forgetting": "study:forgetting",
        "study held-out": "study:held_out",
        "study sampling": "study:sampling",
    },
    "Convert": {
        "convert": "convert:convert",
        "convert-evaluator": "convert_evaluator:convert_evaluator",
        "convert-pose": "convert_pose:convert_pose",
    },
}
# First word of commands of two words -> help of their group.
_GROUPS = {"study": "Experiments that train and evaluate several models."}

app = typer.Typer(
    name="crossdiff",
    cls=lazy_group(COMMANDS, _GROUPS),
    help="3D human motion from text, and from videos found in the wild.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"crossdiff {__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what is done, and show tracebacks."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(message)s"))
    if not verbose:
        handler.addFilter(_FewOfAKind())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


class _PrintableFormatter(logging.Formatter):
    """Makes file names in log lines safe to print."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _FewOfAKind(logging.Filter):
    """Passes the first messages that one call logs, so that thousands of damaged files are not thousands of lines."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[object] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.msg
        self._counts[kind] += 1
        if self._counts[kind] == MOST_LISTED:
            record.msg = f"{kind}; others like it are not shown (-v shows all)"
        return self._counts[kind] <= MOST_LISTED


# What typer exits with at Ctrl-C.
_INTERRUPTED = 130

# Libraries read these when they are loaded; without them their log messages would mix with our output.
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "GLOG_minloglevel": "2",
    "OPENCV_LOG_LEVEL": "ERROR",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}


def main() -> None:
    """Console script. A `CrossDiffError`, or one of the file system, becomes one line on stderr and an exit code."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals and pipes that cannot encode arrows
    try:
        app()
    except CrossDiffError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        from crossdiff.files import disk_message  # loads numpy, which --help does without

        _fail(disk_message(error), 1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.secho("crossdiff: interrupted; run the same command again to resume", err=True)
        raise


def _fail(message: str, code: int) -> NoReturn:
    if logging.getLogger().isEnabledFor(logging.INFO):
        logging.exception("failed")
    typer.secho(printable(f"crossdiff: {message}"), err=True, fg=typer.colors.RED)
    sys.exit(code)
