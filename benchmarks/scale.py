"""How each stage's time grows: clips in the pipeline, tracks among duplicates, rows in the ledger, motions in a batch.

    python benchmarks/scale.py [--checkpoint pretrained/stage1-small] [--rounds 2] [--largest 1000] [--tracks 16000]
                               [--only ledger batch frames tracks clips] [--plot docs/img/scale.png]

Times are CPU seconds of this process and those it waited for, the least of a few rounds, because a shared machine's
clock says little. Growth is relative to the row above: 10 times the work at growth 10 is linear.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from crossdiff.checkpoint import load_model
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.models import CrossDiffModel
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.ledger import Ledger, Row, VideoRecord
from crossdiff.pipeline.motion2d.duplicates import find_duplicates
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.pipeline.pseudo_label import pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.progress import watch
from crossdiff.types import Keypoints2D
from crossdiff.viewing.plots import saved_figure

BATCHES, FRAMES, STEPS = (1, 4, 16, 64), (24, 48, 96, 192), 5
CURVES = ("ledger", "batch", "frames", "tracks", "clips")
ROWS = (1, 100, 10_000, 100_000)


@dataclass
class Curve:
    """Seconds of several pieces of work at each size."""

    what: str
    sizes: Sequence[int]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __str__(self) -> str:
        """A Markdown table: milliseconds per item, and growth."""
        lines = [f"| {self.what} | " + " | ".join(self.seconds) + " |", "|---" * (len(self.seconds) + 1) + "|"]
        for n, size in enumerate(self.sizes):
            cells = [f"{size:,}", *(self._cell(taken, n) for taken in self.seconds.values())]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def _cell(self, taken: Sequence[float], n: int) -> str:
        if n >= len(taken):
            return ""
        growth = f", x {taken[n] / taken[n - 1]:.1f}" if n else ""
        return f"{1e3 * taken[n] / self.sizes[n]:.3g} ms each{growth}"


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measured(works: Mapping[str, Callable[[], object]], rounds: int = 1) -> dict[str, float]:
    """The least CPU seconds of each piece of work; the pieces run in turn."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            start = cpu_seconds()
            work()
            least[name] = min(least[name], cpu_seconds() - start)
    return least


def curve(what: str, sizes: Sequence[int], run: Callable[[int], Mapping[str, float]]) -> Curve:
    """Measure each size, and print the table."""
    made = Curve(what, sizes)
    for size in sizes:
        for name, seconds in run(size).items():
            made.seconds.setdefault(name, []).append(seconds)
    print(made, flush=True)
    return made


def swinging(number: int) -> Keypoints2D:
    """A person of 60 to 120 frames whose limbs swing as nobody else's."""
    rng = np.random.default_rng(number)
    body = {"shoulder": (14, 20), "elbow": (18, 36), "wrist": (20, 50), "hip": (8, 50), "knee": (9, 74)}
    still = np.zeros((33, 2))
    for joint, name in enumerate(BLAZEPOSE33.names):
        x, y = next((xy for part, xy in body.items() if part in name), (7, 95) if "_" in name else (0, 8))
        still[joint] = (-x if "right" in name else x, y)
    frames = int(rng.integers(60, 121))
    hertz, phase, reach = rng.uniform(0.2, 1, (33, 2)), rng.uniform(0, 6, (33, 2)), rng.uniform(2, 10, (33, 2))
    swing = reach * np.sin(2 * np.pi * hertz * np.arange(frames)[:, None, None] / 20 + phase)
    return Keypoints2D(
        xy=(2 * (still + swing) + (200, 60)).astype(np.float32),
        score=np.full((frames, 33), 0.9, np.float32),
        frame=np.arange(frames),
        fps=20.0,
        size=(400, 360),
        keypoint_set="blazepose33",
    )


def run_of_clips(root: Path, count: int) -> Run:
    """A run as extraction leaves it."""
    run, videos, rows = Run.create(root), [], []
    for number in range(count):
        name = f"v{number:06d}"
        swinging(number).save(run.keypoints / f"{name}_t0.npz")
        videos.append(VideoRecord(name, root / f"{name}.mp4", name, "", ()))
        rows.append(Row("track", f"{name}_t0", "done", name, name, measures={"frames": 60, "first_frame": 0}))
    run.ledger.put_videos(videos)
    run.ledger.put(rows)
    return run


def stages(count: int, checkpoint: Path) -> dict[str, float]:
    """The stages after extraction on a new run, then once more with nothing to do."""
    lenient = FilterConfig(max_bones=9, max_jitter=9)
    with TemporaryDirectory() as folder:
        run = run_of_clips(Path(folder) / "run", count)
        return measured(
            {
                "filter": lambda: filter_clips(run, lenient),
                "build-2d": lambda: build_2d(run),
                "pseudo-label": lambda: pseudo_label(run, checkpoint),
                "filter again": lambda: filter_clips(run, lenient),
                "build-2d again": lambda: build_2d(run),
                "status": lambda: Run(run.root).ledger.counts(),
            }
        )


def duplicates(count: int) -> dict[str, float]:
    """Tracks of 100 frames of one body seen from anywhere, whose limbs swing; one in twenty is a noisy copy."""
    rng = np.random.default_rng(0)
    tracks: dict[str, np.ndarray] = {}
    body, seconds = rng.normal(scale=0.25, size=(12, 3)), np.arange(100)[:, None, None] / 20
    for number in range(count):
        yaw = rng.uniform(0, 2 * np.pi)
        still = np.stack([body[:, 0] * np.cos(yaw) + body[:, 2] * np.sin(yaw), body[:, 1]], axis=-1)
        hertz, phase, reach = rng.uniform(0.2, 1, (12, 2)), rng.uniform(0, 6, (12, 2)), rng.uniform(0.05, 0.2, (12, 2))
        poses = still + reach * np.sin(2 * np.pi * hertz * seconds + phase)
        if number % 20 == 1:
            poses = tracks[str(number - 1)] + rng.normal(scale=0.005, size=(100, 12, 2))
        tracks[str(number)] = poses.astype(np.float16)
    return measured({"search for duplicates": lambda: find_duplicates(tracks, 0.025)})


def ledger(count: int, rounds: int) -> dict[str, float]:
    rows = [Row("track", f"v{n:06d}_t0", "done", "k", f"v{n:06d}", measures={"frames": n}) for n in range(count)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        book = Ledger(path)
        works: dict[str, Callable[[], object]] = {
            "write in one transaction": lambda: book.put(rows),
            "open, checked": lambda: Ledger(path),
            "read": lambda: book.rows("track"),
            "count": book.counts,
        }
        book.counts()  # loads pandas
        return measured(works, rounds)


def sampling(model: CrossDiffModel, batch: int, frames: int, rounds: int) -> dict[str, float]:
    text = model.null_text(batch, words=16) + 1
    options = SamplingConfig(steps=STEPS, guidance_scale=2.5, solver="dpm++")
    return measured({"sample": lambda: sample(model, text, [frames] * batch, options, list(range(batch)))}, rounds)


def plot(curves: Sequence[Curve], path: Path) -> None:
    """Milliseconds per item over their number: a level line is work that grows like the number of items."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    columns = 3
    rows = -(-len(curves) // columns)
    with saved_figure(path, 11, 3.4 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for axes, made in zip(grid, curves, strict=False):
            for name, taken in made.seconds.items():
                sizes = made.sizes[: len(taken)]
                each = [1e3 * seconds / size for seconds, size in zip(taken, sizes, strict=True)]
                axes.plot(sizes, each, "o-", markersize=3.5, linewidth=1.2, label=name)
            axes.set(xscale="log", yscale="log", xlabel=made.what, ylabel="CPU ms each")
            low, high = axes.get_ylim()
            low = min(low, high / 30)
            axes.set_ylim(low, high * 1.3)
            axes.set_xticks(list(made.sizes), [f"{size:,}" for size in made.sizes], fontsize=7)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
            axes.yaxis.set_minor_formatter(NullFormatter())
            last = axes is figure.axes[len(curves) - 1] and len(curves) < rows * columns
            axes.legend(frameon=False, fontsize=7, **({"loc": "upper left", "bbox_to_anchor": (1, 1)} if last else {}))
        for axes in list(figure.axes)[len(curves) :]:
            axes.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path("pretrained/stage1-small"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--largest", type=int, default=1000, help="clips in the pipeline")
    parser.add_argument("--tracks", type=int, default=16_000, help="tracks among which duplicates are searched for")
    parser.add_argument("--only", nargs="+", choices=CURVES, default=CURVES)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    clips = [n for n in (1, 10, 100, 1000, 10_000) if n <= args.largest]
    tracks = [n for n in (1000, 4000, 16_000, 100_000) if n <= args.tracks]
    model = load_model(args.checkpoint)
    works: dict[str, tuple[str, Sequence[int], Callable[[int], Mapping[str, float]]]] = {
        "ledger": ("rows of the ledger", ROWS, lambda n: ledger(n, args.rounds)),
        "batch": ("motions in a batch of 96 frames", BATCHES, lambda n: sampling(model, n, 96, args.rounds)),
        "frames": ("frames of one motion", FRAMES, lambda n: sampling(model, 1, n, args.rounds)),
        "tracks": ("tracks", tracks, duplicates),
        "clips": ("clips", clips, lambda n: stages(n, args.checkpoint)),
    }
    with watch(lambda event: None):
        if "clips" in args.only:
            stages(1, args.checkpoint)  # loads libraries
        curves = [curve(*works[name]) for name in args.only]
    if args.plot:
        plot(curves, args.plot)


if __name__ == "__main__":
    main()
