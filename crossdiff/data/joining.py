"""Several sources of motion that become one dataset: clips left out by name, distinct ids, further captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from crossdiff.data.clip_names import dataset_names
from crossdiff.data.companions import read_caption_json
from crossdiff.data.published import PublishedFolder
from crossdiff.data.sources import RawSource
from crossdiff.data.tally import LeftOut
from crossdiff.errors import InputError
from crossdiff.wording import counted


@dataclass(frozen=True)
class JoinedSources:
    """Sources whose clips have different ids. left_out: clips that a pattern excludes, captions without a clip."""

    sources: list[RawSource | PublishedFolder]
    left_out: list[LeftOut]

    @property
    def raw(self) -> list[RawSource]:
        return [source for source in self.sources if isinstance(source, RawSource)]

    @property
    def ids(self) -> set[str]:
        return {clip_id for source in self.sources for clip_id in source.ids}

    @property
    def names(self) -> list[str]:
        """Names of all clips in the dataset, without windows and mirrored copies."""
        return [n for s in self.sources for n in ([c.name for c in s.clips] if isinstance(s, RawSource) else s.ids)]


def join_sources(
    opened: Sequence[tuple[Path, RawSource | PublishedFolder]],
    exclude: Sequence[str] = (),
    captions: Path | None = None,
) -> JoinedSources:
    """Leave out the clips whose ids match a pattern of `exclude`, and add captions from a JSON file.

    opened: sources with their paths. Raises InputError for a pattern that matches nothing, a clip id that two sources
    have, and a caption file that names no clip.
    """
    excluded = _excluded({clip_id for _, source in opened for clip_id in source.ids}, exclude)
    sources = [_without(source, excluded) for _, source in opened]
    _check_distinct([path for path, _ in opened], sources)
    left_out = [LeftOut(clip_id, "excluded", pattern) for clip_id, pattern in excluded.items()]
    joined = JoinedSources(sources, left_out)
    if captions is not None:
        joined = _with_captions(joined, captions, excluded)
    return joined if len(sources) == 1 else _renamed(joined)


def _excluded(ids: set[str], patterns: Sequence[str]) -> dict[str, str]:
    """Clip id -> the pattern that excludes it; a mirrored copy, MID, goes with its clip, ID."""
    found: dict[str, str] = {}
    for pattern in patterns:
        matching = {i for i in ids if fnmatchcase(i, pattern)}
        if not matching:
            raise InputError(f"--exclude {pattern!r}: no clip has such an id; {_examples(ids)}; correct the pattern")
        matching |= {f"M{i}" for i in matching} & ids
        found |= dict.fromkeys(sorted(matching), pattern)
    return found


def _examples(ids: set[str]) -> str:
    return f"ids are such as {', '.join(sorted(ids)[:3])}" if ids else "the sources hold no clips"


def _without(source: RawSource | PublishedFolder, excluded: Mapping[str, str]) -> RawSource | PublishedFolder:
    if not excluded:
        return source
    splits = {clip_id: split for clip_id, split in source.splits.items() if clip_id not in excluded}
    if isinstance(source, RawSource):
        return replace(source, clips=[clip for clip in source.clips if clip.id not in excluded], splits=splits)
    return replace(source, ids=[i for i in source.ids if i not in excluded], splits=splits)


def _check_distinct(paths: Sequence[Path], sources: Sequence[RawSource | PublishedFolder]) -> None:
    homes: dict[str, int] = {}
    shared: list[tuple[str, int, int]] = []
    for number, source in enumerate(sources):
        for clip_id in source.ids:
            if (home := homes.setdefault(clip_id, number)) != number:
                shared.append((clip_id, home, number))
    if shared:
        clip_id, first, second = shared[0]
        raise InputError(
            f"{counted(len(shared), 'clip id')} in more than one source, such as {clip_id} in {paths[first]} and in "
            f"{paths[second]}; rename one of the clips, or leave both out with --exclude '{clip_id}'"
        )


def _with_captions(joined: JoinedSources, path: Path, excluded: Mapping[str, str]) -> JoinedSources:
    """Captions of a file, after those that a clip has; a mirrored copy that is yet to be made may have its own."""
    added = read_caption_json(path)
    known = joined.ids | {f"M{clip_id}" for clip_id in joined.ids}
    if not known & added.keys():
        raise InputError(f"{path}: none of its {len(added)} clip ids is in the sources; {_examples(joined.ids)}")
    sources = [_with_texts(source, added) for source in joined.sources]
    unknown = [i for i in added if i not in known and i not in excluded and i.removeprefix("M") not in excluded]
    return JoinedSources(
        sources, [*joined.left_out, *(LeftOut(i, "captions without a clip", str(path)) for i in unknown)]
    )


def _with_texts(source: RawSource | PublishedFolder, added: Mapping[str, list[str]]) -> RawSource | PublishedFolder:
    own = set(source.ids)
    texts = dict(source.texts)
    for clip_id, lines in added.items():
        if clip_id in own or clip_id.removeprefix("M") in own:
            texts[clip_id] = [*texts.get(clip_id, []), *lines]
    return replace(source, texts=texts)


def _renamed(joined: JoinedSources) -> JoinedSources:
    """Names that are unique in all sources; a listed clip without motion may be in another source."""
    everything = joined.ids
    published = [i for source in joined.sources if isinstance(source, PublishedFolder) for i in source.ids]
    raw = [clip_id for source in joined.raw for clip_id in source.ids]
    names = dict(zip(raw, dataset_names([*published, *raw])[len(published) :], strict=True))
    sources: list[RawSource | PublishedFolder] = []
    for source in joined.sources:
        if isinstance(source, RawSource):
            clips = [replace(clip, name=names[clip.id]) for clip in source.clips]
            absent = [i for i in source.absent if i not in everything and i.removeprefix("M") not in everything]
            source = replace(source, clips=clips, absent=absent)
        sources.append(source)
    return replace(joined, sources=sources)
