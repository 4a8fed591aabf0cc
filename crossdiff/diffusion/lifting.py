"""2D -> 3D with a trained model: G_2D->3D at t = 0 with null text (paper, section 3.5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from crossdiff.diffusion.config import LabelConfig
from crossdiff.diffusion.deprecated import LiftOptions as LiftOptions
from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.representation.alignment import aligned
from crossdiff.representation.cleanup import rebuild
from crossdiff.representation.features2d import features_to_joints as flat_joints
from crossdiff.representation.features3d import features_to_joints, features_to_joints_and_next
from crossdiff.representation.fusion import fuse
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.mirroring import mirror_features, mirror_mask
from crossdiff.representation.view_fit import fit_to_view, trust_in_picture
from crossdiff.skeleton import Skeleton

# Standard deviations at which observed values are clipped.
_MOST = 6.0


class FlatClip(NamedTuple):
    """A clip to lift: its 2D features (T, D2), their mask, and the detector's own joints in space (T + 1 frames, J or
    none, 3), as in `Motion2D.world`."""

    features: Float[ndarray, "t d2"]
    mask: Bool[ndarray, "t d2"]
    world: Float[ndarray, "t+1 k 3"] | None = None


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
    return _ways(model, features, mask, frames, options or LabelConfig()).mean(0)


def _ways(
    model: CrossDiffModel, features: Tensor, mask: Tensor | None, frames: Tensor | None, options: LabelConfig
) -> Float[Tensor, "w b t d3"]:
    """The clips as lifted, and, with `mirror`, by way of their mirror images."""
    if not options.mirror:
        return _lift(model, features, mask, frames, options)[None]
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
    return torch.stack([straight, mirror_features(mirrored, space, model.skeleton)])


def _lift(
    model: CrossDiffModel, features: Tensor, mask: Tensor | None, frames: Tensor | None, options: LabelConfig
) -> Tensor:
    if model.config.distilled is not None:
        raise InputError(
            "lift: the model was distilled for sampling alone; lift with the one that it was distilled from"
        )
    x = normalize_observed(model, features)
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


def normalize_observed(model: CrossDiffModel, features: Float[Tensor, "*b d2"]) -> Float[Tensor, "*b d2"]:
    """Normalised 2D features, clipped: a jumping keypoint's velocity is far beyond any of the training motions."""
    return model.normalize("2d", features).clamp(-_MOST, _MOST)


@dataclass(frozen=True)
class Label:
    """A pseudo label."""

    features: Float[ndarray, "t d3"]
    """3D features (T, D3), consistent with each other."""
    raw: Float[ndarray, "t d3"]
    """The network's output (T, D3)."""
    mirror_difference: float = math.nan
    """Mean distance of the joints as lifted from those of the lifted mirror image, after the best rotation, scale and
    shift of every frame, in metres; NaN where that was not lifted."""


def label(model: CrossDiffModel, clips: Sequence[FlatClip], cfg: LabelConfig) -> list[Label]:
    """Lift a batch of clips, move the joints nearer to what was observed, smooth them and recompute their features (see
    `rebuild`).

    Clips with the detector's own joints in space are fused with these (`fuse`); others are fitted to the picture
    (`fit_to_view`).
    """
    clips = [FlatClip(*clip) for clip in clips]
    lengths = torch.tensor([len(clip.features) for clip in clips])
    frames = torch.arange(int(lengths.max())) < lengths[:, None]
    features = pad_sequence([torch.from_numpy(clip.features) for clip in clips], batch_first=True)
    mask = pad_sequence([torch.from_numpy(clip.mask) for clip in clips], batch_first=True)
    device = model.device
    with torch.no_grad():
        ways = _ways(model, features.to(device), mask.to(device), frames.to(device), cfg).cpu()
    labels = []
    for row, (clip, n) in enumerate(zip(clips, lengths.tolist(), strict=True)):
        raw, apart = ways[:, row, :n].mean(0), _mirror_distance(model, ways[:, row, :n])
        finished = _finished(model, raw, apart, clip, cfg)
        difference = math.nan if apart is None else float(apart.mean())
        labels.append(Label(finished.numpy(), raw.numpy(), difference))
    return labels


def _mirror_distance(model: CrossDiffModel, ways: Float[Tensor, "w t d3"]) -> Float[Tensor, "t j"] | None:
    """Distance of each joint as lifted from that of the lifted mirror image, in metres; None if that was not lifted."""
    if len(ways) < 2:
        return None
    straight, mirrored = (features_to_joints(way, model.skeleton) * model.skeleton.metres_per_unit for way in ways)
    return (aligned(straight, mirrored) - mirrored).norm(dim=-1)


def _finished(
    model: CrossDiffModel, raw: Float[Tensor, "t d3"], apart: Tensor | None, clip: FlatClip, cfg: LabelConfig
) -> Float[Tensor, "t d3"]:
    """The features of a label, from the motion as lifted and its `_mirror_distance`."""
    skeleton, metres = model.skeleton, model.skeleton.metres_per_unit
    joints = features_to_joints_and_next(raw, skeleton)
    flat, visible, path = _in_picture(model, torch.from_numpy(clip.features), torch.from_numpy(clip.mask))
    world = _world(clip, skeleton)
    if cfg.fuse and skeleton.body is not None and torch.isfinite(world).all(-1).all(-1).any():
        fused = fuse(joints * metres, flat, visible, world, path, cfg.smooth_sigma, skeleton)
        return rebuild(fused / metres, 0.0, skeleton, placed=True)
    if cfg.fit_view:
        share = 1.0 if apart is None else trust_in_picture(apart, flat[:-1], visible[:-1])
        joints = fit_to_view(joints * metres, flat, visible, path, skeleton, share) / metres
    return rebuild(joints, cfg.smooth_sigma, skeleton, cfg.fit_view)


def _world(clip: FlatClip, skeleton: Skeleton) -> Float[Tensor, "t+1 j 3"]:
    """The detector's joints in space in the clip's T frames and the next one, NaN where there are none."""
    world = torch.full((len(clip.features) + 1, skeleton.num_joints, 3), torch.nan)
    if clip.world is not None and clip.world.shape[1]:
        given = torch.from_numpy(clip.world[: len(world)]).float()
        world[: len(given)] = given
    return world


def _in_picture(
    model: CrossDiffModel, features: Float[Tensor, "t d2"], mask: Bool[Tensor, "t d2"]
) -> tuple[Float[Tensor, "t+1 j 2"], Bool[Tensor, "t+1 j"], Bool[Tensor, " t+1"]]:
    """A clip's joints in the picture (metres) in its T frames and the next one, of which only the root is known; where
    they are visible; and where the root's movement since the frame before is known.
    """
    layout = layout_2d(model.skeleton, model.config.layout_2d)
    visible = mask[:, layout.positions].unflatten(-1, (-1, 2)).all(-1)
    # Positions are relative to the root: if any is known, the root was visible.
    visible = torch.cat([visible.any(-1, keepdim=True), visible], dim=-1)
    shown = flat_joints(features, model.skeleton, model.config.layout_2d)
    moved = torch.cat([shown, (shown[-1] + features[-1, layout.root])[None]])
    if layout.name == "official":
        moved[-1] = shown[-1] - shown[-1, :1] + features[-1, layout.root]
    path_known = torch.cat([torch.ones(1, dtype=torch.bool), mask[:, layout.root].all(-1)])
    return moved, torch.cat([visible, visible[-1:]]), path_known
