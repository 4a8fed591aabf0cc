"""The captions that a model has learnt: `captions.json` beside its weights, and their embeddings in `captions.npz`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from crossdiff.config import Config
from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import read_json, write_json
from crossdiff.novelty import stored_embeddings, write_embeddings

CAPTIONS = "captions.json"

# Motion capture (or keyframes), which gives 3D motion; film, which gives 2D motion and pseudo labels.
Origin = Literal["capture", "film"]


class LearntCaption(Config):
    """A caption of the training clips."""

    text: str = Field(min_length=1)
    """The sentence."""
    clips: int = Field(ge=1)
    """Number of clips with this caption."""
    origin: Origin = "capture"
    """Where their motion comes from; capture, where both."""


_LIST = TypeAdapter(list[LearntCaption])


def learnt_captions(checkpoint: Path) -> list[LearntCaption]:
    """The captions in a checkpoint folder, the most frequent first; none for models that came without them.

    CheckpointError if the file is there but not usable.
    """
    path = checkpoint / CAPTIONS
    if not path.is_file():
        return []
    try:
        return _LIST.validate_python(read_json(path))
    except (InputError, ValidationError) as error:
        raise CheckpointError(
            f"{path}: not a list of captions ({str(error).splitlines()[0]}); delete it, or train the model again"
        ) from None


def write_learnt(folder: Path, captions: Iterable[LearntCaption], known: Path | None = None) -> None:
    """Write `captions.json`, the most frequent first, and their embeddings; nothing if they are there already.

    known: a checkpoint whose embeddings are taken for the captions that it shares.
    """
    ordered = sorted(captions, key=lambda one: (-one.clips, one.text))
    if _holds(folder, ordered):
        return
    write_json(folder / CAPTIONS, _LIST.dump_python(ordered))
    write_embeddings(folder, [one.text for one in ordered], {} if known is None else stored_embeddings(known))


def _holds(folder: Path, captions: list[LearntCaption]) -> bool:
    """Whether the folder has these captions with embeddings."""
    try:
        return learnt_captions(folder) == captions and bool(stored_embeddings(folder))
    except CheckpointError:
        return False


def count_captions(clips: Iterable[Iterable[str]], origin: Origin) -> list[LearntCaption]:
    """The captions of clips, each clip given by its captions; the empty one is none."""
    counts: dict[str, int] = {}
    for captions in clips:
        for text in {c for c in captions if c}:
            counts[text] = counts.get(text, 0) + 1
    return [LearntCaption(text=text, clips=count, origin=origin) for text, count in counts.items()]


def joined(*lists: Iterable[LearntCaption]) -> list[LearntCaption]:
    """One list of all captions: the largest count of each, as a continued training sees the same clips again."""
    found: dict[str, LearntCaption] = {}
    for one in (caption for captions in lists for caption in captions):
        other = found.setdefault(one.text, one)
        origin: Origin = "capture" if "capture" in (one.origin, other.origin) else "film"
        found[one.text] = LearntCaption(text=one.text, clips=max(one.clips, other.clips), origin=origin)
    return list(found.values())
