"""Sampled motions in a folder: joints, videos, and a record of what made them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import weights_hash
from crossdiff.data.captions import read_caption_file
from crossdiff.data.plausible import check_joints, check_leg
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npy, read_json, save_npy, sha256, write_json
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar, track
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D
from crossdiff.wording import counted, slug

# Captions of a run that are sampled when no prompt is given.
MAX_CAPTIONS = 4
RECORD = "samples.json"


@dataclass(frozen=True)
class SampleSummary:
    """Motions that were sampled now or before."""

    out: Path
    """Folder of the files."""
    names: list[str]
    """Names of the files, without suffix."""
    frames: int
    video: bool
    """Whether each motion also has an .mp4."""

    def __str__(self) -> str:
        kinds = ".npy and .mp4" if self.video else ".npy"
        motions = counted(len(self.names), "motion")
        return f"{motions} of {self.frames} frames in {self.out} ({kinds}): {', '.join(self.names)}"


@dataclass(frozen=True)
class EditFile:
    """A motion to edit and the part of it to keep, as typed on the command line."""

    motion: Path
    """Joints (F, J, 3), metres, Y up, as .npy."""
    keep_frames: str | None = None
    """Ranges such as 0:30,90:120, ends excluded; -30: is the last 30 frames. None: all frames."""
    keep_joints: str | None = None
    """lower, upper, or names of joints, separated by commas. None: all joints."""

    @classmethod
    def of(cls, motion: Path | None, keep_frames: str | None, keep_joints: str | None) -> EditFile | None:
        """None without a motion; InputError for a part to keep without a motion."""
        if motion is None and (keep_frames or keep_joints):
            raise InputError("keep: expected a motion to keep a part of; name it with --edit MOTION.npy")
        return None if motion is None else cls(motion, keep_frames, keep_joints)

    @property
    def num_frames(self) -> int:
        joints = load_npy(self.motion)
        return len(joints) if joints.ndim else 0

    def load(self, skeleton: Skeleton) -> Edit:
        frames = None if self.keep_frames is None else _ranges(self.keep_frames)
        joints = None if self.keep_joints is None else [name.strip() for name in self.keep_joints.split(",")]
        motion = load_npy(self.motion)
        with decoding(self.motion, "a motion that can be edited"):
            edit = Edit.from_joints(motion, frames, joints, skeleton)
            try:
                check_joints(motion)
                check_leg(motion, skeleton)
            except ClipError as error:
                raise InputError(f"{self.motion}: {error}") from None
        return edit

    def record(self) -> dict[str, str | None]:
        return {
            "motion": self.motion.name,
            "sha256": sha256(self.motion),
            "keep_frames": self.keep_frames,
            "keep_joints": self.keep_joints,
        }


def _ranges(text: str) -> list[slice]:
    """The slices of `0:30,90:120`."""
    matches = [re.fullmatch(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*", part) for part in text.split(",")]
    if None in matches:
        raise InputError(f"keep frames: expected ranges such as 0:30,90:120, got {text!r}")
    return [slice(*(None if end is None else int(end) for end in part.groups())) for part in matches if part]


def sample_motions(
    pipe: CrossDiffPipeline,
    prompts: Sequence[str],
    frames: int | Sequence[int],
    seed: int,
    cfg: SamplingConfig,
    edit: Edit | None = None,
) -> list[Motion3D]:
    """One motion per prompt; the solver's steps are reported as the task "sample"."""
    with progress_bar() as bar:
        task = bar.add_task("sample", total=len(cfg.timesteps))
        return pipe(
            prompts,
            frames,
            seed=seed,
            on_step=lambda done, _: bar.update(task, completed=done),
            edit=edit,
            **cfg.keywords(),
        )


def sample_to_folder(
    prompts: Sequence[str],
    frames: int,
    seed: int,
    cfg: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
    edit: EditFile | None = None,
) -> SampleSummary:
    """Sample one motion per prompt and write `NAME.npy`, `NAME.mp4` and `samples.json` (what made them).

    Nothing is done if the folder already holds these very motions. Other motions in it stay, with their prompts.
    """
    names = [f"{i:02d}_{slug(prompt)}" for i, prompt in enumerate(prompts)]
    result = SampleSummary(out, names, frames, video)
    requested = [(n, p, seed + i) for i, (n, p) in enumerate(zip(names, prompts, strict=True))]
    record = _record(checkpoint, cfg, frames, requested, edit)
    files = [out / f"{n}{kind}" for n in names for kind in ((".npy", ".mp4") if video else (".npy",))]
    before = _recorded(out)
    earlier = before.pop("earlier", [])
    if all(f.is_file() for f in files) and before == record:
        return result
    others = _still_there([*earlier, *before.get("motions", [])], names, out)
    pipe = CrossDiffPipeline.from_pretrained(checkpoint, device)
    motions = sample_motions(pipe, prompts, frames, seed, cfg, None if edit is None else edit.load(pipe.model.skeleton))
    # Until all files are written, the record lists none of them, and old videos of new motions are removed.
    write_json(out / RECORD, {**record, "motions": [], "earlier": others})
    for name, motion in zip(names, motions, strict=True):
        (out / f"{name}.mp4").unlink(missing_ok=True)
        save_npy(out / f"{name}.npy", motion.joints)
    if video:
        from crossdiff.viewing.video import render_motion  # with OpenCV and PyAV

        for name, prompt, motion in track(list(zip(names, prompts, motions, strict=True)), "draw"):
            render_motion([motion], out / f"{name}.mp4", [prompt])
    write_json(out / RECORD, {**record, "earlier": others})
    return result


def _recorded(out: Path) -> dict[str, Any]:
    """The record of an earlier call; empty if it is missing or unreadable."""
    try:
        record = dict(read_json(out / RECORD))
        _still_there([*record.get("earlier", []), *record["motions"]], (), out)
    except (InputError, KeyError, TypeError, ValueError):
        return {}
    return record


def _still_there(motions: list[dict[str, Any]], names: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """Motions of earlier calls whose files still exist, except those with one of `names`."""
    return [m for m in motions if m["name"] not in names and (out / f"{m['name']}.npy").is_file()]


def _record(
    checkpoint: Path,
    cfg: SamplingConfig,
    frames: int,
    motions: Sequence[tuple[str, str, int]],
    edit: EditFile | None,
) -> dict[str, Any]:
    """Everything that the motions depend on: equal records mean equal motions."""
    return {
        "checkpoint": checkpoint.name,
        "weights": weights_hash(checkpoint),
        "options": cfg.keywords(),
        "frames": frames,
        "edit": None if edit is None else edit.record(),
        "motions": [{"name": name, "prompt": prompt, "seed": seed} for name, prompt, seed in motions],
    }


def run_captions(run: Run) -> list[str]:
    """One caption per action of a run, at most `MAX_CAPTIONS`; empty before build-2d."""
    firsts: dict[str, None] = {}
    for path in sorted(run.texts.glob("*.txt")):
        if captions := read_caption_file(path):
            firsts.setdefault(captions[0].text)
    return list(firsts)[:MAX_CAPTIONS]
