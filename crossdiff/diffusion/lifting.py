"""2D -> 3D with a trained model: G_2D->3D at t = 0 with null text (paper, section 3.5)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.models.model import CrossDiffModel


@torch.no_grad()
def lift(
    model: CrossDiffModel,
    features: Float[Tensor, "b t d2"],
    mask: Bool[Tensor, "b t d2"] | None = None,
    frames: Bool[Tensor, "b t"] | None = None,
) -> Float[Tensor, "b t d3"]:
    """3D features (not normalised) of clips of 2D features (not normalised).

    mask: True where a 2D value can be trusted; others are replaced by their mean and so carry nothing.
    frames: True where a frame is real. The model is used as it is: put it in eval mode first.
    """
    x = model.normalize("2d", features)
    if mask is not None:
        x = x.masked_fill(~mask, 0.0)
    batch = x.shape[0]
    t = torch.zeros(batch, dtype=torch.long, device=x.device)
    lifted = model.network({"2d": x}, t, model.null_text(batch), frames, targets=("3d",))["2d", "3d"]
    return model.denormalize("3d", lifted)
