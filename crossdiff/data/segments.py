"""HumanML3D's index.csv: which stretches of long recordings are clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from crossdiff.errors import InputError

COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")
# Frames per second that the index counts in.
INDEX_FPS = 20
# HumanML3D leaves out the beginning of some data sets' recordings (seconds) before it counts frames.
_LEAD = {"Eyes_Japan_Dataset": 3.0, "MPI_HDM05": 3.0, "TotalCapture": 1.0, "MPI_Limits": 1.0, "Transitions_mocap": 0.5}


@dataclass(frozen=True)
class Segment:
    """recording: path below the source's folder without suffix; start, stop: seconds, where stop may be open."""

    clip_id: str
    recording: str
    start: float
    stop: float | None


def find_index(folder: Path) -> Path | None:
    """An index.csv with HumanML3D's columns; one of another kind does not count."""
    path = folder / "index.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        names = [name.strip() for name in handle.readline().split(",")]
    return path if set(COLUMNS) <= set(names) else None


def read_segments(path: Path) -> list[Segment]:
    """The clips of an index, in its order."""
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
        rows = zip(*(table[name] for name in COLUMNS), strict=True)
        return [_segment(str(source), int(start), int(stop), str(name)) for source, start, stop, name in rows]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not an index of clips with {', '.join(COLUMNS)} ({error})") from None


def _segment(source: str, start: int, stop: int, name: str) -> Segment:
    recording = PurePosixPath(source.replace("\\", "/").removeprefix("./").removeprefix("pose_data/")).with_suffix("")
    lead = next((seconds for dataset, seconds in _LEAD.items() if dataset in source), 0.0)
    if start < 0 or (stop >= 0 and stop <= start):
        raise ValueError(f"{name}: frames {start} to {stop}")
    # The index writes -1 for an open end.
    end = None if stop < 0 else lead + stop / INDEX_FPS
    return Segment(name.removesuffix(".npy"), str(recording), lead + start / INDEX_FPS, end)
