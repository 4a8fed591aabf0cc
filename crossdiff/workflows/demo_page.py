"""The demo's page: a clip and its labels, what was learnt from it, and what the model still knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossdiff import __version__
from crossdiff.checkpoint import EVALUATION, load_model
from crossdiff.data.captions import read_caption_file
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.evaluation.evaluate import REAL
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.pipeline.run import Run
from crossdiff.representation.physics import MEASURES
from crossdiff.viewing.page import Figure, Page, Section
from crossdiff.workflows.chain import ChainConfig, ChainResult
from crossdiff.workflows.examples import KNOWN


@dataclass(frozen=True)
class DemoSample:
    """A prompt that was sampled before and after. counted: name of what was counted, and its values."""

    prompt: str
    figure: Figure
    counted: tuple[str, str, str] | None

    def __str__(self) -> str:
        if self.counted is None:
            return f"{self.prompt}: drawn"
        title, before, after = self.counted
        return f"{self.prompt}: {title} {before} before, {after} after"


def demo_page(
    run: Run,
    checkpoint: Path,
    labels: Sequence[str],
    samples: Sequence[DemoSample],
    result: ChainResult,
    kept: str,
    times: pd.DataFrame,
) -> Page:
    """The page, whose videos lie in the run's folder. labels: of clips; kept: what protects the model; times: of the
    stages."""
    shown = [
        Figure("clip.mp4", "Keypoints of the kept tracks"),
        *(Figure(f"lifted_{name}.mp4", f"Label: {_described(run, name)}") for name in labels),
    ]
    learnt = [sample for sample in samples if sample.prompt not in KNOWN]
    known = [sample for sample in samples if sample.prompt in KNOWN]
    about = _LEARNT_TEXT + _WORD_TEXT * any("hampelmann" in sample.prompt for sample in learnt)
    first, last = _loss_ends(result.finetuned.out)
    facts = [
        ("Model", f"{checkpoint.name}, {_parameters(checkpoint) / 1e6:.1f} M parameters"),
        ("Clips found, kept", f"{len(run.ledger.rows('track'))}, {len(run.ledger.rows('filter', 'done'))}"),
        ("Fine-tuning", f"{result.finetuned.steps} steps"),
        ("Keeps", kept),
        ("Loss, first and last", f"{first:.3f}, {last:.3f}"),
        ("Sampling", _sampling(ChainConfig().sampling)),
    ]
    return Page(
        title="From a video to new motion",
        lead="One clip: people found in it, lifted to 3D, learnt from, and sampled from text.",
        sections=[
            Section("The clip and its labels", f"{_kept_text(run)}\n\n{_LABELS_TEXT}", shown),
            *[Section("Learnt from the clip", about, [s.figure for s in learnt])] * bool(learnt),
            Section("Known before, and kept", _KNOWN_TEXT, [s.figure for s in known]),
            *_quality(checkpoint),
            Section("Numbers", facts=facts, table=times),
            Section("Your own videos", "In a folder that holds videos/, type:", code=_COMMANDS),
        ],
        footer=f"crossdiff {__version__}",
    )


def _described(run: Run, name: str) -> str:
    """The first caption of a motion, or its name."""
    path = run.texts / f"{name}.txt"
    captions = read_caption_file(path) if path.is_file() else []
    return captions[0].text if captions else name


_LABELS_TEXT = (
    "The model lifts the 2D motion of each person to 3D; the detector's own 3D landmarks are fused with it. "
    "It does not know where the camera is; the figure faces the direction that the model chose."
)
_LEARNT_TEXT = (
    "Sampled from the text alone. Left: the shipped model. Right: after a short fine-tuning on this clip's labels."
)
_WORD_TEXT = " The shipped model knows jumping jacks, learnt from annotated film, but not the German name hampelmann."
_KNOWN_TEXT = (
    "A quarter of every batch was motion that the model itself had sampled beforehand (replay), so that it keeps what "
    "it knew. "
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
