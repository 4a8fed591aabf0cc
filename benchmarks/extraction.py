"""What extraction costs beside the pose model: its rate against the bare model's, its other stages, its memory.

python benchmarks/extraction.py CLIP [SHORT_CLIPS]

CLIP shows one person. Films of one, two and four people are composed of it, side by side; a short clip is played
backwards and forwards until it has FRAMES frames, because the first sweep over the picture takes longest. The bare loop
(OpenCV's frames straight into MediaPipe's graph of one person) and `extract-2d` with one worker and with two work on
the same copies of a film, in turn, several times; ratios are of the best of each, because machines are shared.
Processor time is printed beside: it depends less on what else runs. Then each other stage is timed separately on the
clip, and the memory of a worker is watched over one long video and over SHORT_CLIPS (200) copies of the clip's first
second.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from crossdiff.pipeline.backends import Person, PoseBackend, create_backend
from crossdiff.pipeline.backends.mediapipe import MediaPipeConfig
from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.tracks.people import PeopleConfig, find_people
from crossdiff.video import VideoReader
from crossdiff.viewing.encode import write_video

ROUNDS, COPIES, FRAMES = 3, 3, 390
# Everything passes, so that everything is built.
LENIENT = FilterConfig(
    min_fps=0, min_frames=1, min_height=0, min_score=0, min_whole=0, max_edge=1, max_jitter=1e9, min_motion=0
)


def main(clip: Path, short_clips: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for people in (1, 2, 4):
            frames = rates(compose(clip, people, _folder(root / f"{people}") / "film.avi"), root / f"{people}")
        shares(clip, frames, root)
        long_memory(clip)
        memory(clip, short_clips, root)


def compose(clip: Path, people: int, path: Path) -> Path:
    """Write a film that shows the clip several times side by side, at most 480 pixels high and FRAMES frames long."""
    source = VideoReader(clip)
    width, height = source.info.size
    frames = list(islice(source.frames(), FRAMES))
    zoom = min(1.0, 480 / height)
    size = (round(width * zoom / 2) * 2, round(height * zoom / 2) * 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"XVID"), source.info.fps, (size[0] * people, size[1]))
    for frame in islice(cycle([*frames, *reversed(frames)]), FRAMES):
        writer.write(np.tile(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)[..., ::-1], (1, people, 1)))
    writer.release()
    return path


def rates(clip: Path, root: Path) -> int:
    """Print frames per second of the bare loop, of one worker, and of two; returns the clip's frames."""
    for copy in range(COPIES):
        shutil.copy(clip, _folder(root / "copies") / f"{copy}{clip.suffix}")
    copies = sorted((root / "copies").iterdir())
    frames = bare(copies[:1])
    best = {"bare": 0.0, "one worker": 0.0, "two workers": 0.0}
    least = dict.fromkeys(best, float("inf"))
    for number in range(ROUNDS):
        before = processor_seconds()
        seconds = {"bare": timed(lambda: bare(copies), times=1)}
        spent = {"bare": processor_seconds() - before}
        for name, workers in (("one worker", 1), ("two workers", 2)):
            run = Run.create(root / f"{name} {number}")
            first = _Clock()
            before = processor_seconds()
            extract_2d(copies, run, engine=_Timed(workers, first))
            spent[name] = processor_seconds() - before
            # Those that had been seen when the clock started.
            early = workers * min(MediaPipeConfig().look_back, frames - 1)
            seconds[name] = first.seconds * frames * COPIES / (frames * COPIES - early)
        best = {name: max(best[name], frames * COPIES / seconds[name]) for name in best}
        least = {name: min(least[name], spent[name]) for name in least}
    for name, rate in best.items():
        milliseconds = 1000 * least[name] / (frames * COPIES)
        print(
            f"{root.name} people, {name:12}: {rate:6.1f} frames/s, {rate / best['bare']:.2f} of the bare loop; "
            f"{milliseconds:.1f} ms of processor time a frame, loading included",
            flush=True,
        )
    return frames


def processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


class _Clock:
    """From when the first worker is at its first frames (its model loaded) to the last outcome."""

    seconds = 0.0


class _Timed(LocalEngine):
    """A local engine whose clock starts when its first worker is ready, because many videos share the time to load."""

    def __init__(self, workers: int, clock: _Clock) -> None:
        super().__init__(workers)
        self.clock = clock

    def run(self, jobs, recipe, tick):  # type: ignore[no-untyped-def]
        started: list[float] = []

        def ticked(video: str, done: int, total: int) -> None:
            # The time of the frames before the first tick belongs to the work.
            started or started.append(time.perf_counter() - 0.2)
            tick(video, done, total)

        yield from super().run(jobs, recipe, ticked)
        self.clock.seconds = time.perf_counter() - started[0]


def bare(clips: list[Path]) -> int:
    """Frames of the clips, each shown to MediaPipe with the settings of the backend, and nothing else done."""
    import mediapipe

    count = 0
    for clip in clips:
        with mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=False) as model:
            for frame in opencv_frames(clip):
                model.process(frame)
                count += 1
    return count


def opencv_frames(clip: Path) -> Iterator[np.ndarray]:
    """RGB frames as OpenCV reads them."""
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


class Replayed(PoseBackend):
    """Gives the people that another backend found, at no cost."""

    name = "replayed"
    keypoint_set = "blazepose33"
    identity = {"backend": "replayed"}  # noqa: RUF012

    def __init__(self, people: list[list[Person]]) -> None:
        self.people = people

    def estimate(self, frames: Iterable[np.ndarray]) -> Iterator[list[Person]]:
        yield from (people for _, people in zip(frames, self.people, strict=False))


def shares(clip: Path, frames: int, root: Path) -> None:
    """Print what decoding, the other stages of extraction, filtering and building take of extraction's time."""
    pose = create_backend("mediapipe")
    replayed = Replayed(list(pose.estimate(VideoReader(clip).frames())))
    warm, run = (Run.create(root / name) for name in ("warm", "stages"))

    def extraction(backend: PoseBackend) -> Callable[[], object]:
        return lambda: find_people(clip, backend, PeopleConfig(), lambda *_: None)

    whole = timed(extraction(pose))
    decoding = timed(lambda: sum(1 for _ in VideoReader(clip).frames()))
    bare_decoding = timed(lambda: sum(1 for _ in opencv_frames(clip)))
    rest = timed(extraction(replayed)) - decoding
    for made in (warm, run):
        extract_2d([clip], made, replayed)
    # The first time loads libraries.
    filter_clips(warm, LENIENT)
    build_2d(warm)
    filtering = timed(lambda: filter_clips(run, LENIENT), times=1)
    building = timed(lambda: build_2d(run), times=1)
    stages = {"decoding": decoding, "shots, tracks, camera": rest, "filter": filtering, "build-2d": building}
    for name, seconds in stages.items():
        print(f"{name:22}: {1000 * seconds / frames:6.2f} ms a frame, {seconds / whole:6.1%} of extraction")
    print(f"{'decoding by OpenCV':22}: {1000 * bare_decoding / frames:6.2f} ms a frame")
    others = sum(stages.values()) - decoding
    print(f"{'all but decoding':22}: {1000 * others / frames:6.2f} ms a frame, {others / whole:6.1%} of extraction")


def long_memory(clip: Path, frames: int = 3000) -> None:
    """Print this process's memory early and late in one long video, the clip over and over."""

    def over_and_over() -> Iterator[np.ndarray]:
        while True:
            yield from VideoReader(clip).frames()

    megabytes = []
    for _, _ in zip(create_backend("mediapipe").estimate(over_and_over()), range(frames), strict=False):
        megabytes.append(resident())
    print(
        f"memory in a long video: {megabytes[frames // 10]:.0f} MB after {frames // 10} frames, "
        f"{megabytes[-1]:.0f} MB after {frames}"
    )


def memory(clip: Path, short_clips: int, root: Path) -> None:
    """Print a worker's memory after 20 short clips and after the last, with MediaPipe."""
    source = VideoReader(clip)
    short = write_video(islice(source.frames(), 25), root / "short.mp4", source.info.fps)
    pose, megabytes = create_backend("mediapipe"), []
    for _ in range(short_clips):
        find_people(short, pose, PeopleConfig(), lambda *_: None)
        megabytes.append(resident())
    early = megabytes[min(19, short_clips - 1)]
    print(f"memory: {early:.0f} MB after 20 clips, {megabytes[-1]:.0f} MB after {short_clips}")


def resident() -> float:
    """Megabytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def timed(work: Callable[[], object], times: int = ROUNDS) -> float:
    """Seconds of the quickest of several times."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 200)
