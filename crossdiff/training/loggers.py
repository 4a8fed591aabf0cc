"""Where training shows its losses and sampled videos: TensorBoard, Weights & Biases, or nothing besides `loss.csv`."""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from crossdiff.errors import ConfigError, MissingDependencyError
from crossdiff.files import write_text
from crossdiff.video import VideoReader

LoggerName = Literal["tensorboard", "csv", "wandb"]
_PROJECT, _RUN_ID = "crossdiff", "wandb_id"


class Logger:
    """Discards everything: for `csv`, which the training writes itself, and for all processes but the first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(failed=kind is not None)

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        """Log values of one step by their names."""

    def add_video(self, name: str, path: Path, step: int) -> None:
        """Log a video file."""

    def close(self, failed: bool = False) -> None:
        """End the log."""


class TensorBoardLogger(Logger):
    """Event files in a folder. first_step: entries of this step and later ones, of an earlier run, are hidden."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_step)

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def add_video(self, name: str, path: Path, step: int) -> None:
        """Add a video as a GIF of every second frame."""
        from PIL import Image
        from tensorboard.compat.proto.summary_pb2 import Summary

        pictures = [Image.fromarray(frame) for n, frame in enumerate(VideoReader(path).frames()) if n % 2 == 0]
        gif = io.BytesIO()
        pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:], duration=100, loop=0)
        width, height = pictures[0].size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif.getvalue())
        self._writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def close(self, failed: bool = False) -> None:
        self._writer.close()


class WandbLogger(Logger):
    """A run of Weights & Biases, which a resumed training continues. `WANDB_MODE=offline` keeps it in the folder."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        self._wandb = import_wandb()
        id_file = folder / _RUN_ID
        if not id_file.is_file():
            write_text(id_file, secrets.token_hex(4))
        try:
            self._run = self._wandb.init(
                project=_PROJECT, name=name, id=id_file.read_text(), resume="allow", dir=folder, config=dict(settings)
            )
        except self._wandb.Error as error:
            raise ConfigError(
                f"logger wandb: {' '.join(str(error).split())}; run `wandb login`, or set WANDB_MODE=offline"
            ) from None

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def add_video(self, name: str, path: Path, step: int) -> None:
        self._run.log({name: self._wandb.Video(str(path))}, step=step)

    def close(self, failed: bool = False) -> None:
        self._run.finish(exit_code=int(failed))


def import_wandb() -> Any:
    """The package wandb, or MissingDependencyError."""
    try:
        import wandb
    except ImportError as error:
        raise MissingDependencyError(
            f"logger wandb: cannot be imported ({error}); install it with: pip install '.[wandb]' in the project's "
            "folder, or use --logger tensorboard or csv"
        ) from None
    return wandb


def check_logger(kind: LoggerName) -> None:
    """Raise MissingDependencyError where the logger's package is not installed."""
    if kind == "wandb":
        import_wandb()


def open_logger(kind: LoggerName, out: Path, settings: Mapping[str, Any], first_step: int) -> Logger:
    """The logger of a training in `out`, which logs to `out/log`. settings: the configuration, plain values.

    first_step: the next step; what an earlier run logged from there on is replaced as far as the logger can.
    """
    if kind == "tensorboard":
        return TensorBoardLogger(out / "log", first_step)
    if kind == "wandb":
        return WandbLogger(out / "log", out.name, settings)
    return Logger()
