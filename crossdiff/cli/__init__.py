"""The command `crossdiff`: one short module per command, errors turned into messages and exit codes here alone."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import NoReturn

import typer

from crossdiff import __version__
from crossdiff.errors import CrossDiffError
from crossdiff.wording import printable

app = typer.Typer(
    name="crossdiff",
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
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


class _PrintableFormatter(logging.Formatter):
    """Log lines may hold names of files."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _register() -> None:
    """Import the command modules, each of which adds itself to `app`."""
    from crossdiff.cli import (  # noqa: F401
        build_2d,
        compare,
        convert,
        convert_evaluator,
        convert_pose,
        demo,
        evaluate,
        evaluate_lift,
        export,
        extract_2d,
        filter,
        finetune,
        import_2d,
        prepare,
        pseudo_label,
        recipe,
        render,
        report,
        run,
        sample,
        serve,
        status,
        study,
        train,
        train_evaluator,
        view,
    )


_register()


# What typer exits with at Ctrl-C.
_INTERRUPTED = 130

# Libraries read these when they are loaded; what they log would land between our lines.
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
            stream.reconfigure(errors="replace")  # arrows, where the terminal or a pipe has no letters for them
    try:
        app()
    except CrossDiffError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        path = error.filename2 or error.filename or "the file system"
        _fail(f"{path}: {error.strerror or error}; check the path, whether it may be written, and the free space", 1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.secho("crossdiff: interrupted; run the same command again to go on", err=True)
        raise


def _fail(message: str, code: int) -> NoReturn:
    if logging.getLogger().isEnabledFor(logging.INFO):
        logging.exception("failed")
    typer.secho(printable(f"crossdiff: {message}"), err=True, fg=typer.colors.RED)
    sys.exit(code)
