"""The demo: the whole chain on one clip, and a page with the clip, its lifted motion, and samples before and after."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from crossdiff import __version__
from crossdiff.annotations.captions import VideoCaption
from crossdiff.checkpoint import EVALUATION, load_model
from crossdiff.config import load_config
from crossdiff.device import pick_device
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import InputError
from crossdiff.evaluation.evaluate import REAL
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.files import load_npy, load_npz, write_text
from crossdiff.pipeline.captioning import captions_of
from crossdiff.pipeline.inputs import find_videos, name_apart
from crossdiff.pipeline.run import Run
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import MEASURES
from crossdiff.training.config import FinetuneConfig
from crossdiff.types import Keypoints2D, Motion2D, Motion3D
from crossdiff.viewing.overlay import render_overlay
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.viewing.video import render_2d, render_motion
from crossdiff.wording import counted
from crossdiff.workflows.callbacks import DefaultCallback, StageCallback, silent
from crossdiff.workflows.chain import ChainConfig, ChainResult, run_chain
from crossdiff.workflows.defaults import resolve_checkpoint
from crossdiff.workflows.demo_clip import fetch_demo_clip
from crossdiff.workflows.samples import sample_to_folder

# The man jumps, and the woman walks past.
DEMO_CAPTIONS = (
    VideoCaption("a person does jumping jacks", track=0),
    VideoCaption("someone jumps and swings the arms overhead, again and again", track=0),
    VideoCaption("a person walks", track=1),
)
# Sampled beside the clip's action: a motion that the model knew before.
KNOWN_PROMPT = "a person walks forward"
_MAX_MOTIONS = 3


def run_demo(
    video: Path | None = None,
    caption: str | None = None,
    out: Path = Path("runs/demo"),
    checkpoint: str | None = None,
    steps: int = 120,
    on_stage: StageCallback = silent,
    on_default: DefaultCallback = silent,
) -> tuple[Path, ChainResult]:
    """The demo on one clip, by default the demo clip, with the named or the shipped model; returns page and results.

    caption: what the person in the clip does. steps: of fine-tuning.
    """
    captions = [VideoCaption(caption)] if caption else []
    if video is None:
        video = fetch_demo_clip()
        on_default("video", video, "the demo clip")
        captions = captions or list(DEMO_CAPTIONS)
    find_videos([video])
    return make_demo(video, captions, out, resolve_checkpoint(checkpoint, on_default=on_default), steps, on_stage)


def make_demo(
    video: Path,
    captions: Sequence[VideoCaption],
    out: Path,
    checkpoint: Path,
    steps: int,
    on_stage: StageCallback = silent,
) -> tuple[Path, ChainResult]:
    """Run the chain on one clip with a short fine-tuning, draw everything, and write `out/index.html`.

    InputError: `out` is the run of another clip.
    """
    run = Run.create(out)
    paths, videos = {name: v.path for name, v in run.ledger.videos().items()}, find_videos([video])
    if others := paths.keys() - name_apart(videos, paths).keys():
        raise InputError(f"{out}: shows {min(others)} already; name another folder for {video.name} with --out")
    times = _Stopwatch(on_stage)
    cfg = ChainConfig(
        captions=_captions_file(video, captions, out), finetune=_short_tuning(steps), device=pick_device("auto")
    )
    (captioned,) = captions_of(videos, cfg.captions).values()
    prompts = [*(caption.text for caption in captioned[:1]), KNOWN_PROMPT]
    result = run_chain([video], run, checkpoint, prompts, cfg, times)
    before = sample_to_folder(
        prompts, cfg.frames, cfg.seed, cfg.sampling, checkpoint, out / "before", video=False, device=cfg.device
    )
    times("sample before", before)
    motions = [row.id for row in run.ledger.rows("pseudo", state="done")][:_MAX_MOTIONS]
    clips = sorted({row.parent for row in run.ledger.rows("build", state="done")})
    render_overlay(video, [Keypoints2D.load(run.keypoints / f"{c}.npz") for c in clips], out / "clip.mp4", 640)
    _draw_lifted(run, motions)
    figures = _draw_samples(out, prompts, result)
    times("draw", counted(2 + 2 * len(motions) + len(figures) - 1, "video"))
    return write_page(out / "index.html", _page(run, checkpoint, motions, figures, result, times)), result


def _short_tuning(steps: int) -> FinetuneConfig:
    """A few steps at a higher learning rate, enough to see the model move towards one clip."""
    return load_config(
        FinetuneConfig, "finetune", [f"steps={steps}", "learning_rate=1e-4", "warmup_steps=10", "log_every=10"]
    )


def _captions_file(video: Path, captions: Sequence[VideoCaption], out: Path) -> Path | None:
    if not captions:
        return None
    table = io.StringIO()
    csv.writer(table).writerow(("video", "caption", "track"))
    csv.writer(table).writerows((video.name, c.text, "" if c.track is None else c.track) for c in captions)
    write_text(out / "captions.csv", table.getvalue())
    return out / "captions.csv"


def _draw_lifted(run: Run, names: Sequence[str]) -> None:
    if not names:
        raise InputError(f"{run.root}: no motion was lifted; see: crossdiff status {run.root}")
    for name in names:
        features = torch.from_numpy(load_npz(run.pseudo3d / f"{name}.npz", ("features",))["features"])
        render_motion([Motion3D(features_to_joints(features).numpy(), 20.0)], run.root / f"lifted_{name}.mp4")
        render_2d([Motion2D.load(run.motion2d / f"{name}.npz")], run.root / f"flat_{name}.mp4")


def _draw_samples(out: Path, prompts: Sequence[str], result: ChainResult) -> list[Figure]:
    """One video per prompt: before and after side by side."""
    figures = []
    for prompt, name in zip(prompts, result.samples.names if result.samples else [], strict=True):
        pair = [Motion3D(load_npy(out / place / f"{name}.npy"), 20.0) for place in ("before", "samples")]
        render_motion(pair, out / f"{name}.mp4", ["before", "after"])
        figures.append(Figure(f"{name}.mp4", prompt))
    return figures


def _page(
    run: Run,
    checkpoint: Path,
    motions: Sequence[str],
    samples: Sequence[Figure],
    result: ChainResult,
    times: _Stopwatch,
) -> Page:
    lifted = [
        figure
        for name in motions
        for figure in (
            Figure(f"flat_{name}.mp4", "2D motion: 22 joints, 20 frames a second, in metres"),
            Figure(f"lifted_{name}.mp4", "Lifted to 3D and smoothed: the pseudo label"),
        )
    ]
    first, last = _loss_ends(result.finetuned.out)
    facts = [
        ("Model", f"{checkpoint.name}, {_parameters(checkpoint) / 1e6:.1f} M parameters"),
        ("Clips found, kept", f"{len(run.ledger.rows('track'))}, {len(run.ledger.rows('filter', 'done'))}"),
        (
            "Fine-tuning",
            f"{result.finetuned.steps} steps on {counted(len(motions), 'motion')} of the clip, no 3D data",
        ),
        ("Loss, first and last", f"{first:.3f}, {last:.3f}"),
        ("Sampling", _sampling(ChainConfig().sampling)),
    ]
    return Page(
        title="From a video to new motion",
        lead="One clip: people found in it, lifted to 3D, learnt from, and sampled from text.",
        sections=[
            Section("The clip and its skeleton", _kept_text(run), [Figure("clip.mp4", "Keypoints of the kept tracks")]),
            Section("Lifted to 3D", _LIFTED_TEXT, lifted, pairs=True),
            Section("Sampled from text, before and after", _SAMPLES_TEXT, samples),
            *_quality(checkpoint),
            Section("Numbers", facts=facts, table=times.table()),
            Section("Your own videos", "In a folder that holds videos/, type:", code=_COMMANDS),
        ],
        footer=f"crossdiff {__version__}",
    )


_LIFTED_TEXT = (
    "The model reads the 2D features without noise and without text, and predicts 3D motion. "
    "It does not know where the camera is; the figure faces the direction that the model chose."
)
_SAMPLES_TEXT = (
    "Left: the shipped model. Right: after a short fine-tuning on this clip and its pseudo label. "
    "A small model and one clip: this shows the mechanism, not the quality that the method reaches."
)
_COMMANDS = """crossdiff extract-2d videos/
crossdiff pseudo-label
crossdiff finetune
crossdiff sample --mixture"""


def _quality(checkpoint: Path) -> list[Section]:
    """Metrics of the model, if its folder holds an evaluation."""
    if not (checkpoint / EVALUATION).is_file():
        return []
    result = EvaluationResult.load(checkpoint / EVALUATION)
    lines = []
    for row in (REAL, result.model.name):
        scores, motion = result.tables[0].rows[row], result.motion[row]
        values = {name: str(scores[name]) for name in ("R-precision top 3", "FID", "MM-Dist")}
        for name, digits in (("skating_share", 3), ("jerk", 0)):
            measure = MEASURES[name]
            head = f"{measure.title}, {measure.unit}" if measure.unit else measure.title
            values[head] = f"{motion[name].mean:.{digits}f}"
        lines.append({"": "real motion" if row == REAL else row, **values})
    text = (
        f"Text to motion on {result.dataset.clips} clips of its {result.dataset.split} split, before any fine-tuning, "
        "by evaluators trained on the same data: numbers to compare with real motion, not with papers."
    )
    return [Section("How good the model is", text, table=pd.DataFrame(lines))]


def _sampling(cfg: SamplingConfig) -> str:
    mode = "mixture" if cfg.mixture else "standard"
    return f"{mode}, {cfg.steps} steps of {cfg.solver}, guidance {cfg.guidance_scale}"


def _kept_text(run: Run) -> str:
    dropped = run.ledger.rows("filter", "filtered")
    reasons = ", ".join(f"{row.id}: {row.reason}" for row in dropped)
    return f"Tracks that were not kept: {reasons}." if reasons else "Every track was kept."


def _loss_ends(folder: Path) -> tuple[float, float]:
    loss = pd.read_csv(folder / "loss.csv")["loss"]
    return float(loss.iloc[0]), float(loss.iloc[-1])


def _parameters(checkpoint: Path) -> int:
    return sum(p.numel() for p in load_model(checkpoint).parameters())


class _Stopwatch:
    """Passes the stages' summaries on and records how long each stage took."""

    def __init__(self, on_stage: StageCallback) -> None:
        self._on_stage = on_stage
        self._last = time.perf_counter()
        self._rows: list[tuple[str, str, float]] = []

    def __call__(self, stage: str, result: object) -> None:
        now = time.perf_counter()
        self._rows.append((stage, str(result), round(now - self._last, 1)))
        self._last = now
        self._on_stage(stage, result)

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self._rows, columns=["stage", "result", "seconds"])
