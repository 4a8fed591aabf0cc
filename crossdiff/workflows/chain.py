"""All stages in turn: videos to labels, fine-tuning and samples. Finished work is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from crossdiff.annotations.captions import read_caption_table
from crossdiff.checkpoint import load_model
from crossdiff.config import load_config
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import ConfigError, CrossDiffError, InputError, PartialFailure
from crossdiff.novelty import warn_of_far_prompts
from crossdiff.pipeline.backends import create_backend
from crossdiff.pipeline.build import BuildConfig
from crossdiff.pipeline.engines import Engine
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.inputs import Selection
from crossdiff.pipeline.labelling import label_stages
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, check_teacher
from crossdiff.pipeline.run import Run
from crossdiff.text import check_prompts, load_text_encoder
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.record import recorded
from crossdiff.training.stages import finetune
from crossdiff.training.trainer import TrainSummary
from crossdiff.workflows.callbacks import DefaultCallback, StageCallback, silent
from crossdiff.workflows.defaults import resolve_checkpoint, run_of_inputs
from crossdiff.workflows.samples import SampleSummary, run_captions, sample_to_folder


@dataclass(frozen=True)
class ChainConfig:
    """Settings of the stages. None: what the run recorded, or the defaults."""

    backend: str = "mediapipe"
    """Pose estimator."""
    pose_settings: tuple[str, ...] = ()
    """Its settings, as `key=value`."""
    engine: Engine = field(default_factory=LocalEngine)
    """Where videos are read."""
    workers: int | None = None
    """Processes of filter and build-2d, where the work is worth starting them; None: one per core."""
    captions: Path | None = None
    """CSV file with the columns video,caption and optionally start,end and fps."""
    fps: float | None = None
    """True frame rate of videos with wrong time stamps or slow motion."""
    whole_only: bool = False
    """Refuse damaged videos instead of using the frames that decode."""
    filter: FilterConfig | None = None
    build: BuildConfig | None = None
    lift: PseudoLabelConfig | None = None
    finetune: FinetuneConfig | None = None
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(mixture=True))
    frames: int = 120
    """Length of each sampled motion."""
    seed: int = 0
    """Seed of sampling."""
    device: str = "cpu"
    """Device of torch for lifting and sampling; fine-tuning uses the GPU if there is one."""


@dataclass(frozen=True)
class ChainResult:
    """Results of the last stages, and the failures of the first ones."""

    finetuned: TrainSummary
    samples: SampleSummary | None
    """None if there was neither a prompt nor a caption."""
    prompts: list[str]
    """The prompts that were sampled."""
    failures: list[str]
    """Inputs that failed, by stage; the others went through."""

    def raise_failures(self) -> None:
        """PartialFailure if there are any."""
        if self.failures:
            raise PartialFailure("\n".join(self.failures))


def run_videos(
    videos: Sequence[Path],
    prompts: Sequence[str],
    cfg: ChainConfig,
    checkpoint: str | None = None,
    out: Path | None = None,
    data: Path | None = None,
    on_stage: StageCallback = silent,
    on_default: DefaultCallback = silent,
) -> ChainResult:
    """All stages in the run folder `out`, by default the latest run of these videos and settings, else a new one.

    All inputs are checked before a run is created. checkpoint: stage-I model, by default the shipped one. data: 3D
    dataset to mix into fine-tuning. For the rest see `run_chain`.
    """
    selection = Selection.of(videos)
    identity = check_extraction(cfg.captions, cfg.backend, cfg.pose_settings)
    if cfg.finetune is not None and cfg.finetune.devices * cfg.finetune.num_nodes > 1:
        # The other processes would run this very call, videos included.
        raise ConfigError("run: fine-tunes on one device; stop before it, and use crossdiff finetune --devices")
    if data is not None:
        MocapDataset(data)
    teacher = resolve_checkpoint(checkpoint, on_default=on_default)
    checked = check_request(prompts, cfg.frames, teacher)
    run = run_of_inputs(selection, out, identity, on_default=on_default)
    return run_chain(selection, run, teacher, checked, cfg, on_stage, data)


def check_extraction(captions: Path | None, backend: str, settings: Sequence[str]) -> Mapping[str, Any]:
    """Identity of the pose backend. Raises what `extract_2d` would raise, but before a run folder is created."""
    if captions is not None:
        read_caption_table(captions)
    return create_backend(backend, settings).identity


def check_request(prompts: Sequence[str], frames: int, checkpoint: Path) -> list[str]:
    """The prompts, stripped. Raises if the model cannot lift, or cannot sample them, before any work is done."""
    model = load_model(checkpoint)
    check_teacher(model, checkpoint)
    config = model.config
    if not 1 <= frames <= config.max_frames:
        raise InputError(f"frames: expected 1 to {config.max_frames} per motion, got {frames}")
    return check_prompts(prompts, load_text_encoder(config.text_encoder)) if prompts else []


def run_chain(
    videos: Sequence[Path] | Selection,
    run: Run,
    checkpoint: Path,
    prompts: Sequence[str],
    cfg: ChainConfig,
    on_stage: StageCallback = silent,
    data: Path | None = None,
) -> ChainResult:
    """extract-2d, filter, build-2d, pseudo-label, finetune, sample; `on_stage` gets each stage's name and summary.

    Inputs that fail are collected and do not stop the rest; if a later stage stops, its error lists them too, as they
    are often its cause. Without prompts, captions of the run are sampled, if it has any.
    """
    stages = _Stages(on_stage)
    with stages.with_earlier_failures():
        extracted = extract_2d(
            videos,
            run,
            cfg.backend,
            cfg.captions,
            settings=cfg.pose_settings,
            engine=cfg.engine,
            fps=cfg.fps,
            whole_only=cfg.whole_only,
        )
        stages.done("extract-2d", extracted)
        for stage, summary in label_stages(run, checkpoint, cfg.filter, cfg.build, cfg.lift, cfg.device, cfg.workers):
            stages.done(stage, summary)
        tuning = cfg.finetune or recorded(run.finetuned, load_config(FinetuneConfig, "finetune"))
        tuned = finetune(tuning, run.root, checkpoint, run.finetuned, data, start_over=True)
        on_stage("finetune", tuned)
        chosen = list(prompts) or run_captions(run)
        if not chosen:
            on_stage("sample", "nothing: the run has no captions; give a prompt, or captions with --captions FILE.csv")
            return ChainResult(tuned, None, chosen, stages.failures)
        warn_of_far_prompts(tuned.out, chosen)
        samples = sample_to_folder(
            chosen, cfg.frames, cfg.seed, cfg.sampling, tuned.out, run.root / "samples", device=cfg.device
        )
        on_stage("sample", samples)
    return ChainResult(tuned, samples, chosen, stages.failures)


def label_run(
    run: Run,
    checkpoint: Path,
    cfg: PseudoLabelConfig | None = None,
    device: str = "cpu",
    on_stage: StageCallback = silent,
) -> None:
    """filter, build-2d and pseudo-label; filter and build-2d with the settings that the run had before.

    PartialFailure at the end, if some clips failed in any stage.
    """
    stages = _Stages(on_stage)
    for stage, summary in label_stages(run, checkpoint, label_cfg=cfg, device=device, workers=None):
        stages.done(stage, summary)
    if stages.failures:
        raise PartialFailure("\n".join(stages.failures))


class _Summary(Protocol):
    def raise_failures(self) -> None: ...


class _Stages:
    """Passes each stage's summary on and collects the failures in it."""

    def __init__(self, on_stage: StageCallback) -> None:
        self._on_stage = on_stage
        self.failures: list[str] = []

    def done(self, stage: str, summary: _Summary) -> None:
        """Raises if nothing of the stage's input could be used."""
        self._on_stage(stage, summary)
        try:
            summary.raise_failures()
        except PartialFailure as error:
            self.failures.append(f"{stage}: {error}")

    @contextmanager
    def with_earlier_failures(self) -> Iterator[None]:
        """An error inside the block is raised again with the failures that were collected before it."""
        try:
            yield
        except CrossDiffError as error:
            if not self.failures:
                raise
            raise type(error)("\n".join([str(error), "earlier failures:", *self.failures])) from error
