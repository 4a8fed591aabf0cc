"""Speed of drawing and writing a motion as .mp4 and as GIF, compared with matplotlib's 3D animation of its bones.

python benchmarks/rendering.py MOTION.npy
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import matplotlib
import matplotlib.pyplot as plt
from matplotlib.animation import FFMpegWriter, FuncAnimation

from crossdiff.data.motion_files import read_motion
from crossdiff.types import Motion3D
from crossdiff.viewing.render import SIZES
from crossdiff.viewing.video import render_motion

ROUNDS = 3


def with_matplotlib(motion: Motion3D, path: Path) -> None:
    """A line for each bone, without a figure's body, in a picture of the same size."""
    size = SIZES[".mp4"]
    figure = plt.figure(figsize=(size / 100, size / 100), dpi=100)
    axes = figure.add_subplot(projection="3d")
    x, y, z = motion.joints[..., 0], motion.joints[..., 2], motion.joints[..., 1]
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()), zlim=(z.min(), z.max()), title="a person walks")
    lines = [axes.plot([], [], [], lw=3)[0] for _ in motion.skeleton.bones]

    def draw(frame: int) -> None:
        for line, bone in zip(lines, motion.skeleton.bones, strict=True):
            line.set_data_3d(x[frame, list(bone)], y[frame, list(bone)], z[frame, list(bone)])

    matplotlib.rcParams["animation.ffmpeg_path"] = imageio_ffmpeg.get_ffmpeg_exe()
    FuncAnimation(figure, draw, len(motion.joints)).save(path, FFMpegWriter(fps=motion.fps))
    plt.close(figure)


def processor_seconds() -> float:
    """CPU seconds of this process and of the encoders that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main(source: Path) -> None:
    motion = read_motion(source)
    print(
        f"{len(motion.joints)} frames, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; best of {ROUNDS} rounds"
    )
    ways: dict[str, tuple[str, Callable[[Path], object]]] = {
        kind: (f"a{kind}", lambda path, size=SIZES[kind]: render_motion([motion], path, ["a person walks"], size))
        for kind in (".mp4", ".gif")
    }
    ways["matplotlib"] = ("plain.mp4", lambda path: with_matplotlib(motion, path))
    seconds = {name: (float("inf"), float("inf")) for name in ways}
    with TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, (file, write) in ways.items():
                start, used = time.perf_counter(), processor_seconds()
                write(Path(folder) / file)
                took = time.perf_counter() - start, processor_seconds() - used
                seconds[name] = min(seconds[name][0], took[0]), min(seconds[name][1], took[1])
        for name, (file, _) in ways.items():
            wall, cpu = (each / len(motion.joints) for each in seconds[name])
            size = (Path(folder) / file).stat().st_size / 1e6
            times, by_processor = (seconds["matplotlib"][each] / seconds[name][each] for each in (0, 1))
            print(
                f"{name:10} {1 / wall:6.1f} frames/s, {1e3 * cpu:5.1f} ms of processor time per frame, {size:.2f} MB; "
                f"{times:.1f} times as fast as matplotlib, {by_processor:.1f} times by processor time"
            )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    matplotlib.use("Agg")
    main(Path(sys.argv[1]))
