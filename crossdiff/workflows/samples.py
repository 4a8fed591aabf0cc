"""Steps that put several parts of the library together, for the commands that share them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import weights_hash
from crossdiff.data.captions import read_caption_file
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import InputError
from crossdiff.files import load_npy, read_json, save_npy, sha256, write_json
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar, track
from crossdiff.skeleton import Skeleton
from crossdiff.viewing.video import render_motion
from crossdiff.wording import counted, slug

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


@dataclass(frozen=True)
class EditFile:
    """A file of joints (F, J, 3), metres, Y up, and which part of it to keep, as it is typed.

    keep_frames: ranges such as 0:30,90:120 (the end is not in it; -30: is the last 30); keep_joints: lower, upper or
    names of joints, with commas between.
    """

    motion: Path
    keep_frames: str | None = None
    keep_joints: str | None = None

    @property
    def num_frames(self) -> int:
        joints = load_npy(self.motion)
        return len(joints) if joints.ndim else 0

    def load(self, skeleton: Skeleton) -> Edit:
        frames = None if self.keep_frames is None else _ranges(self.keep_frames)
        joints = None if self.keep_joints is None else [name.strip() for name in self.keep_joints.split(",")]
        return Edit.from_joints(load_npy(self.motion), frames, joints, skeleton)

    def record(self) -> dict[str, str | None]:
        return {
            "motion": self.motion.name,
            "sha256": sha256(self.motion),
            "keep_frames": self.keep_frames,
            "keep_joints": self.keep_joints,
        }


def _ranges(text: str) -> list[slice]:
    """The slices of `0:30,90:120`."""
    found = [re.fullmatch(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*", part) for part in text.split(",")]
    if None in found:
        raise InputError(f"keep frames: expected ranges such as 0:30,90:120, got {text!r}")
    return [slice(*(None if end is None else int(end) for end in part.groups())) for part in found if part]


def sample_to_folder(
    prompts: Sequence[str],
    frames: int,
    seed: int,
    options: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
    edit: EditFile | None = None,
) -> SampleSummary:
    """Sample one motion per prompt and write `NAME.npy`, `NAME.mp4` and `samples.json` (what made them).

    Nothing is done where the folder holds these very motions; other motions there stay, and so do their prompts.
    """
    names = [f"{i:02d}_{slug(prompt)}" for i, prompt in enumerate(prompts)]
    result = SampleSummary(out, names, frames, video)
    motions_to_be = [(n, p, seed + i) for i, (n, p) in enumerate(zip(names, prompts, strict=True))]
    record = _record(checkpoint, options, frames, motions_to_be, edit)
    files = [out / f"{n}{kind}" for n in names for kind in ((".npy", ".mp4") if video else (".npy",))]
    before = _recorded(out)
    earlier = before.pop("earlier", [])
    if all(f.is_file() for f in files) and before == record:
        return result
    others = _still_there([*earlier, *before.get("motions", [])], names, out)
    pipe = CrossDiffPipeline.from_pretrained(checkpoint, device)
    kept = None if edit is None else edit.load(pipe.model.skeleton)
    with progress_bar() as bar:
        task = bar.add_task("sample", total=len(options.timesteps), note="")
        motions = pipe(
            prompts,
            frames,
            seed=seed,
            on_step=lambda done, _: bar.update(task, completed=done),
            edit=kept,
            **options.keywords(),
        )
    # Until all files are there, no record vouches for them, and no video of another motion lies beside a new one.
    write_json(out / RECORD, {**record, "motions": [], "earlier": others})
    for name, motion in zip(names, motions, strict=True):
        (out / f"{name}.mp4").unlink(missing_ok=True)
        save_npy(out / f"{name}.npy", motion.joints)
    if video:
        for name, prompt, motion in track(list(zip(names, prompts, motions, strict=True)), "draw"):
            render_motion([motion], out / f"{name}.mp4", [prompt])
    write_json(out / RECORD, {**record, "earlier": others})
    return result


def _recorded(out: Path) -> dict[str, Any]:
    """The record of an earlier call; empty where there is none, or none that can be read."""
    try:
        record = dict(read_json(out / RECORD))
        _still_there([*record.get("earlier", []), *record["motions"]], (), out)
    except (InputError, KeyError, TypeError, ValueError):
        return {}
    return record


def _still_there(motions: list[dict[str, Any]], names: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """Of motions of earlier calls, those whose files are there and were not made anew under one of these names."""
    return [m for m in motions if m["name"] not in names and (out / f"{m['name']}.npy").is_file()]


def _record(
    checkpoint: Path,
    options: SamplingConfig,
    frames: int,
    motions: Sequence[tuple[str, str, int]],
    edit: EditFile | None,
) -> dict[str, Any]:
    """What made the motions: the same record, the same motions."""
    return {
        "checkpoint": checkpoint.name,
        "weights": weights_hash(checkpoint),
        "options": options.keywords(),
        "frames": frames,
        "edit": None if edit is None else edit.record(),
        "motions": [{"name": name, "prompt": prompt, "seed": seed} for name, prompt, seed in motions],
    }


def run_captions(run: Run) -> list[str]:
    """One caption of each action of a run, at most `MOST_CAPTIONS`; empty where nothing was built."""
    firsts: dict[str, None] = {}
    for path in sorted(run.texts.glob("*.txt")):
        if captions := read_caption_file(path):
            firsts.setdefault(captions[0].text)
    return list(firsts)[:MOST_CAPTIONS]
