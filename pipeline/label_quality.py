"""Quality of pseudo labels: measures, a score that combines them, and limits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat

from crossdiff.config import Config
from crossdiff.diffusion.lifting import Label
from crossdiff.representation.alignment import aligned
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import bone_drift, measure_motion
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion2D

# Titles of the measures, with units. Lower is better, except for the quality.
LABEL_MEASURES = {
    "reprojection": "distance as lifted from the 2D motion, body heights",
    "bone_drift": "change of bone lengths as lifted, %",
    "skate": "share of foot contacts that slide",
    "jerk": "jerk, m/s³",
    "disagreement": "distance as lifted from the detector's own 3D, mm",
    "quality": "quality",
}
# Measured only where the detector gives joints in space.
OPTIONAL_MEASURES = frozenset({"disagreement"})
# Reasons as people read them, in the order in which limits are checked.
LABEL_REASONS = {
    "max_reprojection": "does not fit its 2D motion",
    "max_bone_drift": "bones change length",
    "max_skate": "feet slide",
    "max_jerk": "jerky",
    "max_disagreement": "unlike the detector's own 3D",
    "min_quality": "quality too low",
}


class LabelQualityConfig(Config):
    """Scales of the quality score, and limits on the measures of a label, checked in this order; null is no limit.

    Quality is the product of exp(-measure / scale) over the measures that there are: 1 for a perfect label, lower by a
    factor of e for each measure that equals its scale. `docs/pipeline.md` explains the defaults.
    """

    scale_reprojection: PositiveFloat = 0.2
    """Scale of the distance between the lifted and the observed 2D joints, in body heights."""
    scale_bone_drift: PositiveFloat = 20.0
    """Scale of the change of bone lengths, in percent."""
    scale_skate: PositiveFloat = 4.0
    """Scale of the fraction of foot contacts that slide."""
    scale_jerk: PositiveFloat = 800.0
    """Scale of the jerk, in m/s³."""
    scale_disagreement: PositiveFloat = 150.0
    """Scale of the distance from the detector's own 3D, in millimetres."""
    max_reprojection: NonNegativeFloat | None = 0.12
    """Largest distance between the lifted and the observed 2D joints, in body heights."""
    max_bone_drift: NonNegativeFloat | None = None
    """Largest change of bone lengths, in percent."""
    max_skate: NonNegativeFloat | None = None
    """Highest fraction of foot contacts that slide."""
    max_jerk: NonNegativeFloat | None = None
    """Highest jerk, in m/s³."""
    max_disagreement: NonNegativeFloat | None = None
    """Largest distance from the detector's own 3D, in millimetres."""
    min_quality: float | None = Field(None, ge=0, le=1)
    """Lowest quality."""


def measure_label(label: Label, motion: Motion2D, skeleton: Skeleton) -> dict[str, float]:
    """`yaw` (degrees) and the `LABEL_MEASURES` but the quality; without those that cannot be measured.

    motion: what the label's T frames were lifted from, of T frames or more.
    """
    joints, raw = (features_to_joints(torch.from_numpy(x), skeleton) for x in (label.features, label.raw))
    flat, valid = (torch.from_numpy(array[: len(joints)]) for array in (motion.joints, motion.valid))
    yaw, _ = fit_yaw(joints, flat, valid)
    # Of what was lifted: the label has been moved to where the clip shows it.
    _, error = fit_yaw(raw, flat, valid)
    body = measure_motion(joints.numpy(), skeleton)
    measured = {
        "yaw": float(yaw),
        "reprojection": float(error),
        "bone_drift": bone_drift(raw.numpy(), skeleton),
        "skate": body.skating_share,
        "jerk": body.jerk,
    }
    known = np.isfinite(motion.world[: len(raw)]).all((1, 2)) if motion.world.shape[1] else np.zeros(len(raw), bool)
    if known.any():
        world = torch.from_numpy(motion.world[: len(raw)][known])
        measured["disagreement"] = 1000 * float((aligned(raw[known], world) - world).norm(dim=-1).mean())
    # A limit means the same whether a value comes from the label or from the ledger.
    return {name: round(value, 4) for name, value in measured.items()}


def quality(measures: Mapping[str, float], cfg: LabelQualityConfig) -> float:
    """In [0, 1]; see `LabelQualityConfig`."""
    scales = {name: getattr(cfg, f"scale_{name}") for name in LABEL_MEASURES if name != "quality" and name in measures}
    return round(math.exp(-sum(measures[name] / scale for name, scale in scales.items())), 4)
