"""The figure of the videos as one mesh of capsules, each bound to a joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossdiff.export.rig import Rig
from crossdiff.viewing.figure import Body, body_of

# Points around a capsule, and rings on the half ball at each of its ends.
_AROUND, _RINGS = 16, 5


@dataclass(frozen=True)
class FigureMesh:
    """A mesh at rest. points, normals: (V, 3), metres; colours: (V, 3) 0..1, sRGB; faces: (T, 3), seen from outside
    counter-clockwise; joint: (V,) the joint that each point moves with."""

    points: Float[ndarray, "v 3"]
    normals: Float[ndarray, "v 3"]
    colours: Float[ndarray, "v 3"]
    faces: Int[ndarray, "t 3"]
    joint: Int[ndarray, " v"]


def figure_mesh(rig: Rig, rest: Float[ndarray, "j 3"]) -> FigureMesh:
    """The figure around joints at rest (J, 3); a capsule moves with the joint that its bone begins in."""
    body = body_of(rig.skeleton, rest[None])
    parts = []
    for ends, radii, colour, joint in zip(body.capsules(rest), body.radii, body.colours, _owners(body), strict=True):
        points, normals, faces = _capsule(ends, radii)
        parts.append((points, normals, np.tile(colour / 255, (len(points), 1)), faces, np.full(len(points), joint)))
    starts = np.cumsum([0] + [len(part[0]) for part in parts[:-1]])
    return FigureMesh(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        np.concatenate([p[3] + start for p, start in zip(parts, starts, strict=True)]),
        np.concatenate([p[4] for p in parts]),
    )


def _owners(body: Body) -> list[int]:
    """Joint of each capsule, in the order of `Body.capsules`: bones, head, hands."""
    return [int(up) for up, _ in body.bones] + [body.head[0]] + [wrist for wrist, _ in body.hands]


def _capsule(ends: Float[ndarray, "2 3"], radii: Float[ndarray, " 2"]) -> tuple[ndarray, ndarray, ndarray]:
    """Points, normals and faces of a tapered capsule: two half balls and what joins them."""
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    axis = along / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
    around = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), other)
    # From one pole to the other; the middle ring is there twice, once at each end.
    polar = np.linspace(-np.pi / 2, np.pi / 2, 2 * _RINGS + 1)
    polar = np.concatenate([polar[: _RINGS + 1], polar[_RINGS:]])
    at_end = (np.arange(len(polar)) > _RINGS).astype(int)
    normals = np.sin(polar)[:, None, None] * axis + np.cos(polar)[:, None, None] * around
    points = ends[at_end][:, None] + radii[at_end][:, None, None] * normals
    first = np.arange(_AROUND)
    following = (first + 1) % _AROUND
    faces = []
    for ring in range(len(polar) - 1):
        low, high = ring * _AROUND, (ring + 1) * _AROUND
        if ring > 0:  # the pole's own ring is one point
            faces.append(np.stack([low + first, low + following, high + first], axis=1))
        if ring < len(polar) - 2:
            faces.append(np.stack([low + following, high + following, high + first], axis=1))
    return points.reshape(-1, 3), normals.reshape(-1, 3), np.concatenate(faces)
