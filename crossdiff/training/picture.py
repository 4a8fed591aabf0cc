"""The error of predicted 3D motion of wild clips where it was seen: in the clip's own picture."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.data.batch import MotionBatch
from crossdiff.models.model import CrossDiffModel
from crossdiff.representation.features2d import features_to_joints as flat_joints
from crossdiff.representation.features3d import features_to_joints, joints_to_features_3d
from crossdiff.representation.normalizer import Normalizer
from crossdiff.representation.projection import rotate_y
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.training.masked import masked_mse


def picture_losses(
    model: CrossDiffModel, made: Float[Tensor, "b t d3"], batch: MotionBatch, velocity_weight: float = 0.0
) -> Float[Tensor, " b"]:
    """The loss of each clip's predicted, normalised 3D features by what the picture shows of them.

    Joints, relative to the root, are compared with the clip's 2D joints after an orthographic projection from the view
    that fits the pseudo label best; so errors of the label's depth teach nothing. Their differences between frames
    weigh `velocity_weight`. Rotations and velocities are held to those of the predicted joints themselves, the root and
    the contacts to the label. Groups weigh as in the error of all features: by their numbers of values.
    """
    layout, skeleton = model.config.layout("3d"), model.skeleton
    joints = features_to_joints(model.denormalize("3d", made), skeleton)
    flat, seen = _shown(model, batch)
    with torch.no_grad():
        label = features_to_joints(batch.features["3d"], skeleton)
        metres = skeleton.metres_per_unit
        yaw = fit_yaw(label * metres, flat * metres, seen)[0].nan_to_num()
        own = torch.zeros_like(made)
        own[:, :-1] = model.normalize("3d", joints_to_features_3d(joints.detach(), skeleton, parity=False))
    spread = _spread(model)
    off = (rotate_y(joints - joints[:, :, :1], yaw[:, None, None])[..., :2] - (flat - flat[:, :, :1])) / spread
    known = batch.trusted["3d"].any(dim=-1) & batch.has_3d[:, None]
    counted = (seen & seen[..., :1] & known[..., None])[..., None].expand_as(off)
    zero = torch.zeros_like(off).flatten(2)
    place = masked_mse(off.flatten(2), zero, counted.flatten(2))
    if velocity_weight:
        steady = (counted[:, 1:] & counted[:, :-1]).flatten(2)
        place = place + velocity_weight * masked_mse(off.diff(dim=1).flatten(2), zero[:, 1:], steady)
    whole = batch.frames & known
    whole[:, :-1] &= whole[:, 1:].clone()
    whole[:, -1] = False  # the next frame's joints are needed
    parts = {
        "positions": place,
        "rotations": _held(made, own, layout.rotations, whole),
        "velocities": _held(made, own, layout.velocities, whole),
        "root": _held(made, model.normalize("3d", batch.features["3d"]), layout.root, batch.frames),
        "contacts": _held(made, model.normalize("3d", batch.features["3d"]), layout.contacts, batch.frames),
    }
    widths = {name: group.stop - group.start for name, group in layout.groups.items()}
    total = torch.stack([widths[name] * part for name, part in parts.items()]).sum(0)
    return total / layout.dim * batch.has_3d.to(total.dtype)


def _spread(model: CrossDiffModel) -> Tensor:
    """Standard deviation of the positions' values over the training data, as a root mean square."""
    normalizer = model.normalizers["3d"]
    assert isinstance(normalizer, Normalizer)
    return normalizer.std[model.config.layout("3d").positions].square().mean().sqrt()


def _shown(model: CrossDiffModel, batch: MotionBatch) -> tuple[Float[Tensor, "b t j 2"], Bool[Tensor, "b t j"]]:
    """The clips' joints in the picture, and where they were seen."""
    layout = model.config.layout("2d")
    flat = flat_joints(batch.features["2d"], model.skeleton, model.config.layout_2d)
    seen = batch.trusted["2d"][..., layout.positions].unflatten(-1, (-1, 2)).all(-1)
    # Positions are relative to the root: if any is known, the root was visible.
    return flat, torch.cat([seen.any(-1, keepdim=True), seen], dim=-1)


def _held(made: Tensor, target: Tensor, group: slice, frames: Bool[Tensor, "b t"]) -> Float[Tensor, " b"]:
    made, target = made[..., group], target[..., group]
    return masked_mse(made, target, frames[..., None].expand_as(made))
