"""Captions as T2M's text encoder reads them: word vectors and classes of words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.captions import Caption
from crossdiff.errors import InputError
from crossdiff.files import load_npz
from crossdiff.text import MiniLMEncoder, load_text_encoder

MOST_TOKENS = 20
_START, _END, _UNKNOWN = "sos", "eos", "unk"
_SPECIAL = (_START, _END, _UNKNOWN)
_CLASSES = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip
NUM_CLASSES = len(_CLASSES)
# Words that T2M puts in special classes, whatever their part of speech.
_LISTS = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise "
    "wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_OF_WORD = {word: name for name, words in _LISTS.items() for word in words.split()}


class WordVectors(Protocol):
    """Vectors by word."""

    name: str
    """Source of the vectors."""
    dim: int
    fingerprint: str
    """Hash of the vectors."""

    def __call__(self, word: str) -> Float[ndarray, " w"] | None:
        """The word's vector; None if it is unknown."""
        ...


class TableVectors:
    """Vectors of a table, such as GloVe's."""

    def __init__(self, name: str, words: Sequence[str], vectors: Float[ndarray, "n w"]) -> None:
        if vectors.ndim != 2 or len(words) != len(vectors) or not len(words):
            raise InputError(f"{name}: expected a vector per word, got {len(words)} words and shape {vectors.shape}")
        self.name, self.dim = name, vectors.shape[1]
        self.words, self.vectors = list(words), vectors.astype(np.float32)
        self._row = {word: i for i, word in enumerate(self.words)}
        digest = hashlib.sha256("\n".join(self.words).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        self.fingerprint = digest.hexdigest()[:16]

    def __call__(self, word: str) -> Float[ndarray, " w"] | None:
        row = self._row.get(word)
        return None if row is None else self.vectors[row]

    def only(self, wanted: Iterable[str]) -> TableVectors:
        """The table reduced to the wanted words that it has, and the start, end and unknown words."""
        kept = [w for w in sorted({*wanted, *_SPECIAL}) if w in self._row]
        return TableVectors(self.name, kept, self.vectors[[self._row[w] for w in kept]])


class MiniLMVectors:
    """Input embeddings of the packaged sentence model, averaged over the pieces of a word."""

    name = "minilm-tokens"

    def __init__(self) -> None:
        encoder: Any = load_text_encoder("minilm")
        assert isinstance(encoder, MiniLMEncoder)
        self.dim, self.fingerprint = encoder.dim, encoder.fingerprint[:16]
        self._encoder = encoder
        self._known: dict[str, ndarray] = {}

    def __call__(self, word: str) -> Float[ndarray, " w"] | None:
        if word not in self._known:
            self._known[word] = self._encoder.word_vector(word, dict(zip(_SPECIAL, ("cls", "sep", "unk"), strict=True)))
        return self._known[word]


def load_word_vectors(source: Path | None, wanted: Iterable[str] = ()) -> WordVectors:
    """Word vectors of a GloVe text file (`word v1 v2 ...` per line) or an npz; without a source, the embedded ones.

    An npz holds `words` (n,) and `vectors` (n, w).
    wanted: words that are read from a text file; the others are skipped.
    Raises InputError for other files, such as T2M's pickled vocabulary.
    """
    if source is None:
        return MiniLMVectors()
    if source.suffix == ".pkl" or (source.is_dir() and any(source.glob("*.pkl"))):
        raise InputError(
            f"{source}: is T2M's vocabulary, a pickle, which is not read because that can run code; if "
            'you trust it, convert it to an npz: python -c "import numpy, pickle; '
            "rows = pickle.load(open('our_vab_idx.pkl', 'rb')); "
            "numpy.savez('words.npz', words=numpy.array(list(rows)), "
            "vectors=numpy.load('our_vab_data.npy')[list(rows.values())])\""
        )
    if source.suffix == ".npz":
        z = load_npz(source, ("words", "vectors"))
        return _complete(TableVectors(source.name, [str(w) for w in z["words"]], z["vectors"]))
    return _complete(_read_glove(source, {*wanted, *_SPECIAL}))


def _read_glove(path: Path, wanted: set[str]) -> TableVectors:
    words: list[str] = []
    rows: list[ndarray] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, _, rest = line.rstrip().partition(" ")
                if word not in wanted:
                    continue
                row = np.array([float(v) for v in rest.split()], dtype=np.float32)
                if rows and len(row) != len(rows[0]):
                    raise InputError(f"{path}, line {number}: expected {len(rows[0])} values, got {len(row)}")
                words.append(word)
                rows.append(row)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not word vectors in text, `word v1 v2 ...` per line ({error})") from None
    if not rows or not len(rows[0]):
        raise InputError(
            f"{path}: holds none of the dataset's words; give GloVe's text file, such as glove.6B.300d.txt"
        )
    return TableVectors(path.name, words, np.stack(rows))


def _complete(table: TableVectors) -> TableVectors:
    """Add small, fixed vectors for the start, end and unknown words if the table lacks them."""
    missing = [w for w in _SPECIAL if table(w) is None]
    rng = np.random.default_rng(0)
    vectors = 0.1 * rng.standard_normal((len(missing), table.dim)).astype(np.float32)
    return TableVectors(table.name, [*table.words, *missing], np.concatenate([table.vectors, vectors]))


class WordBatch(NamedTuple):
    """words (B, S, W), classes (B, S, 15) one-hot, lengths (B,): tokens with start and end."""

    words: torch.Tensor
    classes: torch.Tensor
    lengths: torch.Tensor


def caption_words(caption: Caption) -> list[tuple[str, str]]:
    """(word, part of speech) of a caption's tokens; without tokens, the words of its text, as OTHER."""
    tokens = caption.tokens.split() or [f"{w}/OTHER" for w in re.findall(r"[\w']+", caption.text.lower())]
    pairs = [token.rpartition("/") for token in tokens]
    return [(word, tag) if slash else (tag, "OTHER") for word, slash, tag in pairs]


def word_batch(captions: Sequence[Caption], vectors: WordVectors) -> WordBatch:
    """Captions in T2M's format: `sos`, at most 20 tokens, `eos`, padded with `unk` to the longest of the batch."""
    rows = [[(_START, "OTHER"), *caption_words(c)[:MOST_TOKENS], (_END, "OTHER")] for c in captions]
    longest = max(len(row) for row in rows)
    unknown = vectors(_UNKNOWN)
    assert unknown is not None
    words = np.tile(unknown, (len(rows), longest, 1))
    classes = np.zeros((len(rows), longest, NUM_CLASSES), dtype=np.float32)
    classes[:, :, -1] = 1
    for i, row in enumerate(rows):
        for j, (word, tag) in enumerate(row):
            vector = vectors(word)
            if vector is None:
                continue
            words[i, j] = vector
            name = _OF_WORD.get(word, tag)
            classes[i, j] = 0
            classes[i, j, _CLASSES.index(name) if name in _CLASSES else -1] = 1
    lengths = torch.tensor([len(row) for row in rows])
    return WordBatch(torch.from_numpy(words), torch.from_numpy(classes), lengths)
