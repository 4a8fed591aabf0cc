"""The outcome of every input of a pipeline run: one row per stage and item, in SQLite."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from crossdiff.annotations.captions import VideoCaption
from crossdiff.errors import InputError
from crossdiff.moved import moved_names
from crossdiff.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
else:
    __getattr__ = moved_names(__name__)

Stage = Literal["extract", "track", "filter", "build", "pseudo"]
State = Literal["done", "filtered", "failed", "quarantined"]

_TABLES = """
CREATE TABLE IF NOT EXISTS rows (
    stage TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, state TEXT NOT NULL, key TEXT NOT NULL,
    reason TEXT, value REAL, threshold REAL, attempts INTEGER NOT NULL, measures TEXT NOT NULL, updated TEXT NOT NULL,
    PRIMARY KEY (stage, id)
);
CREATE INDEX IF NOT EXISTS by_parent ON rows (stage, parent);
CREATE TABLE IF NOT EXISTS videos (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, content TEXT NOT NULL, label TEXT NOT NULL, captions TEXT NOT NULL,
    stamp TEXT NOT NULL
);
"""
_NAMES = ("rows", "videos")
_COLUMNS = ("stage", "id", "parent", "state", "key", "reason", "value", "threshold", "attempts", "measures")


@dataclass(frozen=True)
class Row:
    """The outcome of one item in one stage."""

    stage: Stage
    """`extract` is about videos, `track` and `filter` about clips, `build` and `pseudo` about motions."""
    id: str
    state: State
    key: str
    """Hash of the content and configuration behind the row; an item with the same key is up to date."""
    parent: str = ""
    """Video of a clip, clip of a motion."""
    reason: str | None = None
    """Why it was filtered, the error that it failed with, or how it ended the processes that worked on it."""
    value: float | None = None
    """The value that violated a limit."""
    threshold: float | None = None
    """The limit that was violated."""
    measures: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    """Number of times that it was tried."""

    def __post_init__(self) -> None:
        if self.stage not in get_args(Stage) or self.state not in get_args(State):
            raise ValueError(f"ledger row: no stage {self.stage!r} with state {self.state!r}")
        if (self.state == "done") != (self.reason is None):
            raise ValueError(f"ledger row {self.id!r}: {self.state} with reason {self.reason!r}")
        if self.reason is not None:  # it may name a file
            object.__setattr__(self, "reason", one_line(self.reason))


@dataclass(frozen=True)
class VideoRecord:
    """A video of a run, or a file of imported keypoints."""

    id: str
    path: Path
    content: str
    """sha256 of the file; empty if it could not be read."""
    label: str
    captions: tuple[VideoCaption, ...]
    stamp: str = ""
    """Size and modification time of the file when it was hashed; an untouched file is not read again."""

    @property
    def is_imported(self) -> bool:
        """True for imported keypoints without a video; path is then the file of keypoints."""
        return self.path.suffix == ".npz"


def stage_named(name: str) -> Stage:
    for stage in get_args(Stage):
        if stage == name:
            return stage
    raise InputError(f"no stage {name!r}; expected one of {', '.join(get_args(Stage))}")


def key_of(*parts: object) -> str:
    """Hash of JSON-like parts; equal parts have equal keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _captions(text: str) -> tuple[VideoCaption, ...]:
    """Captions from JSON; older runs hold sentences without times."""
    return tuple(VideoCaption(c) if isinstance(c, str) else VideoCaption(*c) for c in json.loads(text))


def _stored(path: Path) -> str | bytes:
    """A path as SQLite can store it: bytes if it is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)


def row_of(record: sqlite3.Row) -> Row:
    """A row as it is stored; ValueError, TypeError or LookupError where it is damaged."""
    row = Row(**{n: record[n] for n in _COLUMNS[:-1]}, measures=json.loads(record["measures"]))
    numbers = (row.value, row.threshold)
    if not all(isinstance(text, str) for text in (row.id, row.key, row.parent)) or not isinstance(row.measures, dict):
        raise ValueError(f"{row.id!r} holds values of other types")
    if not isinstance(row.attempts, int) or not all(n is None or isinstance(n, int | float) for n in numbers):
        raise ValueError(f"{row.id!r} holds text where a number should be")
    return row


def video_of(record: sqlite3.Row) -> VideoRecord:
    """A video as it is stored; ValueError, TypeError or LookupError where it is damaged."""
    texts = [record[name] for name in ("id", "content", "label", "stamp")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{texts[0]!r} holds values of other types")
    return VideoRecord(
        id=record["id"],
        path=Path(os.fsdecode(record["path"])),
        content=record["content"],
        label=record["label"],
        captions=_captions(record["captions"]),
        stamp=record["stamp"],
    )


class DamagedLedger(InputError):
    """A ledger whose file was changed by something else; `reason` says where."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: damaged ({one_line(reason)}); run the same command again, which rebuilds it")
        self.reason = one_line(reason)


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """Errors of the database as damage, as errors of the disk, or as a line about the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedLedger(path, f"text that is not UTF-8: {error}") from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        kind = sqlite3.SQLITE_CORRUPT if code is None else code & 0xFF
        if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            number = errno.ENOSPC if kind == sqlite3.SQLITE_FULL else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from None
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise InputError(f"{path}: another process is writing to it; wait for it, then run this again") from None
        if kind in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and not _is_writable(path):
            raise OSError(errno.EACCES, str(error), str(path)) from None
        raise DamagedLedger(path, str(error)) from None


def _is_writable(path: Path) -> bool:
    """A header that is damaged can make a file that is writable look as if it were not."""
    return os.access(path if path.exists() else path.parent, os.W_OK) and os.access(path.parent, os.W_OK)


class Ledger:
    """The rows of one run. A stage writes its files before its rows, so that `done` means that the files exist."""

    def __init__(self, path: Path) -> None:
        """Open or make a ledger; a damaged one is rebuilt from what it and the run's files still hold.

        InputError if it is of another version, or if nothing in it can be read.
        """
        self.path = path
        try:
            self._prepare()
            return
        except DamagedLedger as error:
            damage = error
        from crossdiff.pipeline.ledger_repair import rebuild  # which makes a new ledger

        rebuild(path, damage.reason)

    def _prepare(self) -> None:
        """Make missing tables, and check everything that is there."""
        with suppress(FileNotFoundError), self.path.open("rb") as handle:
            if (head := handle.read(100)) and head[18:19] not in (b"\x01", b"\x02"):
                raise DamagedLedger(self.path, "its header says that it cannot be written")
        with self._transaction() as db:
            problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if problem != "ok":
                raise DamagedLedger(self.path, problem)
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            db.executescript(_TABLES)
            try:
                # Raises if a column is missing: the run was made by another version of this program.
                db.execute(f"SELECT {', '.join(_COLUMNS)} FROM rows LIMIT 0")
                db.execute("SELECT id, path, content, label, captions, stamp FROM videos LIMIT 0")
            except sqlite3.OperationalError as error:
                raise InputError(
                    f"{self.path}: not a ledger that this version can use ({error}); restore it, "
                    "or start a new run with --out"
                ) from None
            if unknown := names - {"rows", "videos", "by_parent"} - {f"sqlite_autoindex_{t}_1" for t in _NAMES}:
                raise DamagedLedger(self.path, f"unknown table {min(unknown)}")
            for table, read in (("rows", row_of), ("videos", video_of)):
                for record in db.execute(f"SELECT * FROM {table}"):
                    try:
                        read(record)
                    except (ValueError, TypeError, LookupError) as error:
                        raise DamagedLedger(self.path, f"an entry of {table}: {error}") from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _sqlite_errors(self.path), closing(sqlite3.connect(self.path, timeout=60)) as db:
            db.row_factory = sqlite3.Row
            with db:
                yield db

    def put(self, rows: Iterable[Row], replace: tuple[Stage, Sequence[str]] | None = None) -> None:
        """Write rows in one transaction; `replace=(stage, parents)` first drops those parents' rows of the stage."""
        with self._transaction() as db:
            if replace:
                stage, parents = replace
                db.executemany("DELETE FROM rows WHERE stage = ? AND parent = ?", [(stage, p) for p in parents])
            for row in rows:
                values = [getattr(row, name) for name in _COLUMNS[:-1]] + [json.dumps(dict(row.measures))]
                marks = ", ".join("?" * len(values))
                names = ", ".join(_COLUMNS)
                db.execute(f"INSERT OR REPLACE INTO rows ({names}, updated) VALUES ({marks}, datetime('now'))", values)

    def drop(self, stage: Stage, ids: Iterable[str]) -> None:
        with self._transaction() as db:
            db.executemany("DELETE FROM rows WHERE stage = ? AND id = ?", [(stage, i) for i in ids])

    def rows(
        self, stage: Stage, state: State | None = None, id: str | None = None, parent: str | None = None
    ) -> list[Row]:
        """The rows of a stage, ordered by id."""
        wanted = {"stage": stage, "state": state, "id": id, "parent": parent}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in given)
        with self._transaction() as db:
            records = db.execute(f"SELECT * FROM rows WHERE {where} ORDER BY id", given).fetchall()
        return [row_of(record) for record in records]

    def holds(self, stage: Stage) -> bool:
        """Whether a stage has any rows."""
        with self._transaction() as db:
            return db.execute("SELECT 1 FROM rows WHERE stage = ? LIMIT 1", (stage,)).fetchone() is not None

    def get(self, stage: Stage, id: str) -> Row | None:
        return next(iter(self.rows(stage, id=id)), None)

    def put_video(self, video: VideoRecord) -> None:
        self.put_videos([video])

    def put_videos(self, videos: Iterable[VideoRecord]) -> None:
        """Write videos in one transaction."""
        values = [(v.id, _stored(v.path), v.content, v.label, json.dumps(v.captions), v.stamp) for v in videos]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?, ?)", values)

    def videos(self) -> dict[str, VideoRecord]:
        """Every video by its id."""
        with self._transaction() as db:
            records = db.execute("SELECT * FROM videos ORDER BY id").fetchall()
        return {record["id"]: video_of(record) for record in records}

    def table(self, stage: Stage) -> pd.DataFrame:
        """A stage's rows as a table, one column per measure."""
        import pandas as pd

        plain = ("id", "parent", "state", "reason", "value", "threshold", "attempts")
        rows = [{name: getattr(row, name) for name in plain} | dict(row.measures) for row in self.rows(stage)]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(plain))

    def counts(self) -> pd.DataFrame:
        """Numbers of items by stage, state and reason, with the largest number of attempts.

        Damaged videos that were used are counted separately.
        """
        import pandas as pd

        damaged = "state = 'done' AND json_extract(measures, '$.decoded') < 1"
        with self._transaction() as db:
            records = db.execute(
                f"SELECT stage, state, CASE WHEN {damaged} THEN 'damaged in part' ELSE coalesce(reason, '') END AS why,"
                " count(*) AS items, max(attempts) AS attempts"
                " FROM rows GROUP BY stage, state, why ORDER BY state, items DESC"
            ).fetchall()
        rows = sorted((tuple(r) for r in records), key=lambda row: get_args(Stage).index(row[0]))
        return pd.DataFrame(rows, columns=["stage", "state", "reason", "items", "attempts"])
