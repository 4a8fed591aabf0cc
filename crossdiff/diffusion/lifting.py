"""2D -> 3D with a trained model: G_2D->3D at t = 0 with null text (paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from crossdiff.diffusion.config import LabelConfig
from crossdiff.diffusion.deprecated import LiftOptions as LiftOptions
from crossdiff.models.model import CrossDiffModel
from crossdiff.representation.cleanup import rebuild
from crossdiff.representation.features2d import features_to_joints
from crossdiff.representation.features3d import features_to_joints_and_next
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.mirroring import mirror_features, mirror_mask
from crossdiff.representation.view_fit import fit_to_view


@torch.no_grad()
def lift(
    model: CrossDiffModel,
    features: Float[Tensor, "b t d2"],
    mask: Bool[Tensor, "b t d2"] | None = None,
    frames: Bool[Tensor, "b t"] | None = None,
    options: LabelConfig | None = None,
) -> Float[Tensor, "b t d3"]:
    """3D features (not normalised) of clips of 2D features (not normalised).

    mask: True where a 2D value is reliable; masked values have no effect. frames: True for real frames, False for
    padding. options: `impute` and `mirror` apply. The model must be in eval mode. Positions, velocities and rotations
    are network outputs, or means of two, and may be inconsistent: see `crossdiff.representation.cleanup.rebuild`.
    """
    options = options or LabelConfig()
    if not options.mirror:
        return _lift(model, features, mask, frames, options)
    flat, space = layout_2d(model.skeleton, model.config.layout_2d), layout_3d(model.skeleton)
    turned = mirror_features(features, flat, model.skeleton)
    both = _lift(
        model,
        torch.cat([features, turned]),
        None if mask is None else torch.cat([mask, mirror_mask(mask, flat, model.skeleton)]),
        None if frames is None else frames.repeat(2, 1),
        options,
    )
    straight, mirrored = both.chunk(2)
    return (straight + mirror_features(mirrored, space, model.skeleton)) / 2


def _lift(
    model: CrossDiffModel, features: Tensor, mask: Tensor | None, frames: Tensor | None, options: LabelConfig
) -> Tensor:
    x = model.normalize("2d", features)
    count = x.shape[0]
    t = torch.zeros(count, dtype=torch.long, device=x.device)
    text = model.null_text(count)
    if mask is not None:
        x = x.masked_fill(~mask, 0.0)
        hidden = ~mask if frames is None else ~mask & frames[..., None]
        if options.impute and hidden.any():
            guess = model.network({"2d": x}, t, text, frames, targets=("2d",))["2d", "2d"]
            x = torch.where(mask, x, guess)
    return model.denormalize("3d", model.network({"2d": x}, t, text, frames, targets=("3d",))["2d", "3d"])


@dataclass(frozen=True)
class Label:
    """A pseudo label."""

    features: Float[ndarray, "t d3"]
    """3D features (T, D3), consistent with each other."""
    raw: Float[ndarray, "t d3"]
    """The network's output (T, D3)."""


def label(
    model: CrossDiffModel,
    clips: Sequence[tuple[Float[ndarray, "t d2"], Bool[ndarray, "t d2"]]],
    cfg: LabelConfig,
) -> list[Label]:
    """Lift a batch of clips, given as 2D features and masks; fit the joints to the observed 2D motion, smooth them and
    recompute their features (see `rebuild`).
    """
    lengths = torch.tensor([len(features) for features, _ in clips])
    frames = torch.arange(int(lengths.max())) < lengths[:, None]
    features = pad_sequence([torch.from_numpy(f) for f, _ in clips], batch_first=True)
    mask = pad_sequence([torch.from_numpy(m) for _, m in clips], batch_first=True)
    device = model.device
    lifted = lift(model, features.to(device), mask.to(device), frames.to(device), cfg).cpu()
    labels = []
    for row, n in enumerate(lengths.tolist()):
        raw = lifted[row, :n]
        joints = features_to_joints_and_next(raw, model.skeleton)
        if cfg.fit_view:
            joints = _fitted(model, joints, features[row, :n], mask[row, :n])
        labels.append(
            Label(rebuild(joints, cfg.smooth_sigma, model.skeleton, placed=cfg.fit_view).numpy(), raw.numpy())
        )
    return labels


def _fitted(model: CrossDiffModel, joints: Tensor, flat: Tensor, mask: Tensor) -> Float[Tensor, "t+1 j 3"]:
    """`joints` (T + 1 frames) fitted to a clip's 2D features: T frames, and the root's step to the next one."""
    layout, metres = layout_2d(model.skeleton, model.config.layout_2d), model.skeleton.metres_per_unit
    visible = mask[:, layout.positions].unflatten(-1, (-1, 2)).all(-1)
    # Positions are relative to the root: if any is known, the root was visible.
    valid = torch.cat([visible.any(-1, keepdim=True), visible], dim=-1)
    shown = features_to_joints(flat, model.skeleton, model.config.layout_2d)
    moved = torch.cat([shown, (shown[-1] + flat[-1, layout.root])[None]])
    if layout.name == "official":
        moved[-1] = shown[-1] - shown[-1, :1] + flat[-1, layout.root]
    valid = torch.cat([valid, valid[-1:]])
    path_known = bool(mask[:, layout.root].all())
    return fit_to_view(joints * metres, moved, valid, path_known, model.skeleton) / metres
