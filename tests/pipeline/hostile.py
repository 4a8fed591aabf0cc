"""A pose backend that ends or hangs its process at videos of certain shades, for the tests of the engines."""

import os
import signal
import time
from pathlib import Path

from wild import FakeBackend

# Grey levels of `write_video`, far enough apart for its small changes and the codec's.
DEADLY, DEADLY_ONCE, HANGING, BROKEN = 60, 90, 180, 210


class PoisonedBackend(FakeBackend):
    """Its GPU is lost at the first frame without a person, for as long as the process lives."""

    lost = False

    def estimate(self, frames):
        for people in super().estimate(frames):
            self.lost |= not people
            if self.lost:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            yield people


class HostileBackend(FakeBackend):
    """Deadly at the 30th frame; `DEADLY_ONCE` leaves a note in a folder and is harmless when that is there.

    delay: seconds that each frame takes. most: files in `notes/keypoints` after which no further frame comes.
    """

    def __init__(self, notes: Path, delay: float = 0.0, most: int | None = None) -> None:
        super().__init__()
        self.notes = notes
        self.delay = delay
        self.most = most

    def estimate(self, frames):
        return super().estimate(self._watched(frames))

    def _watched(self, frames):
        for number, frame in enumerate(frames):
            time.sleep(self.delay)
            if self.most is not None and len(list(self.notes.glob("keypoints/[0-9]*"))) >= self.most:
                time.sleep(3600)
            if number == 30:
                self._strike(frame.mean())
            yield frame

    def _strike(self, shade: float) -> None:
        if abs(shade - DEADLY) < 12:
            os.kill(os.getpid(), signal.SIGSEGV)
        if abs(shade - DEADLY_ONCE) < 12 and not (self.notes / "died").exists():
            (self.notes / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if abs(shade - HANGING) < 12:
            time.sleep(3600)
        if abs(shade - BROKEN) < 12:
            raise ZeroDivisionError("a model's own mistake")
