"""How far a pseudo label can be trusted: what is measured of it, one quality of all of that, and limits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat

from crossdiff.config import Config
from crossdiff.diffusion.lifting import Label
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import bone_drift, measure_motion
from crossdiff.representation.reprojection import fit_yaw
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion2D

# By name: what each measure is, with its unit. All but the quality: less is better.
LABEL_MEASURES = {
    "reprojection": "distance as lifted from the 2D motion, body heights",
    "bone_drift": "change of bone lengths as lifted, %",
    "skate": "share of foot contacts that slide",
    "jerk": "jerk, m/s³",
    "quality": "quality",
}
# Reasons as people read them, in the order in which limits are checked.
LABEL_REASONS = {
    "max_reprojection": "does not fit its 2D motion",
    "max_bone_drift": "bones change length",
    "max_skate": "feet slide",
    "max_jerk": "jerky",
    "min_quality": "quality too low",
}


class LabelQualityConfig(Config):
    """Scales of the quality, and limits on what is measured of a label (None: off), checked in this order.

    The quality is the product of exp(-measure / scale) over four measures: 1 where all are 0, and 1/e as much for
    each that is at its scale. Units: those of `LABEL_MEASURES`. `docs/pipeline.md` says what the numbers come from.
    """

    scale_reprojection: PositiveFloat = 0.2
    scale_bone_drift: PositiveFloat = 20.0
    scale_skate: PositiveFloat = 4.0
    scale_jerk: PositiveFloat = 800.0
    max_reprojection: NonNegativeFloat | None = 0.12
    max_bone_drift: NonNegativeFloat | None = None
    max_skate: NonNegativeFloat | None = None
    max_jerk: NonNegativeFloat | None = None
    min_quality: float | None = Field(None, ge=0, le=1)


def measure_label(label: Label, motion: Motion2D, skeleton: Skeleton) -> dict[str, float]:
    """`yaw` (degrees) and all of `LABEL_MEASURES` but the quality.

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
    # A limit means the same whether a value comes from the label or from the ledger.
    return {name: round(value, 4) for name, value in measured.items()}


def quality(measures: Mapping[str, float], cfg: LabelQualityConfig) -> float:
    """In [0, 1]; see `LabelQualityConfig`."""
    scales = {name: getattr(cfg, f"scale_{name}") for name in LABEL_MEASURES if name != "quality"}
    return round(math.exp(-sum(measures[name] / scale for name, scale in scales.items())), 4)
