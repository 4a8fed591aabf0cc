"""Sampled motions in a folder: joints, videos, and a record of what made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossdiff.checkpoint import weights_hash
from crossdiff.data.captions import read_caption_file
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.controls import plant_sampled_feet
from crossdiff.diffusion.parts import PromptPart
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.diffusion.sampling import StepCallback
from crossdiff.errors import InputError
from crossdiff.files import read_json, save_npy, write_json
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar, track
from crossdiff.types import Motion3D
from crossdiff.wording import counted, slug
from crossdiff.workflows.controls import TEXT_ALONE, SampleControls
from crossdiff.workflows.controls import EditFile as EditFile

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
    frames: int | None
    """Frames of each; None: as many as the path takes."""
    video: bool
    """Whether each motion also has an .mp4."""

    def __str__(self) -> str:
        kinds = ".npy and .mp4" if self.video else ".npy"
        motions = counted(len(self.names), "motion")
        lasting = "" if self.frames is None else f" of {self.frames} frames"
        return f"{motions}{lasting} in {self.out} ({kinds}): {', '.join(self.names)}"


def sample_motions(
    pipe: CrossDiffPipeline,
    prompts: Sequence[str],
    frames: int | Sequence[int | None] | None,
    seed: int,
    cfg: SamplingConfig,
    controls: SampleControls = TEXT_ALONE,
) -> list[Motion3D]:
    """One motion per prompt; the solver's steps are reported as the task "sample".

    frames: of each motion; None: the time that a path takes, else the pipeline's default. Motions along a path may be
    longer than the network takes at once.
    """
    lead, cfg = _lead(pipe, controls), cfg.for_model(pipe.model.config)
    lengths = list(frames) if isinstance(frames, Sequence) else [frames] * len(prompts)
    if controls.path is None:
        known = [length for length in lengths if length is not None]
        with _steps(cfg, 1) as on_step:
            options = {**lead, **cfg.keywords(), "sides": not controls.raw}
            made = pipe(prompts, known or None, seed=seed, on_step=on_step, **options)
        return _finished(made, controls, lead)
    made = []
    with _steps(cfg, len(prompts)) as on_step:
        for n, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
            lasting = pipe.frames_along(controls.path, prompt, seed=seed + n, options=cfg) if length is None else length
            made += pipe.sequence([(prompt, lasting)], seed=seed + n, on_step=on_step, **lead, **cfg.keywords())
    return _finished(made, controls, lead)


def sample_row(
    pipe: CrossDiffPipeline,
    parts: Sequence[PromptPart],
    seeds: Sequence[int],
    cfg: SamplingConfig,
    controls: SampleControls = TEXT_ALONE,
) -> list[Motion3D]:
    """One motion per seed, of the parts in a row; steps are reported as those of `sample_motions`."""
    lead, cfg = _lead(pipe, controls), cfg.for_model(pipe.model.config)
    with _steps(cfg, 1) as on_step:
        made = pipe.sequence(parts, seed=seeds, on_step=on_step, **lead, **cfg.keywords())
    return _finished(made, controls, lead)


def _lead(pipe: CrossDiffPipeline, controls: SampleControls) -> dict[str, Any]:
    """The controls as keywords of a `CrossDiffPipeline` call."""
    edit = None if controls.edit is None else controls.edit.load(pipe.model.skeleton)
    return {"edit": edit, "path": controls.path, "goals": controls.goals}


def _finished(motions: list[Motion3D], controls: SampleControls, lead: dict[str, Any]) -> list[Motion3D]:
    if controls.raw:
        return motions
    return [plant_sampled_feet(motion, lead["edit"], controls.goals) for motion in motions]


@contextmanager
def _steps(cfg: SamplingConfig, rounds: int) -> Iterator[StepCallback]:
    """A callback that reports the solver's steps, over all rounds, as the task "sample"."""
    with progress_bar() as bar:
        task = bar.add_task("sample", total=rounds * len(cfg.timesteps))
        yield lambda done, total: bar.update(task, total=rounds * total, advance=1)


def sample_to_folder(
    prompts: Sequence[str],
    frames: int | None,
    seed: int,
    cfg: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
    controls: SampleControls = TEXT_ALONE,
) -> SampleSummary:
    """Sample one motion per prompt and write `NAME.npy`, `NAME.mp4` and `samples.json` (what made them).

    Nothing is done if the folder already holds these very motions. Other motions in it stay, with their prompts.
    """
    names = [f"{i:02d}_{slug(prompt)}" for i, prompt in enumerate(prompts)]
    motions = [{"name": n, "prompt": p, "seed": seed + i} for i, (n, p) in enumerate(zip(names, prompts, strict=True))]
    record = _record(checkpoint, cfg, controls, {"frames": frames}, motions)

    def make() -> list[Motion3D]:
        pipe = CrossDiffPipeline.from_pretrained(checkpoint, device)
        return sample_motions(pipe, prompts, frames, seed, cfg, controls)

    _write_samples(out, record, make, video)
    return SampleSummary(out, names, frames, video)


def sample_row_to_folder(
    parts: Sequence[PromptPart],
    repeats: int,
    seed: int,
    cfg: SamplingConfig,
    checkpoint: Path,
    out: Path,
    video: bool = True,
    device: str = "cpu",
    controls: SampleControls = TEXT_ALONE,
) -> SampleSummary:
    """Sample motions of the parts in a row, with as many seeds as repeats; files and record as `sample_to_folder`."""
    prompt = ", then ".join(part.prompt for part in parts)
    motions = [{"name": f"{i:02d}_{slug(prompt)}", "prompt": prompt, "seed": seed + i} for i in range(repeats)]
    frames = sum(part.frames for part in parts)
    row = {"frames": frames, "in_a_row": [asdict(part) for part in parts]}
    record = _record(checkpoint, cfg, controls, row, motions)

    def make() -> list[Motion3D]:
        pipe = CrossDiffPipeline.from_pretrained(checkpoint, device)
        return sample_row(pipe, parts, [seed + i for i in range(repeats)], cfg, controls)

    _write_samples(out, record, make, video)
    return SampleSummary(out, [str(motion["name"]) for motion in motions], frames, video)


def _write_samples(out: Path, record: dict[str, Any], make: Callable[[], list[Motion3D]], video: bool) -> None:
    """Make and write the motions of a record, unless they are there."""
    names, prompts = ([motion[key] for motion in record["motions"]] for key in ("name", "prompt"))
    files = [out / f"{n}{kind}" for n in names for kind in ((".npy", ".mp4") if video else (".npy",))]
    before = _recorded(out)
    earlier = before.pop("earlier", [])
    if all(f.is_file() for f in files) and before == record:
        return
    others = _still_there([*earlier, *before.get("motions", [])], names, out)
    motions = make()
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
    controls: SampleControls,
    length: dict[str, Any],
    motions: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything that the motions depend on: equal records mean equal motions."""
    return {
        "checkpoint": checkpoint.name,
        "weights": weights_hash(checkpoint),
        "options": cfg.keywords(),
        **length,
        **controls.record(),
        "motions": motions,
    }


def run_captions(run: Run) -> list[str]:
    """One caption per action of a run, at most `MAX_CAPTIONS`; empty before build-2d."""
    firsts: dict[str, None] = {}
    for path in sorted(run.texts.glob("*.txt")):
        if captions := read_caption_file(path):
            firsts.setdefault(captions[0].text)
    return list(firsts)[:MAX_CAPTIONS]
