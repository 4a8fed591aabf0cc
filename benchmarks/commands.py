"""What `extract-2d`, `filter`, `build-2d` and `pseudo-label` cost on some minutes of video, part by part.

    python benchmarks/commands.py VIDEO [VIDEO ...] [--minutes 10] [--checkpoint pretrained/stage1-small]

Each video is repeated, without encoding it again, until all last `--minutes` in equal parts. The commands run in this
process, one worker each. Costs are CPU time, which other work on the machine changes less than the clock; a part's cost
is that of its own thread without the parts inside it. What MediaPipe's graphs cost is the rest of extraction.
"""

from __future__ import annotations

import argparse
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import imageio_ffmpeg

from crossdiff.pipeline.backends import create_backend
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.pseudo_label import pseudo_label
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.tracks import people
from crossdiff.progress import watch
from crossdiff.video import read_header
from crossdiff.video.display import Display
from crossdiff.video.reader import VideoReader

# Everything passes, so that everything is built.
LENIENT = FilterConfig(
    min_fps=0, min_frames=1, min_height=0, min_score=0, min_whole=0, max_edge=1, max_jitter=1e9, min_motion=0
)


class Costs:
    """CPU seconds by part; a part that runs inside another one is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._local = threading.local()

    def of(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        @wraps(work)
        def timed(*args: Any, **kwargs: Any) -> Any:
            inside = self._local.__dict__.setdefault("inside", [0.0])
            inside.append(0.0)
            start = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent = time.thread_time() - start
                self.seconds[part] += spent - inside.pop()
                inside[-1] += spent

        return timed

    def of_each(self, part: str, items: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The generator, whose items are timed."""

        @wraps(items)
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            following, end = self.of(part, next), object()
            made = items(*args, **kwargs)
            try:
                while (item := following(made, end)) is not end:
                    yield item
            finally:
                made.close()  # type: ignore[attr-defined]

        return timed


def instrument(costs: Costs) -> None:
    """Time the parts of extraction."""
    parts: tuple[tuple[str, Any, str, Callable[..., Any]], ...] = (
        ("decoding", VideoReader, "_decode", costs.of_each),
        ("conversion to RGB", Display, "show", costs.of),
        ("the small copy of the frame", people._Scene, "watch", costs.of_each),
        ("shots", people.ShotDetector, "add", costs.of),
        ("the camera's movement", people.CameraTracker, "add", costs.of),
        ("colours of clothes", people, "colours", costs.of),
        ("tracks", people, "link_tracks", costs.of),
        ("objects", people, "picture_change", costs.of),
    )
    for part, owner, name, way in parts:
        setattr(owner, name, way(part, getattr(owner, name)))


def repeat(video: Path, seconds: float, path: Path) -> Path:
    """Write the video again and again, with its packets as they are."""
    header = read_header(video)
    assert header is not None, f"{video}: does not say how long it is"
    times = max(1, round(seconds * header.fps / header.frames))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(times - 1), "-i", str(video)]
    subprocess.run([*command, "-an", "-c", "copy", str(path)], check=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--checkpoint", type=Path, default=Path("pretrained/stage1-small"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    costs = Costs()
    instrument(costs)
    pose = create_backend("mediapipe")
    with TemporaryDirectory() as folder, watch(lambda event: None):
        root = Path(folder)
        share = 60 * args.minutes / len(args.videos)
        films = [repeat(video, share, root / f"{n}{video.suffix}") for n, video in enumerate(args.videos)]
        run = Run.create(root / "run")
        stages: dict[str, Callable[[], object]] = {
            "extract-2d": lambda: extract_2d(films, run, pose),
            "filter": lambda: filter_clips(run, LENIENT),
            "build-2d": lambda: build_2d(run),
            "pseudo-label": lambda: pseudo_label(run, args.checkpoint),
        }
        spent, frames = {}, 0
        for name, work in stages.items():
            start = time.process_time()
            summary = work()
            spent[name] = time.process_time() - start
            frames = frames or summary.frames  # type: ignore[attr-defined]
            print(f"{name}: {spent[name]:.1f} s", flush=True)
    total = sum(spent.values())
    rest = {"MediaPipe, and passing frames to it": spent.pop("extract-2d") - sum(costs.seconds.values())}
    print(f"\n{args.minutes:g} minutes, {frames} frames, {total:.1f} s of CPU time\n")
    print("| | CPU seconds | ms a frame | share |\n|---|---|---|---|")
    for name, seconds in sorted((rest | costs.seconds | spent).items(), key=lambda item: -item[1]):
        print(f"| {name} | {seconds:.1f} | {1e3 * seconds / frames:.2f} | {seconds / total:.1%} |")


if __name__ == "__main__":
    main()
