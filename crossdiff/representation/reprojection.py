"""Agreement of a lifted 3D motion with its 2D motion: the best-fitting view, and the residual error."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.representation.projection import rotate_y

# Height of HumanML3D's target body in metres: SMPL's mean male shape, as in `pipeline.motion`.
BODY_HEIGHT = 1.70
# Degrees between the yaws of the initial grid; the sum of squares has at most two minima, which are further apart.
_GRID = 5.0
_NEWTON_STEPS = 5


def fit_yaw(
    joints3d: Float[Tensor, "*b t j 3"], joints2d: Float[Tensor, "*b t j 2"], valid: Bool[Tensor, "*b t j"]
) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
    """Yaw of a static orthographic camera whose view of each 3D clip fits its 2D clip best, and the error of the fit.

    The yaw is in degrees, in [0, 360), and minimises the sum of squared distances; see `projection.rotate_y` for its
    sense. The error is the mean distance of the joints in the picture, in body heights.

    joints3d, joints2d: metres, y up, joint 0 the root; frames are compared relative to the root, so paths do not
    matter. Invalid joints, and frames with an invalid root, are ignored; without any valid joint the error is NaN.
    """
    solid = (joints3d[..., 1:, :] - joints3d[..., :1, :]).double()
    flat = (joints2d[..., 1:, :] - joints2d[..., :1, :]).double()
    counts = valid[..., 1:] & valid[..., :1]
    # Ignored values may be NaN.
    solid, flat = (torch.where(counts[..., None], x, 0.0) for x in (solid, flat))
    yaw = _best_yaw(solid, flat[..., 0])
    seen = rotate_y(solid, yaw[..., None, None])[..., :2]
    distance = (seen - flat).norm(dim=-1).sum((-2, -1)) / counts.sum((-2, -1))
    return yaw.to(joints3d.dtype), (distance / BODY_HEIGHT).to(joints3d.dtype)


def _best_yaw(solid: Float[Tensor, "*b t j 3"], across: Float[Tensor, "*b t j"]) -> Float[Tensor, "*b"]:
    """Minimise sum (x cos - z sin - across)^2, on a grid and then by Newton's method; degrees."""
    x, z = solid[..., 0], solid[..., 2]
    xx, zz, xz, xu, zu = (product.sum((-2, -1))[..., None] for product in (x * x, z * z, x * z, x * across, z * across))

    def cost(angle: Tensor) -> Tensor:
        c, s = angle.cos(), angle.sin()
        return xx * c * c + zz * s * s - 2 * xz * c * s - 2 * xu * c + 2 * zu * s

    def derivatives(angle: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative, both halved."""
        c, s = angle.cos(), angle.sin()
        first = (zz - xx) * c * s - xz * (c * c - s * s) + xu * s + zu * c
        return first, (zz - xx) * (c * c - s * s) + 4 * xz * c * s + xu * c - zu * s

    grid = torch.deg2rad(torch.arange(0.0, 360.0, _GRID, dtype=solid.dtype, device=solid.device))
    best = grid[cost(grid).argmin(-1, keepdim=True)]
    reach = torch.deg2rad(torch.tensor(_GRID, dtype=solid.dtype))
    angle = best
    for _ in range(_NEWTON_STEPS):
        first, second = derivatives(angle)
        step = torch.where(second > 0, first / second.clamp_min(1e-12), 0.0)
        angle = (angle - step).clamp(best - reach, best + reach)
    better = torch.where(cost(angle) <= cost(best), angle, best)
    return torch.rad2deg(better[..., 0]) % 360.0
