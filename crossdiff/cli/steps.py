"""Steps that put several parts of the library together, for the commands that share them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import weights_hash
from crossdiff.data.captions import read_captions
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.diffusion.sampling import SamplingOptions
from crossdiff.errors import InputError
from crossdiff.files import read_json, save_npy, write_json
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar, track
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted

# As many captions of a run are sampled when no prompt is given.
MOST_CAPTIONS = 4
RECORD = "samples.json"


@dataclass(frozen=True)
class SampleSummary:
    """Where the motions lie."""

    out: Path
    names: list[str]
    frames: int
    video: bool

    def __str__(self) -> str:
        kinds = ".npy and .mp4" if self.video else ".npy"
        made = counted(len(self.names), "motion")
        return f"{made} of {self.frames} frames in {self.out} ({kinds}): {', '.join(self.names)}"


def sample_to_folder(
    prompts: Sequence[str],
    frames: int,
    seed: int,
    options: SamplingOptions,
    checkpoint: Path,
    out: Path,
    video: bool = True,
) -> SampleSummary:
    """Sample one motion per prompt and write `NAME.npy`, `NAME.mp4` and `samples.json` (what made them).

    Nothing is done where the folder holds these very motions.
    """
    names = [f"{i:02d}_{_slug(prompt)}" for i, prompt in enumerate(prompts)]
    result = SampleSummary(out, names, frames, video)
    record = _record(
        checkpoint, options, frames, [(n, p, seed + i) for i, (n, p) in enumerate(zip(names, prompts, strict=True))]
    )
    files = [out / f"{n}{kind}" for n in names for kind in ((".npy", ".mp4") if video else (".npy",))]
    if all(f.is_file() for f in files) and _recorded(out) == record:
        return result
    pipe = CrossDiffPipeline.from_pretrained(checkpoint)
    with progress_bar() as bar:
        task = bar.add_task("sample", total=options.num_inference_steps, note="")
        motions = pipe(prompts, frames, seed, options, lambda done, _: bar.update(task, completed=done))
    for name, motion in zip(names, motions, strict=True):
        save_npy(out / f"{name}.npy", motion.joints)
    if video:
        for name, prompt, motion in track(list(zip(names, prompts, motions, strict=True)), "draw"):
            render_motion([motion], out / f"{name}.mp4", [prompt])
    write_json(out / RECORD, record)
    return result


def _recorded(out: Path) -> Any:
    """The record of an earlier call; None where there is none, or none that can be read."""
    try:
        return read_json(out / RECORD)
    except InputError:
        return None


def _record(
    checkpoint: Path, options: SamplingOptions, frames: int, motions: Sequence[tuple[str, str, int]]
) -> dict[str, Any]:
    """What made the motions: the same record, the same motions."""
    return {
        "checkpoint": checkpoint.name,
        "weights": weights_hash(checkpoint),
        "options": asdict(options),
        "frames": frames,
        "motions": [{"name": name, "prompt": prompt, "seed": seed} for name, prompt, seed in motions],
    }


def run_captions(run: Run) -> list[str]:
    """One caption of each action of a run, at most `MOST_CAPTIONS`; empty where nothing was built."""
    firsts: dict[str, None] = {}
    for path in sorted(run.texts.glob("*.txt")):
        if captions := read_captions(path):
            firsts.setdefault(captions[0].text)
    return list(firsts)[:MOST_CAPTIONS]


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48] or "motion"
