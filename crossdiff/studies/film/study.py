"""Accuracy of pseudo labels on film with measured 3D motion: the pipeline labels the videos, labels are compared."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff import __version__
from crossdiff.checkpoint import load_model
from crossdiff.errors import ConfigError, InputError, PartialFailure
from crossdiff.evaluation.result import ModelRecord
from crossdiff.models import CrossDiffModel
from crossdiff.pipeline.backends import PoseBackend, create_backend
from crossdiff.pipeline.engines import Engine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.inputs import Selection
from crossdiff.pipeline.labelling import label_stages
from crossdiff.pipeline.pseudo_label import check_teacher
from crossdiff.pipeline.run import Run
from crossdiff.studies.film.comparison import JointsByTrack, compare_video
from crossdiff.studies.film.config import MAIN, FilmStudyConfig, LabellingConfig
from crossdiff.studies.film.folder import FilmFolder, FilmVideo
from crossdiff.studies.film.labels import read_labels, read_landmarks, tracks_of
from crossdiff.studies.film.result import FilmRecord, FilmResult, GroupResult, SettingResult
from crossdiff.studies.lift.nearest_pose import local_poses
from crossdiff.wording import Failures

OnStage = Callable[[str, object], None]


def study_film(
    cfg: FilmStudyConfig,
    checkpoint: Path,
    folder: Path,
    run_folder: Path,
    device: str = "cpu",
    name: str | None = None,
    engine: Engine | None = None,
    backend: PoseBackend | None = None,
    on_stage: OnStage = lambda stage, summary: None,
) -> FilmResult:
    """Run the pipeline on a film folder's videos in `run_folder`, with every setting in turn, and measure its labels.

    The run is resumed if it exists; it is left with the labels of the main settings. Videos and clips that fail are
    listed in the result. engine: where videos are read, by default in this process. backend: in place of that of the
    configuration. on_stage: called with the name and summary of each finished stage.
    """
    begun = time.monotonic()
    film = FilmFolder.read(folder)
    model = load_model(checkpoint, device)
    check_teacher(model, checkpoint)
    _check_layout(cfg, model, checkpoint)
    if backend is None:
        _ = create_backend(cfg.backend, cfg.pose_settings).identity  # raises before a run folder is created
    study = _FilmStudy(film, Run.create(run_folder), checkpoint, device, on_stage)
    study.extract(backend or cfg.backend, cfg, engine)
    mean_pose = film.mean_pose if film.mean_pose is not None else _training_mean(model)
    # The main settings come last, so that the run is left with their labels.
    measured = {
        setting: study.measure(setting, labelling, mean_pose, cfg.accepted_only)
        for setting, labelling in reversed(cfg.settings.items())
    }
    return FilmResult(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=__version__,
        model=ModelRecord.of(model, checkpoint, name or checkpoint.name),
        film=FilmRecord(
            folder=str(folder), fingerprint=film.fingerprint, videos=len(film.videos), landmarks=study.landmarks
        ),
        config=cfg.model_dump(mode="json"),
        device=device,
        seconds=round(time.monotonic() - begun, 1),
        settings=tuple(measured[setting] for setting in cfg.settings),
        failures=tuple(study.failures),
    )


def _check_layout(cfg: FilmStudyConfig, model: CrossDiffModel, checkpoint: Path) -> None:
    wanted = model.config.layout_2d
    for name, setting in cfg.settings.items():
        if setting.build.layout != wanted:
            key = "build.layout" if name == MAIN else f"variants.{name}.build.layout"
            raise ConfigError(f"{key}: {setting.build.layout}, but {checkpoint} takes {wanted}; set {key}={wanted}")


def _training_mean(model: CrossDiffModel) -> Float[ndarray, "22 3"]:
    """The mean pose of the data that a model was trained on, from its statistics."""
    width = model.config.layout("3d").dim
    features = model.denormalize("3d", torch.zeros(width, device=model.device)).cpu()
    return local_poses(features, model.skeleton).double().numpy()


@dataclass
class _FilmStudy:
    """A film folder and the run of its videos."""

    film: FilmFolder
    run: Run
    checkpoint: Path
    device: str
    on_stage: OnStage

    def __post_init__(self) -> None:
        self.failures: list[str] = []
        self._detected: dict[str, JointsByTrack | None] = {}
        self._tracks: dict[str, list[str]] = {}

    def extract(self, backend: PoseBackend | str, cfg: FilmStudyConfig, engine: Engine | None) -> None:
        """Extract the videos, and read the landmarks of everyone in them."""
        selection = Selection.of([video.path for video in self.film.videos])
        settings = cfg.pose_settings
        summary = extract_2d(selection, self.run, backend, cfg=cfg.people, settings=settings, engine=engine)
        self._finish("extract-2d", summary)
        for video in self.film.videos:
            self._tracks[video.name] = tracks_of(self.run, video.path)
            self._detected[video.name] = self._find_detected(video)
        if not any(self._detected.values()):
            self._detected = dict.fromkeys(self._detected)

    @property
    def landmarks(self) -> Literal["file", "run"] | None:
        if self.film.landmarks is not None:
            return "file"
        return "run" if any(self._detected.values()) else None

    def _find_detected(self, video: FilmVideo) -> JointsByTrack:
        if self.film.landmarks is not None:
            return {None: video.series_of(self.film.landmarks[video.name])}
        own = {track: read_landmarks(self.run, track) for track in self._tracks[video.name]}
        return {track: video.series_of(found) for track, found in own.items() if found is not None}

    def measure(
        self, name: str, cfg: LabellingConfig, mean_pose: Float[ndarray, "22 3"], accepted_only: bool
    ) -> SettingResult:
        """Label all videos with these settings, and compare the labels."""
        self._label(name, cfg)
        videos = []
        for video in self.film.videos:
            labels = [label for track in self._tracks[video.name] for label in read_labels(self.run, track)]
            taken = [label for label in labels if label.accepted or not accepted_only]
            detected = self._detected[video.name]
            videos.append(compare_video(video, taken, detected, mean_pose, cfg.pseudo_label.smooth_sigma))
        sources = dict.fromkeys(video.source for video in videos)
        groups = [GroupResult.of(source, [v for v in videos if v.source == source]) for source in sources]
        return SettingResult(
            name=name, overall=GroupResult.of("all videos", videos), groups=tuple(groups), videos=tuple(videos)
        )

    def _label(self, name: str, cfg: LabellingConfig) -> None:
        """Filter, build and lift; a setting that rejects every clip leaves the run without labels."""
        stages = label_stages(self.run, self.checkpoint, cfg.filter, cfg.build, cfg.pseudo_label, self.device)
        for stage, summary in stages:
            self._finish(stage if name == MAIN else f"{name}: {stage}", summary)
            if stage == "build-2d" and not self.run.ledger.rows("build", state="done"):
                return

    def _finish(self, stage: str, summary: Failures) -> None:
        self.on_stage(stage, summary)
        try:
            summary.raise_failures()
        except (PartialFailure, InputError) as error:  # without any result, the next stage raises or has nothing to do
            self.failures.append(f"{stage}: {error}")
