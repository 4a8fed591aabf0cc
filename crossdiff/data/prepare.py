"""Raw motion, or published features -> a HumanML3D folder: features, captions, splits, statistics, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from crossdiff.config import Config
from crossdiff.data.bvh import JointMap
from crossdiff.data.companions import SPLITS
from crossdiff.data.conversion import ClipConverter, drawn_split
from crossdiff.data.joining import JoinedSources, join_sources
from crossdiff.data.plausible import FRAME_RATES
from crossdiff.data.published import PublishedFolder
from crossdiff.data.sources import RawSource, open_source
from crossdiff.data.tally import ClipResult, LeftOut, PrepareSummary, Tally
from crossdiff.errors import ConfigError, InputError
from crossdiff.progress import track
from crossdiff.representation.layouts import Layout2D
from crossdiff.skeleton import SKELETONS, Skeleton

T = TypeVar("T")
# Half of the time goes by waiting for files to be synced; the rest mostly runs without Python's lock.
_THREADS = 4
_CHUNK = 64


class PrepareConfig(Config):
    """How motion becomes a dataset. null: as the source says, else the skeleton's default."""

    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    """Skeleton of the dataset."""
    layout_2d: Layout2D = "paper"
    """Layout of the 2D features, as the model will read them."""
    fps: float | None = Field(None, gt=FRAME_RATES[0], le=FRAME_RATES[1])
    """Frame rate of the source."""
    metres_per_unit: float | None = Field(None, ge=1e-6, le=1e6)
    """Unit of length of joint arrays, in metres."""
    min_frames: int | None = Field(None, ge=2)
    """Fewest feature frames of a clip, after resampling."""
    max_frames: int = Field(199, ge=2)
    """Most feature frames of a clip."""
    long_clips: Literal["windows", "crop"] = "windows"
    """What longer clips become: `windows` of equal length, ID_w0, ID_w1, ...; or their first frames (`crop`)."""
    retarget: bool = True
    """Scale every body to the skeleton's target body."""
    mirror: bool = True
    """Add a mirrored copy of every clip."""
    describe: bool = False
    """Add captions of what the joints of training clips show, with side and time, such as kicks and lifted knees; and
    motion on the spot, made of every eighth training clip in which somebody walks or runs ahead."""
    parity: bool = False
    """Keep HumanML3D's flaw in the yaw velocity; see `joints_to_features_3d`."""
    val_share: float = Field(0.05, ge=0, lt=1)
    """Fraction of the clips for validation, where the source has no splits."""
    test_share: float = Field(0.15, ge=0, lt=1)
    """Fraction of the clips for testing, where the source has no splits."""
    exclude: tuple[str, ...] = ()
    """Clips to leave out: patterns of their ids, such as `walk_*` (`*`, `?` and `[...]` as in file names)."""
    max_bad_share: float = Field(0.05, ge=0, le=1)
    """Fraction of broken clips, or unreadable caption lines, above which they are an error; the rest is prepared."""


def prepare(
    source: Path | Sequence[Path],
    out: Path,
    cfg: PrepareConfig | None = None,
    joint_map: JointMap | None = None,
    body_models: Path | None = None,
    index: Path | None = None,
    captions: Path | None = None,
) -> PrepareSummary:
    """Write `new_joints/`, `new_joint_vecs/`, `texts/`, split lists, `Mean.npy`, `Std.npy` (3D), `Mean2d.npy`, ...

    source: one or several, of any kinds, whose clips have different ids. captions: JSON `{clip id: [sentences]}` that
    adds to their captions.
    Published features (`new_joint_vecs/` in the source) are kept; other motions are converted. Without any caption
    files, clips have no captions and train the null condition. Statistics are those of the training split; for 2D
    features, of its four orthographic side views. Omitted clips and captions are listed in `left_out.csv` with reasons;
    where too many are broken, the summary's `raise_failures` raises PartialFailure. InputError without training clips.
    """
    cfg = cfg or PrepareConfig()
    paths = [source] if isinstance(source, Path) else list(source)
    for path in paths:
        _check_apart(path, out)
    opened = [(path, PublishedFolder.find(path) or open_source(path, joint_map, body_models, index)) for path in paths]
    skeleton = _skeleton(opened, cfg, joint_map)
    joined = join_sources(opened, cfg.exclude, captions)
    only = joined.sources[0] if len(joined.sources) == 1 and not cfg.exclude else None
    statistics = only.statistics() if isinstance(only, PublishedFolder) else None
    tally = Tally(skeleton, cfg.layout_2d)
    tally.left_out += joined.left_out
    for one in joined.sources:
        for result in _unlisted(one):
            tally.add(result)
    _begin(out)
    for one in joined.sources:
        if isinstance(one, RawSource):
            results = _in_threads(ClipConverter(one, out, skeleton, cfg, joined.names, joined.ids), one.clips)
        else:
            results = _take_over(one, out, cfg)
        for outcome in results:
            tally.add(outcome)
    tally.check()
    kinds = ", ".join(dict.fromkeys(one.kind for one in joined.sources))
    return tally.finish(out, cfg.max_bad_share, statistics, source=kinds, config=_record(cfg, skeleton, joined))


def _check_apart(source: Path, out: Path) -> None:
    if out.resolve() == (source if source.is_dir() else source.parent).resolve():
        raise InputError(f"{out}: is the source; name another folder with --out (published arrays are hard-linked)")


def _skeleton(
    opened: Sequence[tuple[Path, RawSource | PublishedFolder]], cfg: PrepareConfig, joint_map: JointMap | None
) -> Skeleton:
    """The skeleton of all sources: published features have their own, other motions that of the settings."""
    named = {path: one.skeleton.name if isinstance(one, PublishedFolder) else cfg.skeleton for path, one in opened}
    if len(set(named.values())) > 1:
        said = ", ".join(f"{path}: {name}" for path, name in named.items())
        raise InputError(f"sources: have different skeletons ({said}); prepare those of each skeleton apart")
    name = next(iter(named.values()))
    if joint_map is not None and joint_map.skeleton != name and any(isinstance(one, RawSource) for _, one in opened):
        raise ConfigError(f"joint map: for {joint_map.skeleton}, but the dataset is to be {name}; set skeleton")
    return SKELETONS[name]


def _unlisted(source: RawSource | PublishedFolder) -> Iterator[ClipResult]:
    """Rows of clips without a motion, and of published motions that no list names."""
    if isinstance(source, RawSource):
        for clip_id in source.absent:
            yield ClipResult(left_out=[LeftOut(clip_id, "listed, but without a motion", broken=True)])
    elif source.splits:
        for clip_id in source.ids:
            if clip_id not in source.splits:
                yield ClipResult(left_out=[LeftOut(clip_id, "in no split list")])


def _take_over(published: PublishedFolder, out: Path, cfg: PrepareConfig) -> Iterator[ClipResult]:
    min_frames = cfg.min_frames or published.skeleton.min_frames
    splits = published.splits or {i: drawn_split(i, cfg) for i in published.ids}

    def place(clip_id: str) -> ClipResult:
        return published.place(clip_id, splits[clip_id], out, min_frames, cfg.max_frames)

    return _in_threads(place, list(splits))


def _record(cfg: PrepareConfig, skeleton: Skeleton, joined: JoinedSources) -> dict[str, Any]:
    """The settings that the dataset was made with; published features are neither mirrored nor scaled."""
    record = cfg.model_dump() | {"skeleton": skeleton.name}
    return record if joined.raw else record | {"mirror": False, "retarget": False}


def _begin(out: Path) -> None:
    """Delete the lists of an existing dataset, so that it is not read while its arrays are replaced."""
    for name in ("dataset.json", *(f"{split}.txt" for split in SPLITS)):
        (out / name).unlink(missing_ok=True)


def _in_threads(work: Callable[[T], ClipResult], items: Sequence[T]) -> Iterator[ClipResult]:
    """Results in the order of the items, with a progress bar; in chunks, to bound the memory."""
    with ThreadPoolExecutor(_THREADS) as pool:
        chunks = (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))
        yield from track((outcome for chunk in chunks for outcome in pool.map(work, chunk)), "prepare", len(items))
