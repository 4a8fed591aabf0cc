"""Time of 20 guided steps, of a distilled model's four passes and one pass, and of 1000 steps of DDPM, in one run; and,
with a dataset, FID and R-precision of each.

    python benchmarks/distilled.py [--checkpoint stage2-small] [--distilled FOLDER] [--frames 120] [--data DATASET]

At the paper's size, and where no distilled model is named or shipped, an untrained student takes its place, which does
not change the time. Times are the fastest of `--times` rounds, in which the ways take turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from crossdiff.checkpoint import few_step_model, find_checkpoint, load_model
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.evaluation.compare import compare, markdown
from crossdiff.evaluation.config import EvaluationConfig, ProtocolConfig
from crossdiff.evaluation.evaluate import evaluate
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.progress import track
from crossdiff.training.distil import make_student
from crossdiff.training.distil_config import DistilConfig

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
GUIDANCE = SamplingConfig().guidance_scale
# Words of the dummy text.
WORDS = 16


def seconds(model: CrossDiffModel, frames: int, options: SamplingConfig) -> tuple[float, float]:
    """Time of one motion, and the time that the CPU worked on it, which other work on the machine changes less."""
    text = model.null_text(1, WORDS) + 1
    start, worked = time.perf_counter(), time.process_time()
    sample(model, text, [frames], options, [0]).cpu()  # waits for the device
    return time.perf_counter() - start, time.process_time() - worked


def print_times(name: str, model: CrossDiffModel, student: CrossDiffModel, args: argparse.Namespace) -> None:
    distilled = student.config.distilled
    assert distilled is not None
    ways = {
        "20 steps of DDIM, guided": (model, SamplingConfig(steps=20)),
        f"{distilled.steps} passes, distilled": (student, SamplingConfig(steps=distilled.steps)),
        "1 pass, distilled": (student, SamplingConfig(steps=1)),
    }
    for way, options in ways.values():
        seconds(way, args.frames, options)  # not counted
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in track(range(args.times), name):
        for way, (net, options) in ways.items():
            times[way].append(seconds(net, args.frames, options))
    fastest = {way: [min(kind) for kind in zip(*found, strict=True)] for way, found in times.items()}
    if args.ddpm:
        plain = SamplingConfig(steps=args.ddpm, guidance_scale=1.0, solver="ddpm")
        fastest[f"{args.ddpm} steps of DDPM, not guided"] = [*seconds(model, args.frames, plain)]
    size = sum(p.numel() for p in model.network.parameters()) / 1e6
    print(f"\n{name}: {size:.1f} M parameters, {args.frames} frames, {torch.get_num_threads()} threads, on {DEVICE}\n")
    print("| | seconds | times as fast as 20 guided steps | CPU seconds | times as fast |\n|---|---|---|---|---|")
    reference = next(iter(fastest.values()))
    for way, found in fastest.items():
        numbers = (f"{value:.3f} | {first / value:.2f}" for value, first in zip(found, reference, strict=True))
        print(f"| {way} | {' | '.join(numbers)} |")


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
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ddpm", type=int, default=1000, help="steps of DDPM; 0: leave them out")
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
