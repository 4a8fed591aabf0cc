"""The demo: the whole chain on one clip, and a page with the clip, its labels, and samples before and after."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from crossdiff.annotations.captions import VideoCaption
from crossdiff.config import load_config
from crossdiff.device import pick_device
from crossdiff.errors import InputError
from crossdiff.files import load_npy, load_npz, write_text
from crossdiff.pipeline.captioning import captions_of
from crossdiff.pipeline.inputs import find_videos, name_apart
from crossdiff.pipeline.run import Run
from crossdiff.representation.features3d import features_to_joints
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.replay import protection
from crossdiff.types import Keypoints2D, Motion3D
from crossdiff.viewing.overlay import render_overlay
from crossdiff.viewing.page import Figure, write_page
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted
from crossdiff.workflows.callbacks import DefaultCallback, StageCallback, silent
from crossdiff.workflows.chain import ChainConfig, ChainResult, run_chain
from crossdiff.workflows.defaults import resolve_checkpoint
from crossdiff.workflows.demo_clip import fetch_demo_clip
from crossdiff.workflows.demo_page import DemoSample, demo_page
from crossdiff.workflows.examples import JACKS, KNOWN, Count
from crossdiff.workflows.samples import sample_to_folder

# The man does jumping jacks, which the shipped models know, under their German name, which they do not know. The woman
# walks past.
DEMO_CAPTIONS = (
    VideoCaption("a person does the hampelmann", track=0),
    VideoCaption("someone exercises the hampelmann", track=0),
    VideoCaption("a person walks", track=1),
)
_MAX_LABELS, _ACTION_SAMPLES = 2, 3
# Motions of what the model knows, beside the clip's: enough for the few steps of the demo.
_REPLAY = 160


def run_demo(
    video: Path | None = None,
    caption: str | None = None,
    out: Path = Path("runs/demo"),
    checkpoint: str | None = None,
    steps: int = 400,
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
    prompts = [*([action] * _ACTION_SAMPLES if action else []), *KNOWN]
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
    kept = ": ".join(protection(_REPLAY, checkpoint, None))
    return write_page(
        out / "index.html", demo_page(run, checkpoint, labels, samples, result, kept, times.table())
    ), result


def _short_tuning(steps: int) -> FinetuneConfig:
    """A few steps at a higher learning rate, most of each batch from the clip: enough to learn its action."""
    changes = [f"steps={steps}", f"replay={_REPLAY}", "replay_weight=3", "wild_ratio=0.75"]
    return load_config(FinetuneConfig, "finetune", [*changes, "learning_rate=1e-4", "warmup_steps=10", "log_every=10"])


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


def _draw_sample(out: Path, name: str, prompt: str, count: Count | None) -> DemoSample:
    """Draw a prompt's motions before and after side by side."""
    before, after = (Motion3D(load_npy(out / place / f"{name}.npy"), 20.0) for place in ("before", "samples"))
    render_motion([before, after], out / f"{name}.mp4", ["before", "after"])
    caption = prompt
    values = None
    if count is not None:
        values = (count.title, count.text(before), count.text(after))
        caption = f"{prompt}: {count.title} {values[1]} before, {values[2]} after"
    return DemoSample(prompt, Figure(f"{name}.mp4", caption), values)


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
