"""A new ledger from what a damaged one and the files of its run still hold."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from crossdiff.errors import InputError
from crossdiff.files import load_npz, npz_names, temporary_beside
from crossdiff.pipeline.ledger import Ledger, Row, VideoRecord, row_of, video_of

log = logging.getLogger(__name__)

T = TypeVar("T", Row, VideoRecord)
_LABELS = ("pseudo3d", "pseudo3d_filtered")
# Arrays of a label that are no measures.
_NOT_MEASURED = {"features", "teacher", "fps", "key"}


def rebuild(path: Path, reason: str) -> None:
    """Replace a damaged ledger; it is kept beside the new one as `ledger.damaged.sqlite`.

    What cannot be trusted to be complete is dropped, so that the stages do it again: videos of which a track is
    missing, clips of which a motion is. Labels hold their key and measures, from which their rows are made again.
    InputError if nothing can be read.
    """
    fresh, damaged = temporary_beside(path), path.with_name(f"{path.stem}.damaged{path.suffix}")
    try:
        ledger = Ledger(fresh)
        videos, rows = _readable(path, fresh.read_bytes())
        if not rows and not videos:
            raise InputError(
                f"{path}: damaged, and nothing in it can be read ({reason}); restore it from a copy, or delete it and "
                "run the same commands again, from extract-2d or import-2d on"
            )
        kept = _complete(path.parent, rows, videos)
        kept += _labels(path.parent, {row.id for row in kept if row.stage == "pseudo"})
        ledger.put_videos(videos.values())
        ledger.put(kept)
        path.replace(damaged)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    counts = ", ".join(f"{count} of {stage}" for stage, count in sorted(Counter(row.stage for row in kept).items()))
    log.warning(
        "%s: was damaged (%s); rebuilt with %d videos and the entries %s; run the stages again, which do what is "
        "missing; the damaged file is %s",
        path, reason, len(videos), counts or "of no stage", damaged,
    )  # fmt: skip


def _readable(path: Path, empty: bytes) -> tuple[dict[str, VideoRecord], list[Row]]:
    """The videos and rows that can be read; empty: content of a ledger without any.

    All ledgers begin alike, so where the beginning is damaged that of the empty one takes its place.
    """
    content = path.read_bytes()
    page = int.from_bytes(empty[16:18], "big")
    pages = max(len(content), len(empty)) // page
    # Bytes 28 to 31 are the number of pages.
    whole = empty[:28] + pages.to_bytes(4, "big") + empty[32:page] + content[page:]
    copy = temporary_beside(path)
    videos: dict[str, VideoRecord] = {}
    rows: dict[tuple[str, str], Row] = {}
    try:
        for attempt in (content, whole):
            copy.write_bytes(attempt)
            videos |= {video.id: video for video in _entries(copy, "videos", video_of)}
            rows |= {(row.stage, row.id): row for row in _entries(copy, "rows", row_of)}
    finally:
        copy.unlink(missing_ok=True)
    return videos, list(rows.values())


def _entries(path: Path, table: str, read: Callable[[sqlite3.Row], T]) -> Iterator[T]:
    """The entries of a table that can be read, from its first on and from its last on: damage is in between."""
    for order in ("ASC", "DESC"):
        try:
            with closing(sqlite3.connect(path, timeout=60)) as db:
                db.row_factory = sqlite3.Row
                db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
                for record in db.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY rowid {order}"):
                    try:
                        for value in record:
                            if isinstance(value, str):
                                value.encode()
                        yield read(record)
                    except (ValueError, TypeError, LookupError) as error:
                        log.info("%s: an entry of %s: %s", path, table, error)
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:  # messages quote damaged text
            log.info("%s: %s", path, error)


def _complete(run: Path, rows: list[Row], videos: dict[str, VideoRecord]) -> list[Row]:
    """The rows without those of videos and clips of which some may be lost."""
    tracks, motions = defaultdict(set), defaultdict(set)
    for row in rows:
        if row.stage == "track":
            tracks[row.parent].add(row.id)
        elif row.stage == "build" and row.state == "done":
            motions[row.parent].add(row.id)
    of_video = {row.id: row for row in rows if row.stage == "extract"}
    lost = {
        video
        for video in of_video.keys() | tracks.keys()
        if video not in videos
        or video not in of_video
        or (of_video[video].state == "done" and len(tracks[video]) != of_video[video].measures.get("tracks"))
    }
    clips = {track for video, names in tracks.items() if video not in lost for track in names}
    files = defaultdict(set)
    for file in (run / "motion2d").glob("*.npz"):
        files[file.stem.rpartition("_")[0]].add(file.stem)
    built = {row.parent for row in rows if row.stage == "build"}
    partly = {clip for clip in built if clip not in clips or files[clip] != motions[clip]}
    whole = {motion for clip in built - partly for motion in motions[clip]}
    keeps: dict[str, Callable[[Row], bool]] = {
        "extract": lambda row: row.id not in lost,
        "track": lambda row: row.parent not in lost,
        "filter": lambda row: row.id in clips,
        "build": lambda row: row.parent not in partly,
        "pseudo": lambda row: row.id in whole,
    }
    return [row for row in rows if keeps[row.stage](row)]


def _labels(run: Path, known: set[str]) -> list[Row]:
    """Rows of labels that are lost, as their files have them; the next `pseudo-label` applies its limits to them."""
    rows = []
    for file in sorted(file for folder in _LABELS for file in (run / folder).glob("[!.]*.npz")):
        if file.stem in known:
            continue
        try:
            arrays = load_npz(file, [name for name in npz_names(file) if name != "features"])
            measures = {name: float(x.item()) for name, x in arrays.items() if name not in _NOT_MEASURED}
            key = str(arrays["key"].item())
        except (InputError, ValueError, KeyError) as error:
            log.info("%s: %s", file, error)
            continue
        rows.append(Row("pseudo", file.stem, "done", key, parent=file.stem.rpartition("_")[0], measures=measures))
    return rows
