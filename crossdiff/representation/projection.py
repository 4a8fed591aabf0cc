"""Projection of 3D joints to 2D views (paper, section 3.2)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.errors import ConfigError

# Yaw of the camera around the person in degrees, from the front towards the person's left side.
VIEW_YAW = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
VIEWS = (*VIEW_YAW, "top")

# The authors' perspective camera: field of view, height it looks at, and distance (metres).
_TAN_HALF_FOV = math.tan(math.radians(5.0))
_LOOK_AT_HEIGHT = 1.0
_DISTANCE = 1.0 / _TAN_HALF_FOV + 10.0


def rotate_y(joints: Float[Tensor, "*b 3"], degrees: float | Tensor) -> Float[Tensor, "*b 3"]:
    """Rotate the scene so that the camera at this yaw looks along -z; a tensor of yaws broadcasts over `*b`."""
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64))
    # In double precision, because a right angle's cosine in single precision moves points by micrometres.
    cos, sin = angle.cos().to(joints), angle.sin().to(joints)
    x, y, z = torch.broadcast_tensors(*joints.unbind(-1), cos)[:3]
    return torch.stack([x * cos - z * sin, y, x * sin + z * cos], dim=-1)


def turn_to_up(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The smallest rotation, as a matrix for column vectors, that turns a direction (of length 1) to +Y."""
    x, y, z = up.unbind()
    zero = torch.zeros_like(x)
    # The axis of the rotation, up x (0, 1, 0), as a matrix.
    cross = torch.stack([zero, -x, zero, x, zero, z, zero, -z, zero]).reshape(3, 3)
    return torch.eye(3, dtype=up.dtype) + cross + cross @ cross / (1 + y).clamp_min(1e-6)


def project_orthographic(joints: Float[Tensor, "*b 3"], view: str | float | Tensor) -> Float[Tensor, "*b 2"]:
    """Orthogonal projection onto the image plane of a view; metres, y up, +x to the right in the picture.

    joints: Y up, person facing +Z in frame 0. view: a name, seen from that side of the person, or a yaw in
    degrees (a tensor of yaws broadcasts over the leading dimensions). From the top, +y points behind the person.
    """
    if isinstance(view, str):
        if view == "top":
            return torch.stack([joints[..., 0], -joints[..., 2]], dim=-1)
        view = view_yaw(view)
    return rotate_y(joints, view)[..., :2]


def project_perspective(joints: Float[Tensor, "*b 3"], view: str | float | Tensor) -> Float[Tensor, "*b 2"]:
    """The authors' pinhole camera: 10 degrees wide, 1 m above the floor, about 0.53 units per metre, y up."""
    if view == "top":
        turned = torch.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], dim=-1)
        lifted = turned
    else:
        turned = rotate_y(joints, view_yaw(view) if isinstance(view, str) else view)
        lifted = turned - turned.new_tensor([0.0, _LOOK_AT_HEIGHT, 0.0])
    depth = _DISTANCE - lifted[..., 2:]
    return lifted[..., :2] / (depth * _TAN_HALF_FOV)


def view_yaw(name: str) -> float:
    """Yaw in degrees of a named side view."""
    if name not in VIEW_YAW:
        raise ConfigError(f"view: expected one of {', '.join(VIEWS)} or a yaw in degrees, got {name!r}")
    return VIEW_YAW[name]
