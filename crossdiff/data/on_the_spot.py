"""Walking and running on the spot, made of walking and running ahead: motion capture hardly has any."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.captions import Caption
from crossdiff.representation.limbs import pelvis_facing
from crossdiff.representation.on_the_spot import put_on_the_spot, smooth_path
from crossdiff.skeleton import HUMANML3D, Skeleton

_WORDS = {"walks": ("walk",), "runs": ("run", "sprint", "dash"), "jogs": ("jog",)}
_TEMPLATES = ("a person {verb} in place", "someone {verb} on the spot", "a person {verb} without moving forward")
_OTHER_WAYS = re.compile(r"\b(left|right|back|backwards?|turns?|side|sideways|stairs?|climbs?|jumps?|place|spot)\b")
# Metres per second of the root: slower motion is no locomotion. Of its path, the end lies this share of it away.
_SLOWEST, _STRAIGHT = 0.6, 0.9


def spot_caption(captions: list[Caption], seed: int) -> Caption | None:
    """The caption of a clip put on the spot; None unless a caption says that somebody walks, runs or jogs ahead."""
    for text in (caption.text.lower() for caption in captions):
        for verb, stems in _WORDS.items():
            if re.search(rf"\b({'|'.join(stems)})", text):
                if any(_OTHER_WAYS.search(caption.text.lower()) for caption in captions):
                    return None
                sentence = str(np.random.default_rng(seed).choice(_TEMPLATES)).format(verb=verb)
                return Caption(sentence, " ".join(f"{word}/OTHER" for word in sentence.split()))
    return None


def on_the_spot(joints: Float[ndarray, "f 22 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f 22 3"] | None:
    """The motion without its path over the floor (`put_on_the_spot`); None unless it leads straight ahead."""
    if len(joints) < 2 * skeleton.fps:
        return None
    path = smooth_path(joints, skeleton)
    length, way = np.linalg.norm(np.diff(path, axis=0), axis=-1).sum(), path[-1] - path[0]
    if length < _SLOWEST * len(joints) / skeleton.fps or np.linalg.norm(way) < _STRAIGHT * length:
        return None
    ahead = np.array([way[0], 0.0, way[1]]) / np.linalg.norm(way)
    if (pelvis_facing(joints, skeleton) @ ahead).mean() < _STRAIGHT:
        return None
    return put_on_the_spot(joints, skeleton)
