"""Training steps of this package and of a plain implementation: time per clip and memory, on the same clips.

    python benchmarks/training.py DATASET [--batches 8] [--batch-size 8] [--config stage1]

Plain: a pass for each source domain, every clip padded to 196 frames, captions encoded in every step, float32, torch's
default attention. This package: both domains in one batch, batches of similar length padded to their longest clip,
captions encoded once, and on a GPU bf16 and fused attention. Both do steps of stage I with the network of `--config`
and AdamW, in the same run; the batches are spread evenly over the dataset's lengths.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from crossdiff.config import load_config
from crossdiff.data.batch import ClipWindow, MotionBatch, collate
from crossdiff.data.batches import MocapBatches, make_batch
from crossdiff.data.mocap import MocapDataset
from crossdiff.progress import track
from crossdiff.text import embed, load_text_encoder, stack_text
from crossdiff.training.config import TrainConfig
from crossdiff.training.draws import draw
from crossdiff.training.losses import cross_losses
from crossdiff.training.stages import new_model
from crossdiff.training.trainer import Trainer
from crossdiff.types import DOMAINS

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class PlainTrainer:
    """The straightforward loop, on batches of 196 frames."""

    def __init__(self, cfg: TrainConfig, dataset: MocapDataset) -> None:
        self.model = new_model(cfg.model, dataset, cfg.seed).to(DEVICE).train()
        self.optimizer = torch.optim.AdamW(self.model.network.parameters(), cfg.learning_rate, weight_decay=0.0)
        self.encoder = load_text_encoder(cfg.model.text_encoder)
        self.sequence = cfg.model.text == "sequence"
        self.step = 0

    def train_step(self, batch: MotionBatch) -> None:
        text = stack_text(embed(self.encoder, batch.captions, self.sequence), self.sequence).to(DEVICE)
        draws = draw((0, self.step), batch.rows, 0.0)
        self.optimizer.zero_grad()
        losses = []
        for source in DOMAINS:
            pairs = [(source, target) for target in DOMAINS]
            losses += cross_losses(self.model.network, self.model, batch.to(DEVICE), text, pairs, draws).values()
        torch.stack(losses).mean(1).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1


def padded(crops: Sequence[ClipWindow], frames: int) -> MotionBatch:
    """A batch of that many frames, whatever its clips' lengths."""
    longest = ClipWindow(
        {d: np.zeros((frames, x.shape[1]), x.dtype) for d, x in crops[0].features.items()},
        {d: np.zeros((frames, x.shape[1]), bool) for d, x in crops[0].features.items()},
        np.zeros((frames, crops[0].seen.shape[1]), bool),
        "",
    )
    batch, count = collate([*crops, longest]), len(crops)
    return MotionBatch(
        features={d: x[:count] for d, x in batch.features.items()},
        trusted={d: x[:count] for d, x in batch.trusted.items()},
        seen=batch.seen[:count],
        frames=batch.frames[:count],
        captions=batch.captions[:count],
        wild=batch.wild[:count],
        has_3d=batch.has_3d[:count],
        quality=batch.quality[:count],
        lengths=[*batch.lengths[: count - 1], frames],  # the noise is made as long as the batch
        rows=batch.rows[:count],
    )


def timed(step: Callable[[MotionBatch], None], batch: MotionBatch) -> tuple[float, float]:
    """Seconds of a step, and the additional GPU memory that it needed, in GiB (0 on a CPU)."""
    on_gpu, before = DEVICE.type == "cuda", 0
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    start = time.perf_counter()
    step(batch)
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start, (torch.cuda.max_memory_allocated() - before) / 2**30 if on_gpu else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--config", default="stage1")
    args = parser.parse_args()
    dataset = MocapDataset(args.data)
    fixed = ["steps=1000000", f"batch_size={args.batch_size}", "validate_every=0", "precision=auto"]
    cfg = load_config(TrainConfig, args.config, fixed)
    source = MocapBatches(dataset, args.batch_size, 196, cfg.views, cfg.seed)
    # Evenly spaced batches of one epoch, in the order of their longest clips, so that all lengths occur.
    epoch = range(len(dataset) // args.batch_size)
    lengths = [dataset.lengths[source.clips(step)].max() for step in epoch]
    middles = (np.arange(args.batches) + 0.5) * len(epoch) / args.batches
    chosen = [int(np.argsort(lengths, kind="stable")[int(m)]) for m in middles]
    batches = [make_batch(source, step) for step in chosen]
    crops = [c for step in chosen for c in source.crops(step, range(args.batch_size))]
    mixed = np.random.default_rng(0).permutation(len(crops)).reshape(args.batches, -1)
    whole = [padded([crops[i] for i in row], 196) for row in mixed]

    frames = np.mean([c.num_frames for c in crops])
    expected = np.minimum(dataset.lengths, 196).mean()
    print(f"{len(crops)} clips of {frames:.0f} frames on average (the dataset's: {expected:.0f}), on {DEVICE}")
    plain = PlainTrainer(cfg, dataset)
    seconds: dict[str, list[float]] = {"here": [], "plain": []}
    memory = dict.fromkeys(seconds, 0.0)
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(new_model(cfg.model, dataset, 0), cfg, cfg.objective(), Path(out), args.data, source)
        trainer.embed([c.caption for c in crops])
        # In turn, and each twice, the faster counts: other work on the machine slows now the one, now the other.
        for own, other in track(list(zip(batches, whole, strict=True)), "steps"):
            for name, step, batch in (("here", trainer.train_step, own), ("plain", plain.train_step, other)):
                (first, _), (second, held) = timed(step, batch), timed(step, batch)
                seconds[name].append(min(first, second))
                memory[name] = max(memory[name], held)
    per_clip = {name: sum(values) / len(crops) for name, values in seconds.items()}
    for name, value in per_clip.items():
        held = f", {memory[name]:.2f} GiB of GPU memory for activations" if DEVICE.type == "cuda" else ""
        print(f"{name:5s} {value:7.3f} s/clip{held}")
    if DEVICE.type == "cpu":
        print(f"memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most")
    print(f"here is {per_clip['plain'] / per_clip['here']:.2f} times as fast")


if __name__ == "__main__":
    sys.exit(main())
