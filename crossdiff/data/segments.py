"""HumanML3D's index of clips: which parts of which recordings they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from crossdiff.files import decoding

INDEX_COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")
# Frame rate of the index.
INDEX_FPS = 20
# Seconds that HumanML3D drops at the start of some datasets' recordings before it counts frames.
_LEAD = {"Eyes_Japan_Dataset": 3.0, "MPI_HDM05": 3.0, "TotalCapture": 1.0, "MPI_Limits": 1.0, "Transitions_mocap": 0.5}


@dataclass(frozen=True)
class Segment:
    """A row of the index. recording: path below the source's folder, without suffix; start, stop: seconds."""

    clip_id: str
    recording: str
    start: float
    stop: float | None


def find_index(folder: Path) -> Path | None:
    """The folder's index.csv if it has HumanML3D's columns, else None."""
    path = folder / "index.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        names = [name.strip() for name in handle.readline().split(",")]
    return path if set(INDEX_COLUMNS) <= set(names) else None


def read_segments(path: Path) -> list[Segment]:
    """The clips of an index, in its order."""
    with decoding(path, f"an index of clips with {', '.join(INDEX_COLUMNS)}"):
        table = pd.read_csv(path, encoding="utf-8-sig")
        rows = zip(*(table[name] for name in INDEX_COLUMNS), strict=True)
        return [_segment(str(source), int(start), int(stop), str(name)) for source, start, stop, name in rows]


def _segment(source: str, start: int, stop: int, name: str) -> Segment:
    recording = PurePosixPath(source.replace("\\", "/").removeprefix("./").removeprefix("pose_data/")).with_suffix("")
    lead = next((seconds for dataset, seconds in _LEAD.items() if dataset in source), 0.0)
    if start < 0 or (stop >= 0 and stop <= start):
        raise ValueError(f"{name}: frames {start} to {stop}")
    # The index writes -1 for an open end.
    end = None if stop < 0 else lead + stop / INDEX_FPS
    return Segment(name.removesuffix(".npy"), str(recording), lead + start / INDEX_FPS, end)
