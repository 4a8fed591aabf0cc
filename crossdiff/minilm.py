"""The network and the tokenizer of all-MiniLM-L6-v2, a BERT of six layers, without the seconds that transformers takes
to import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

_HEADS = 12
_EPS = 1e-12
_PADDING = "[PAD]"


class MiniLM:
    """Hidden states of the last layer for each token, on the CPU."""

    def __init__(self, folder: Path) -> None:
        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._padding = self.token_id(_PADDING)
        self._layers = len({name.split(".")[2] for name in self._weights if name.startswith("encoder.layer.")})
        self.max_tokens = len(self._weights["embeddings.position_embeddings.weight"])
        """Tokens that are read, with those of start and end."""
        self.word_table: Float[Tensor, "v d"] = self._weights["embeddings.word_embeddings.weight"]
        """Input embedding of each token."""

    @property
    def dim(self) -> int:
        return self.word_table.shape[1]

    def token_id(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise KeyError(token)
        return number

    def pieces(self, text: str) -> list[int]:
        """Numbers of the text's tokens, without start and end."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    @torch.no_grad()
    def hidden(self, texts: Sequence[str]) -> list[Float[Tensor, "l d"]]:
        """One row per token, start and end included; longer texts are truncated."""
        tokens = [self._truncate(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
        lengths = [len(ids) for ids in tokens]
        ids = torch.full((len(tokens), max(lengths, default=0)), self._padding)
        for row, numbers in zip(ids, tokens, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        mask = torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]
        return [rows[:n] for rows, n in zip(self._forward(ids, mask), lengths, strict=True)]

    def _truncate(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]

    def _forward(self, ids: Tensor, mask: Tensor) -> Float[Tensor, "b t d"]:
        """Devlin et al. 2019; normalised after each block, as in Vaswani et al. 2017."""
        # All tokens are of the first of BERT's two segments.
        x = self.word_table[ids] + self._weights["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x + self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings")
        attended = None if bool(mask.all()) else mask[:, None, None]
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            query, key, value = (
                self._linear(x, f"{layer}.attention.self.{part}").unflatten(-1, (_HEADS, -1)).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = functional.scaled_dot_product_attention(query, key, value, attended).transpose(1, 2).flatten(2)
            x = self._norm(self._linear(seen, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output")
            wide = functional.gelu(self._linear(x, f"{layer}.intermediate.dense"))
            x = self._norm(self._linear(wide, f"{layer}.output.dense") + x, f"{layer}.output")
        return x

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        scale, shift = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(x, scale.shape, scale, shift, _EPS)
