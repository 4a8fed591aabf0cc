"""The demo: the whole chain on one clip, and a page with the clip, its labels, and samples before and after."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
from crossdiff.training.replay import protection
from crossdiff.types import Keypoints2D, Motion3D
from crossdiff.viewing.overlay import render_overlay
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted
from crossdiff.workflows.callbacks import DefaultCallback, StageCallback, silent
from crossdiff.workflows.chain import ChainConfig, ChainResult, run_chain
from crossdiff.workflows.defaults import resolve_checkpoint
from crossdiff.workflows.demo_clip import fetch_demo_clip
from crossdiff.workflows.examples import JACKS, KNOWN, Count
from crossdiff.workflows.samples import sample_to_folder

# The man jumps, and the woman walks past.
DEMO_CAPTIONS = (
    VideoCaption("a person does jumping jacks", track=0),
    VideoCaption("someone jumps and swings the arms overhead, again and again", track=0),
    VideoCaption("a person walks", track=1),
)
_MAX_LABELS = 2
# Motions of what the model knows, beside the clip's: enough for the few steps of the demo.
_REPLAY = 160


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
    action = captioned[0].text if captioned else None
    prompts = [*([action] if action else []), *KNOWN]
    result = run_chain([video], run, checkpoint, prompts, cfg, times)
    before = sample_to_folder(
        prompts, cfg.frames, cfg.seed, cfg.sampling, checkpoint, out / "before", video=False, device=cfg.device
    )
    times("sample before", before)
    labels = _first_of_each_track([row.id for row in run.ledger.rows("pseudo", state="done")])
    clips = sorted({row.parent for row in run.ledger.rows("build", state="done")})
    render_overlay(video, [Keypoints2D.load(run.keypoints / f"{c}.npz") for c in clips], out / "clip.mp4", 640)
    _draw_labels(run, labels)
    samples = [
        _draw_sample(out, name, prompt, JACKS if prompt == DEMO_CAPTIONS[0].text else KNOWN.get(prompt))
        for prompt, name in zip(prompts, result.samples.names if result.samples else [], strict=True)
    ]
    times("draw", counted(1 + len(labels) + len(samples), "video"))
    for sample in samples:
        on_stage("counted", sample)
    return write_page(out / "index.html", _page(run, checkpoint, labels, samples, result, times)), result


def _short_tuning(steps: int) -> FinetuneConfig:
    """A few steps at a higher learning rate, enough to learn the action of one clip."""
    changes = [f"steps={steps}", f"replay={_REPLAY}", "learning_rate=1e-4", "warmup_steps=10", "log_every=10"]
    return load_config(FinetuneConfig, "finetune", changes)


def _captions_file(video: Path, captions: Sequence[VideoCaption], out: Path) -> Path | None:
    if not captions:
        return None
    table = io.StringIO()
    csv.writer(table).writerow(("video", "caption", "track"))
    csv.writer(table).writerows((video.name, c.text, "" if c.track is None else c.track) for c in captions)
    write_text(out / "captions.csv", table.getvalue())
    return out / "captions.csv"


def _first_of_each_track(motions: Sequence[str]) -> list[str]:
    """The first motion of each person, whose names are VIDEO_tTRACK_PIECE."""
    firsts: dict[str, str] = {}
    for name in sorted(motions):
        firsts.setdefault(name.rsplit("_", 1)[0], name)
    return list(firsts.values())[:_MAX_LABELS]


def _draw_labels(run: Run, names: Sequence[str]) -> None:
    if not names:
        raise InputError(f"{run.root}: no motion was lifted; see: crossdiff status {run.root}")
    for name in names:
        features = torch.from_numpy(load_npz(run.pseudo3d / f"{name}.npz", ("features",))["features"])
        render_motion([Motion3D(features_to_joints(features).numpy(), 20.0)], run.root / f"lifted_{name}.mp4")


@dataclass(frozen=True)
class _Sample:
    """A prompt that was sampled before and after. counted: name of what was counted, and its values."""

    prompt: str
    figure: Figure
    counted: tuple[str, str, str] | None

    def __str__(self) -> str:
        if self.counted is None:
            return f"{self.prompt}: drawn"
        title, before, after = self.counted
        return f"{self.prompt}: {title} {before} before, {after} after"


def _draw_sample(out: Path, name: str, prompt: str, count: Count | None) -> _Sample:
    """Draw a prompt's motions before and after side by side."""
    before, after = (Motion3D(load_npy(out / place / f"{name}.npy"), 20.0) for place in ("before", "samples"))
    render_motion([before, after], out / f"{name}.mp4", ["before", "after"])
    caption = prompt
    values = None
    if count is not None:
        values = (count.title, count.text(before), count.text(after))
        caption = f"{prompt}: {count.title} {values[1]} before, {values[2]} after"
    return _Sample(prompt, Figure(f"{name}.mp4", caption), values)


def _page(
    run: Run,
    checkpoint: Path,
    labels: Sequence[str],
    samples: Sequence[_Sample],
    result: ChainResult,
    times: _Stopwatch,
) -> Page:
    shown = [
        Figure("clip.mp4", "Keypoints of the kept tracks"),
        *(Figure(f"lifted_{name}.mp4", f"The label of {name}: 3D motion") for name in labels),
    ]
    learnt = [sample for sample in samples if sample.prompt not in KNOWN]
    known = [sample for sample in samples if sample.prompt in KNOWN]
    first, last = _loss_ends(result.finetuned.out)
    facts = [
        ("Model", f"{checkpoint.name}, {_parameters(checkpoint) / 1e6:.1f} M parameters"),
        ("Clips found, kept", f"{len(run.ledger.rows('track'))}, {len(run.ledger.rows('filter', 'done'))}"),
        ("Fine-tuning", f"{result.finetuned.steps} steps"),
        ("Keeps", ": ".join(protection(_REPLAY, checkpoint, None))),
        ("Loss, first and last", f"{first:.3f}, {last:.3f}"),
        ("Sampling", _sampling(ChainConfig().sampling)),
    ]
    return Page(
        title="From a video to new motion",
        lead="One clip: people found in it, lifted to 3D, learnt from, and sampled from text.",
        sections=[
            Section("The clip and its labels", f"{_kept_text(run)}\n\n{_LABELS_TEXT}", shown),
            *[Section("Learnt from the clip", _LEARNT_TEXT, [s.figure for s in learnt])] * bool(learnt),
            Section("Known before, and kept", _KNOWN_TEXT, [s.figure for s in known]),
            *_quality(checkpoint),
            Section("Numbers", facts=facts, table=times.table()),
            Section("Your own videos", "In a folder that holds videos/, type:", code=_COMMANDS),
        ],
        footer=f"crossdiff {__version__}",
    )


_LABELS_TEXT = (
    "The model lifts the 2D motion of each person to 3D; the detector's own 3D landmarks are fused with it. "
    "It does not know where the camera is; the figure faces the direction that the model chose."
)
_LEARNT_TEXT = (
    "Sampled from the text alone. Left: the shipped model, which has never seen the action. Right: after a short "
    "fine-tuning on this clip's labels."
)
_KNOWN_TEXT = (
    "Half of every batch was motion that the model itself had sampled beforehand (replay), so it keeps what it knew. "
    "Left: before. Right: after, from the same noise."
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
