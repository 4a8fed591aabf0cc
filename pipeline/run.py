"""The folder of one pipeline run: the files of each stage, the ledger and the configuration."""

from __future__ import annotations

import json
import logging
import platform
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from crossdiff import __version__
from crossdiff.config import C
from crossdiff.errors import ClipError, InputError
from crossdiff.files import read_json, write_json
from crossdiff.pipeline.ledger import Ledger
from crossdiff.types import Keypoints2D

log = logging.getLogger(__name__)

RUNS = Path("runs")
# The folder of `make demo`; later commands must not pick its model, which was trained on one clip.
DEMO = "demo"
_PACKAGES = ("numpy", "scipy", "av", "opencv-contrib-python", "scenedetect", "mediapipe", "torch")


class Run:
    """Paths and ledger of a run folder; made by `create` or `open`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keypoints = root / "keypoints"
        self.motion2d = root / "motion2d"
        self.features2d = root / "features2d"
        self.pseudo3d = root / "pseudo3d"
        # Labels beyond the limits. Training does not read them; changed limits can restore them without lifting.
        self.pseudo3d_filtered = root / "pseudo3d_filtered"
        self.texts = root / "texts"
        self.finetuned = root / "finetuned"
        self.config = root / "config.json"

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.root / "ledger.sqlite")

    def load_keypoints(self, clip: str) -> Keypoints2D:
        """The keypoints of a clip; `ClipError` says how to restore missing or damaged ones."""
        path = self.keypoints / f"{clip}.npz"
        try:
            return Keypoints2D.load(path)
        except (ClipError, InputError) as error:
            raise ClipError(f"{error}; run crossdiff extract-2d (or import-2d) again, which replaces it") from None

    def holds_keypoints(self, clip: str, frames: int) -> bool:
        """Whether the keypoints of a clip exist, can be read and have this number of frames."""
        path = self.keypoints / f"{clip}.npz"
        try:
            return len(Keypoints2D.load(path).frame) == frames
        except (ClipError, InputError) as error:
            log.warning("%s; it will be extracted again", error)
            return False

    def find_label(self, name: str) -> Path:
        """The pseudo label of a motion, kept or filtered. Raises InputError if there is none."""
        for folder in (self.pseudo3d, self.pseudo3d_filtered):
            if (path := folder / f"{name}.npz").is_file():
                return path
        raise InputError(f"{self.root}: no pseudo label {name}; run crossdiff pseudo-label {self.root}")

    def drop_labels(self, names: Collection[str]) -> None:
        """Remove the pseudo labels, kept or filtered, of motions that were rebuilt or removed."""
        # Files before rows: if the process is killed in between, no file is left without a row.
        for name in names:
            for folder in (self.pseudo3d, self.pseudo3d_filtered):
                (folder / f"{name}.npz").unlink(missing_ok=True)
        self.ledger.drop("pseudo", names)

    @classmethod
    def create(cls, out: Path | None = None) -> Run:
        """The run at `out`, created if it does not exist; None: a new one, the next of `runs/0001`, `runs/0002` ..."""
        root = _next_folder() if out is None else out
        if root.exists() and not _is_run(root) and (not root.is_dir() or any(root.iterdir())):
            raise InputError(f"{root}: exists and is not a run; give a new folder or a run")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{root}: cannot be created ({error.strerror}); give another folder") from None
        run = cls(root)
        run.ledger.path.touch()  # makes the folder a run, and the latest one
        return run

    @classmethod
    def open(cls, path: Path | None = None) -> Run:
        """The run at `path`, or the latest under `runs/` (see `latest`)."""
        if path is not None:
            if not _is_run(path):
                raise InputError(f"{path}: not a run folder; `crossdiff extract-2d VIDEOS --out {path}` makes it")
            return cls(path)
        latest = cls.latest()
        if latest is None:
            raise InputError(
                f"no run under {RUNS.resolve()}; give a run folder, or make one with `crossdiff extract-2d VIDEOS`"
            )
        return latest

    @classmethod
    def extracted_from(cls, inputs: Mapping[str, Any], config: Mapping[str, Any]) -> Run | None:
        """The latest run under `runs/`, except the demo's, with these inputs and this extraction configuration."""
        wanted_inputs, wanted_config = json.loads(json.dumps([inputs, config]))
        for run in _runs():
            recorded = run._extraction()
            if wanted_inputs in recorded["inputs"] and wanted_config == recorded["config"]:
                return run
        return None

    @classmethod
    def latest(cls) -> Run | None:
        """The most recently modified run under `runs/`, except the demo's; runs with clips are preferred.

        A failed run without clips does not hide the good one before it.
        """
        runs = _runs()
        return next((run for run in runs if run._holds_clips()), runs[0] if runs else None)

    def _holds_clips(self) -> bool:
        try:
            return self.ledger.holds("track")
        except InputError as error:
            log.warning("%s; the run is skipped", error)
            return False

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the lock for `what`, such as extraction, in this run. Raises InputError if another process holds it."""
        lock = FileLock(self.root / f".{what}.lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout:
            raise InputError(
                f"{self.root}: another {what} is running in this folder; wait for it, or give another run"
            ) from None

    def recorded(self, stage: str, cls: type[C]) -> C:
        """The configuration that a stage of this run last used; the defaults if it has not run yet.

        Also the defaults, with a warning, if the record is damaged or of another release.
        """
        stages = read_json(self.config) if self.config.exists() else {}
        if isinstance(stages, dict) and stage not in stages:
            return cls()
        try:
            return cls.model_validate(stages[stage]["config"])
        except ValidationError as error:
            reason = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        except (KeyError, TypeError):
            reason = "they are damaged"
        log.warning("%s: the settings of %s cannot be read (%s); the defaults are used", self.config, stage, reason)
        return cls()

    def record_extraction(self, config: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        """Record the extraction settings, and every selection of videos that was extracted with them."""
        before = self._extraction()
        known = before["inputs"] if before["config"] == json.loads(json.dumps(config)) else []
        self.record_config("extract", dict(config), inputs=known if inputs in known else [*known, dict(inputs)])

    def _extraction(self) -> dict[str, Any]:
        """The record of `record_extraction`; empty if it is missing or damaged."""
        try:
            entry = read_json(self.config)["extract"]
            return {"config": dict(entry["config"]), "inputs": list(entry["inputs"])}
        except (InputError, OSError, KeyError, TypeError, ValueError):
            return {"config": {}, "inputs": []}

    def record_config(self, stage: str, config: dict[str, Any], **more: object) -> None:
        """Record a stage's resolved configuration, package versions and `more` in config.json."""
        stages = read_json(self.config) if self.config.exists() else {}
        if not isinstance(stages, dict):
            raise InputError(f"{self.config}: expected an object of stages; delete it, and the stages write it again")
        entry = {"config": config, "versions": _versions(), **more}
        if stages.get(stage) != entry:
            write_json(self.config, stages | {stage: entry})


def _runs() -> list[Run]:
    """Runs under `runs/`, except the demo's, the most recently modified first."""
    folders = [f for f in RUNS.iterdir() if f.name != DEMO] if RUNS.is_dir() else []
    return [Run(folder) for folder in sorted(filter(_is_run, folders), key=_last_change, reverse=True)]


def _is_run(root: Path) -> bool:
    return (root / "ledger.sqlite").is_file()


def _last_change(root: Path) -> tuple[int, str]:
    """Sort key: modification time, then name."""
    return max(path.stat().st_mtime_ns for path in (root, root / "ledger.sqlite")), root.name


def _numbered_folders() -> list[Path]:
    if not RUNS.is_dir():
        return []
    folders = [f for f in RUNS.iterdir() if f.is_dir() and re.fullmatch(r"\d{4,}", f.name)]
    return sorted(folders, key=lambda folder: int(folder.name))


def _next_folder() -> Path:
    existing = _numbered_folders()
    return RUNS / f"{int(existing[-1].name) + 1 if existing else 1:04d}"


def _versions() -> dict[str, str]:
    versions = {"crossdiff": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            log.info("%s is not installed", name)
    return versions
