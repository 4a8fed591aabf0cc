"""Boxes around people: (left, top, right, bottom) in pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def box_iou(a: Float[ndarray, "t 4"], b: Float[ndarray, "p 4"]) -> Float[ndarray, "t p"]:
    """Intersection over union of each of the boxes a with each of b: (left, top, right, bottom)."""
    near, far = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    overlap = np.clip(far - near, 0, None).prod(axis=-1)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(axis=-1) for box in (a, b))
    union = area_a[:, None] + area_b - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0)
