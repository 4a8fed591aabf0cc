"""All stages one after the other, for `crossdiff run` and `crossdiff demo`; what is done already is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crossdiff.checkpoint import load_model
from crossdiff.cli.steps import SampleSummary, run_captions, sample_to_folder
from crossdiff.config import load_config
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import CrossDiffError, InputError, PartialFailure
from crossdiff.pipeline.build import BuildConfig, BuildSummary, build_2d
from crossdiff.pipeline.engines import Engine
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import ExtractSummary, extract_2d
from crossdiff.pipeline.filter import FilterConfig, FilterSummary, filter_clips
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig, PseudoLabelSummary, check_teacher, pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.text import check_prompts, load_text_encoder
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.loop import TrainSummary
from crossdiff.training.record import recorded
from crossdiff.training.stages import finetune

Report = Callable[[str, object], None]
PipelineSummary = ExtractSummary | FilterSummary | BuildSummary | PseudoLabelSummary


@dataclass(frozen=True)
class ChainConfig:
    """Settings of the stages, each as its own command takes them; None: as the run had them before.

    device: of torch, where motion is lifted and sampled; fine-tuning takes the GPU where there is one.
    """

    backend: str = "mediapipe"
    pose_settings: tuple[str, ...] = ()
    engine: Engine = field(default_factory=LocalEngine)
    captions: Path | None = None
    filter: FilterConfig | None = None
    build: BuildConfig | None = None
    lift: PseudoLabelConfig | None = None
    finetune: FinetuneConfig | None = None
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(mixture=True))
    frames: int = 120
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class ChainResult:
    """What the last stages made, the prompts that were sampled, and the failures on the way."""

    finetuned: TrainSummary
    samples: SampleSummary
    prompts: list[str]
    failures: list[str]

    def raise_failures(self) -> None:
        if self.failures:
            raise PartialFailure("\n".join(self.failures))


def check_request(prompts: Sequence[str], frames: int, checkpoint: Path) -> list[str]:
    """The prompts, tidied. Raises where a model cannot lift, or not sample them: later it would be late to say so."""
    model = load_model(checkpoint)
    check_teacher(model, checkpoint)
    config = model.config
    if not 1 <= frames <= config.max_frames:
        raise InputError(f"frames: expected 1 to {config.max_frames} per motion, got {frames}")
    return check_prompts(prompts, load_text_encoder(config.text_encoder)) if prompts else []


def run_chain(
    videos: Sequence[Path],
    run: Run,
    checkpoint: Path,
    prompts: Sequence[str],
    cfg: ChainConfig,
    report: Report,
    data: Path | None = None,
) -> ChainResult:
    """extract-2d, filter, build-2d, pseudo-label, finetune, sample. `report(stage, summary)` is called after each.

    Inputs that fail are collected and do not stop the rest; where a later stage stops, its error names them too, often
    its cause. Without prompts, captions of the run are sampled.
    """
    failures: list[str] = []

    def went_through(stage: str, result: PipelineSummary) -> None:
        report(stage, result)
        try:
            result.raise_failures()
        except PartialFailure as error:
            failures.append(f"{stage}: {error}")

    with _telling(failures):
        extracted = extract_2d(videos, run, cfg.backend, cfg.captions, settings=cfg.pose_settings, engine=cfg.engine)
        went_through("extract-2d", extracted)
        went_through("filter", filter_clips(run, cfg.filter))
        went_through("build-2d", build_2d(run, cfg.build))
        went_through("pseudo-label", pseudo_label(run, checkpoint, cfg.lift, cfg.device))
        tuning = cfg.finetune or recorded(run.finetuned, load_config(FinetuneConfig, "finetune"))
        tuned = finetune(tuning, run.root, checkpoint, run.finetuned, data, start_over=True)
        report("finetune", tuned)
        chosen = list(prompts) or run_captions(run)
        if not chosen:
            raise InputError(f"{run.root}: no captions to sample; give a prompt")
        samples = sample_to_folder(
            chosen, cfg.frames, cfg.seed, cfg.sampling, tuned.out, run.root / "samples", device=cfg.device
        )
        report("sample", samples)
    return ChainResult(tuned, samples, chosen, failures)


@contextmanager
def _telling(failures: list[str]) -> Iterator[None]:
    """An error within is raised again with the failures that were collected before it."""
    try:
        yield
    except CrossDiffError as error:
        if not failures:
            raise
        raise type(error)("\n".join([str(error), "what had failed before:", *failures])) from error
