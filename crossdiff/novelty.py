"""How far a prompt is from the captions that a model has learnt: novelty detection by the nearest neighbour.

Beside the weights, `captions.npz` holds sentence embeddings of the captions, so that nothing but the prompt is encoded
when a motion is sampled. They are of the embedded encoder, whichever encoder the model reads.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Int8
from numpy import ndarray

from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import load_npz, save_npz
from crossdiff.text import MINILM_SHA256, CachedEmbeddings, check_prompts, load_text_encoder

log = logging.getLogger(__name__)

EMBEDDINGS = "captions.npz"
# Cosine to the nearest caption below which a prompt is far from all; docs/model.md has the measurement.
LEAST_SIMILARITY = 0.55
# Captions whose embeddings are kept, 400 kB.
_MOST = 1024
_ENCODER = "minilm"
_DIM = 384
_SCALE = 127


@dataclass(frozen=True)
class FarPrompt:
    """A prompt that is unlike all captions of a model."""

    prompt: str
    similarity: float
    """Cosine to the embedding of the nearest caption."""
    nearest: tuple[str, ...]
    """The nearest captions, the nearest first."""

    def __str__(self) -> str:
        near = ", ".join(f'"{text}"' for text in self.nearest)
        return f'"{self.prompt}" is unlike what the model has learnt; the nearest captions: {near}'


def far_prompts(checkpoint: Path, prompts: Sequence[str], nearest: int = 2) -> list[FarPrompt]:
    """Find the prompts that are far from all captions of a checkpoint folder; each is listed once.

    nearest: number of nearest captions that are named with each prompt.
    Empty for a model that came without embeddings, or with those of another encoder. CheckpointError if they are there
    but not usable.
    """
    known = stored_embeddings(checkpoint)
    unique = list(dict.fromkeys(prompts))
    if not known or not unique:
        return []
    texts = list(known)
    rows = _unit(np.stack(list(known.values())).astype(np.float32))
    cosines = _unit(load_text_encoder(_ENCODER).encode(unique).numpy()) @ rows.T
    order = np.argsort(-cosines, axis=1)[:, :nearest]
    return [
        FarPrompt(prompt, float(row.max()), tuple(texts[i] for i in first))
        for prompt, row, first in zip(unique, cosines, order, strict=True)
        if row.max() < LEAST_SIMILARITY
    ]


def warn_of_far_prompts(checkpoint: Path, prompts: Sequence[str]) -> None:
    """Log a line for each prompt that is far from what the model has learnt; see `check_prompts` for errors."""
    for one in far_prompts(checkpoint, check_prompts(prompts)):
        log.warning("%s (see crossdiff models)", one)


def write_embeddings(folder: Path, captions: Sequence[str], known: Mapping[str, Int8[ndarray, " d"]]) -> None:
    """Write `captions.npz`: the embeddings of the captions, or of 1,024 that cover them; without captions remove it.

    captions: the most frequent first. known: embeddings that need not be computed, by caption.
    """
    if not captions:
        (folder / EMBEDDINGS).unlink(missing_ok=True)
        return
    rows = dict(known)
    if new := [text for text in captions if text not in known]:
        rows |= zip(new, _quantised(CachedEmbeddings(_ENCODER)(new, _DIM).numpy()), strict=True)
    table = np.stack([rows[text] for text in captions])
    kept = _cover(_unit(table.astype(np.float32)), _MOST)
    texts = np.array([captions[i] for i in kept])
    save_npz(folder / EMBEDDINGS, texts=texts, embeddings=table[kept], encoder=np.array(MINILM_SHA256))


def stored_embeddings(checkpoint: Path) -> dict[str, Int8[ndarray, " d"]]:
    """Embeddings by caption, each up to a factor; none without the file, or for one of another encoder.

    CheckpointError if the file is there but not usable.
    """
    path = checkpoint / EMBEDDINGS
    if not path.is_file():
        return {}
    try:
        z = load_npz(path, ("texts", "embeddings", "encoder"))
    except InputError as error:
        raise CheckpointError(f"{error}; delete it, or train the model again") from None
    texts, table = z["texts"], z["embeddings"]
    if texts.ndim != 1 or texts.dtype.kind != "U" or table.dtype != np.int8 or table.shape[:-1] != texts.shape:
        raise CheckpointError(
            f"{path}: expected texts (n,) and int8 embeddings (n, d), got {texts.shape} and {table.shape}; "
            "delete it, or train the model again"
        )
    return dict(zip(texts.tolist(), table, strict=True)) if str(z["encoder"]) == MINILM_SHA256 else {}


def _cover(rows: Float[ndarray, "n d"], most: int) -> Int[ndarray, " k"]:
    """Choose at most `most` unit rows by greedy k-centre (Gonzalez 1985), and return their indices in ascending order.

    It starts with the first row and adds the row that is farthest from all chosen ones until there are enough.
    """
    if len(rows) <= most:
        return np.arange(len(rows))
    chosen = [0]
    nearest = rows @ rows[0]
    while len(chosen) < most:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
    return np.sort(np.array(chosen))


def _unit(rows: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def _quantised(rows: Float[ndarray, "n d"]) -> Int8[ndarray, "n d"]:
    """Each row as integers of which the largest is 127; its length is lost."""
    largest = np.maximum(np.abs(rows).max(axis=-1, keepdims=True, initial=0), 1e-12)
    return np.round(rows * (_SCALE / largest)).astype(np.int8)
