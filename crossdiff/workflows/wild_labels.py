"""Files of 2D poses -> a run with pseudo labels, as a step of a recipe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from crossdiff.config import Config, load_config
from crossdiff.errors import InputError, PartialFailure
from crossdiff.pipeline.build import BuildConfig, build_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.importing.imports import ImportSummary, import_keypoints
from crossdiff.pipeline.importing.options import ImportOptions
from crossdiff.pipeline.importing.pose_files import read_poses
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, pseudo_label
from crossdiff.pipeline.run import Run

log = logging.getLogger(__name__)


class WildLabels(Config):
    """2D motion that trainings learn from beside the 3D dataset, and how it is labelled."""

    files: tuple[Path, ...] = Field(min_length=1)
    """Files or folders of 2D poses, as `import-2d` reads them."""
    teacher: str
    """Model that lifts them: an earlier training of the recipe, a shipped model, or a folder."""
    hold_out_captions: bool = False
    """Leave out every fifth caption of each action, to test models on unseen sentences."""
    filter: str = "filter.yaml"
    """Limits of clips: a shipped file or a path."""
    build: BuildConfig = BuildConfig()
    """How clips become 2D motion."""
    label: PseudoLabelConfig = PseudoLabelConfig()
    """How they are lifted, and which labels are kept."""


def check_wild(cfg: WildLabels) -> None:
    """InputError or ConfigError for files that are missing and limits that cannot be read, before any work."""
    for path in cfg.files:
        if not path.exists():
            raise InputError(
                f"{path}: no such file or folder; correct wild.files, or set it with --set wild.files=[...]"
            )
    load_config(FilterConfig, cfg.filter)


def label_wild(
    cfg: WildLabels, folder: Path, teacher: Path, device: str, step: Callable[[str, Callable[[], Any]], Any]
) -> Path:
    """Import, filter, build and label in the run `folder`; what is done already is kept. Returns the run's folder.

    step: runs the work of a named step and returns its summary. Clips that failed are logged; an error is raised where
    none is left.
    """
    run = Run.create(folder)
    stages: list[tuple[str, Callable[[], Any]]] = [
        *((f"import {path.name}", partial(_import, run, path, cfg.hold_out_captions)) for path in cfg.files),
        ("filter", partial(filter_clips, run, load_config(FilterConfig, cfg.filter))),
        ("build-2d", partial(build_2d, run, cfg.build)),
        ("pseudo-label", partial(pseudo_label, run, teacher, cfg.label, device)),
    ]
    for name, work in stages:
        try:
            step(name, work).raise_failures()
        except PartialFailure as error:
            log.warning("%s: %s", name, error)
    return run.root


def _import(run: Run, path: Path, hold_out: bool) -> ImportSummary:
    poses = read_poses(path, None, ImportOptions(hold_out_captions=hold_out))
    return import_keypoints(run, poses.clips, str(path), poses.count)
