"""Time of a motion by 20 guided steps, by a distilled model's four passes and one pass, and by 1000 steps of DDPM, in
one run; what precision, compilation, encoding the text once, and no padding give of it; and, with a dataset, FID and
R-precision of each.

    python benchmarks/distilled.py [--checkpoint stage2-small] [--distilled FOLDER] [--frames 120] [--compile]
                                   [--data DATASET]

At the paper's size, and where no distilled model is named or shipped, an untrained student takes its place, which does
not change the time. Times are the fastest of `--times` rounds, in which the ways take turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import torch

from crossdiff.checkpoint import few_step_model, find_checkpoint, load_model
from crossdiff.device import has_fast_bf16
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import compile_network, use_bf16
from crossdiff.diffusion.sampling import Guidance, WholeMotions, sample
from crossdiff.evaluation.compare import compare, markdown
from crossdiff.evaluation.config import EvaluationConfig, ProtocolConfig
from crossdiff.evaluation.evaluate import evaluate
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.progress import track
from crossdiff.text import embed, load_text_encoder
from crossdiff.training.distil import make_student
from crossdiff.training.distil_config import DistilConfig

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
GUIDANCE, END = SamplingConfig().guidance_scale, SamplingConfig().guidance_end
# Words of the dummy text.
WORDS = 16
PROMPT = "a person walks forward, turns around, sits down on a chair and waves"

Work = Callable[[], object]


def motion_of(model: CrossDiffModel, frames: int, options: SamplingConfig) -> Work:
    """Sampling one motion."""
    text = model.null_text(1, WORDS) + 1
    return lambda: sample(model, text, [frames], options, [0]).cpu()  # waits for the device


def passes_padded(model: CrossDiffModel, frames: int, passes: int) -> Work:
    """Passes over one motion that is padded to the longest, as a batch of fixed shape is; the solver takes no time."""
    longest = model.config.max_frames
    mask = (torch.arange(longest, device=DEVICE) < frames)[None]
    guidance = Guidance(torch.ones(1, device=DEVICE), distilled=True)
    predict = WholeMotions(model.network, model.null_text(1, WORDS) + 1, mask, guidance)
    x = torch.zeros(1, longest, model.config.layout("3d").dim, device=DEVICE)

    @torch.no_grad()
    def run() -> None:
        for _ in range(passes):
            predict(x, 500, "3d", "3d").cpu()

    return run


def fastest(works: Mapping[str, Work], times: int, name: str) -> dict[str, tuple[float, float]]:
    """Seconds, and seconds that the CPU worked, which other work on the machine changes less; the works take turns."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in works}
    for number in track(range(times + 1), name):
        for way, work in works.items():
            start, worked = time.perf_counter(), time.process_time()
            work()
            if number:  # the first is not counted
                taken[way].append((time.perf_counter() - start, time.process_time() - worked))
    return {way: (min(s for s, _ in pairs), min(s for _, s in pairs)) for way, pairs in taken.items()}


def print_table(found: Mapping[str, tuple[float, float]]) -> None:
    """Seconds and CPU seconds, each with how many times as fast as in the first row."""
    reference = next(iter(found.values()))
    print(
        f"\n| | seconds | times as fast as {next(iter(found))} | CPU seconds | times as fast |\n|---|---|---|---|---|"
    )
    for way, both in found.items():
        numbers = (f"{value:.3f} | {first / value:.2f}" for value, first in zip(both, reference, strict=True))
        print(f"| {way} | {' | '.join(numbers)} |", flush=True)


def print_times(name: str, model: CrossDiffModel, student: CrossDiffModel, args: argparse.Namespace) -> None:
    distilled = student.config.distilled
    assert distilled is not None
    size = sum(p.numel() for p in model.network.parameters()) / 1e6
    print(f"\n{name}: {size:.1f} M parameters, {args.frames} frames, {torch.get_num_threads()} threads, on {DEVICE}")
    few = SamplingConfig(steps=distilled.steps)
    four = f"{distilled.steps} passes, distilled"
    works = {
        "20 guided steps of DDIM": motion_of(model, args.frames, SamplingConfig(steps=20, guidance_end=0)),
        f"20 steps, guided until t = {END}": motion_of(model, args.frames, SamplingConfig(steps=20)),
        four: motion_of(student, args.frames, few),
        "1 pass, distilled": motion_of(student, args.frames, SamplingConfig(steps=1)),
    }
    found = fastest(works, args.times, name)
    for guidance, guided in ((GUIDANCE, "guided"), (1.0, "not guided")) if args.ddpm else ():
        options = SamplingConfig(steps=args.ddpm, solver="ddpm", guidance_scale=guidance, guidance_end=0)
        wall, worked = fastest({"": motion_of(model, args.frames, options)}, 1, "DDPM")[""]
        times = 1000 / args.ddpm
        measured = "" if times == 1 else f" ({args.ddpm} measured, times {times:g})"
        found[f"1000 steps of DDPM, {guided}{measured}"] = wall * times, worked * times
    print_table(found)
    print_table(fastest(variants(student, args, four, few), args.times, "variants"))


def variants(student: CrossDiffModel, args: argparse.Namespace, four: str, few: SamplingConfig) -> dict[str, Work]:
    """The passes as they are, and with one thing changed."""
    encoder, plain = load_text_encoder(student.config.text_encoder), motion_of(student, args.frames, few)

    def encoding() -> None:
        plain()
        for _ in range(few.steps - 1):
            embed(encoder, [PROMPT], student.config.text == "sequence")

    works: dict[str, Work] = {
        four: plain,
        "text encoded in every pass": encoding,
        f"padded to {student.config.max_frames} frames": passes_padded(student, args.frames, few.steps),
    }
    changes = {"bf16": [use_bf16]} if has_fast_bf16(DEVICE) else {}
    if args.compile:
        changes |= {
            "torch.compile": [compile_network],
            **{f"{k}, torch.compile": [*v, compile_network] for k, v in changes.items()},
        }
    for name, steps in changes.items():
        changed = deepcopy(student)
        for step in steps:
            step(changed)
        works[name] = motion_of(changed, args.frames, few)
    return works


def print_quality(teacher: Path, student: Path, args: argparse.Namespace) -> None:
    """The field's table of 20 guided steps, the distilled model's own steps, and one pass of it."""
    protocol = ProtocolConfig(replications=args.replications, multimodality_replications=0)
    results = []
    for name, folder, sampling in (
        ("20 steps", teacher, SamplingConfig(steps=20, guidance_scale=args.guidance)),
        ("distilled", student, SamplingConfig(guidance_scale=args.guidance)),
        ("distilled, 1 pass", student, SamplingConfig(steps=1, guidance_scale=args.guidance)),
    ):
        cfg = EvaluationConfig(split=args.split, batch_size=32, protocol=protocol, sampling=sampling)
        out = args.out / name.replace(", ", "-").replace(" ", "-")
        evaluators = args.evaluators or args.data / "evaluators"
        results.append(evaluate(cfg, folder, args.data, evaluators, out, (DEVICE,), name))
    print("\n" + markdown(compare(results)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="stage2-small")
    parser.add_argument("--distilled", help="default: the shipped model distilled to 4 steps, if there is one")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ddpm", type=int, default=50, help="steps of DDPM that are measured; 0: leave DDPM out")
    parser.add_argument("--compile", action="store_true", help="try torch.compile too, which takes minutes")
    parser.add_argument("--no-paper", action="store_true", help="leave out the paper's size")
    parser.add_argument("--data", type=Path, help="dataset; evaluates too")
    parser.add_argument("--evaluators", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--replications", type=int, default=3)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--out", type=Path, default=Path("distilled"))
    args = parser.parse_args()
    teacher = load_model(args.checkpoint, DEVICE)
    named = args.distilled or few_step_model(args.checkpoint, 4)
    trained = None if named == args.checkpoint else find_checkpoint(named)
    student = make_student(teacher, DistilConfig(), "") if trained is None else load_model(trained)
    print_times(str(args.checkpoint), teacher, student.to(DEVICE).eval(), args)
    if not args.no_paper:
        large = CrossDiffModel(ModelConfig()).eval()
        print_times(
            "the paper's size", large.to(DEVICE), make_student(large, DistilConfig(), "").to(DEVICE).eval(), args
        )
    if args.data is not None and trained is not None:
        print_quality(find_checkpoint(args.checkpoint), trained, args)


if __name__ == "__main__":
    sys.exit(main())
