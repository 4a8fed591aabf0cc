"""Networks of the evaluators: T2M's (Guo et al., CVPR 2022), as in the released files, and transformers like TMR's."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

# Frames per step of the movement encoder's output.
FRAMES_PER_STEP = 4
_SLOPE = 0.2


def _strided(conv: type[nn.Conv1d] | type[nn.ConvTranspose1d], source: int, target: int) -> nn.Module:
    return conv(source, target, kernel_size=4, stride=2, padding=1)


class MovementEncoder(nn.Module):
    """(B, T, D) without contacts -> (B, T / 4, latent)."""

    def __init__(self, source: int, width: int, latent: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            _strided(nn.Conv1d, source, width), nn.Dropout(0.2), nn.LeakyReLU(_SLOPE),
            _strided(nn.Conv1d, width, latent), nn.Dropout(0.2), nn.LeakyReLU(_SLOPE),
        )  # fmt: skip
        self.out_net = nn.Linear(latent, latent)

    def forward(self, motion: Float[Tensor, "b t d"]) -> Float[Tensor, "b t4 l"]:
        return self.out_net(self.main(motion.transpose(1, 2)).transpose(1, 2))


class MovementDecoder(nn.Module):
    """(B, T / 4, latent) -> (B, T, D); only needed to train the encoder."""

    def __init__(self, latent: int, width: int, target: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            _strided(nn.ConvTranspose1d, latent, width), nn.LeakyReLU(_SLOPE),
            _strided(nn.ConvTranspose1d, width, target), nn.LeakyReLU(_SLOPE),
        )  # fmt: skip
        self.out_net = nn.Linear(target, target)

    def forward(self, latent: Float[Tensor, "b t4 l"]) -> Float[Tensor, "b t d"]:
        return self.out_net(self.main(latent.transpose(1, 2)).transpose(1, 2))


class RecurrentEncoder(nn.Module):
    """Encodes a sequence as one vector: linear layer, bidirectional GRU with a learned initial state, output MLP.

    width: of the GRU, per direction.
    hidden: width of the MLP.
    """

    def __init__(self, source: int, width: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(source, width)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * width, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(_SLOPE), nn.Linear(hidden, dim)
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, width))

    def forward(self, x: Float[Tensor, "b s d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b e"]:
        packed = pack_padded_sequence(self.input_emb(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, self.hidden.expand(-1, len(x), -1).contiguous())
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class RecurrentTextEncoder(RecurrentEncoder):
    """Encodes word vectors and one-hot parts of speech as one vector."""

    def __init__(self, word_dim: int, num_classes: int, width: int, dim: int) -> None:
        super().__init__(word_dim, width, width, dim)
        self.pos_emb = nn.Linear(num_classes, word_dim)

    def encode(
        self, words: Float[Tensor, "b s w"], classes: Float[Tensor, "b s c"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b e"]:
        return self(words + self.pos_emb(classes), lengths)


class TransformerEncoder(nn.Module):
    """Encodes a padded sequence as one unit vector: transformer layers whose output is read at a learned first token.

    stride: elements per token (frames of a motion; 1 for words).
    """

    def __init__(self, source: int, width: int, heads: int, layers: int, dim: int, most: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.input = nn.Linear(source * stride, width)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, most + 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.output = nn.Linear(width, dim)

    def forward(self, x: Float[Tensor, "b s d"], mask: Bool[Tensor, "b s"]) -> Float[Tensor, "b e"]:
        extra = -x.shape[1] % self.stride
        x = nn.functional.pad(x * mask[..., None], (0, 0, 0, extra)).unflatten(1, (-1, self.stride)).flatten(2)
        mask = nn.functional.pad(mask, (0, extra)).unflatten(1, (-1, self.stride)).any(-1)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.input(x)], dim=1)
        visible = nn.functional.pad(mask, (1, 0), value=True)
        out = self.layers(tokens + self.place[:, : tokens.shape[1]], src_key_padding_mask=~visible)
        return nn.functional.normalize(self.output(out[:, 0]), dim=-1)
