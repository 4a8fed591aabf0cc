"""Motion on the side that its prompt names: a kick with the left leg that the right leg does is mirrored."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from crossdiff.representation.limbs import travelled
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D

_ENDS = {
    "wrist": ("hand", "arm", "fist", "wrist", "elbow", "palm", "forearm"),
    "ankle": ("leg", "foot", "knee", "ankle", "heel", "toe", "thigh", "shin"),
}
_END_OF = {word: end for end, words in _ENDS.items() for word in words}
_SIDE = re.compile(r"\b(left|right)(?:(?: |-)(?:\w+ )?(\w+))?", re.IGNORECASE)
_OTHER_SIDES = re.compile(r"\b(?:counter|anti)?[ -]?clockwise\b|\b(?:left|right)wards?\b", re.IGNORECASE)
# A limb that carries somebody is the one that moves less.
_SUPPORT = re.compile(r"\b(?:on|onto|upon) (?:the |his |her |their |its |your |my )?(?:left|right) ", re.IGNORECASE)


@dataclass(frozen=True)
class NamedLimb:
    """The wrist or ankle of one side, as a prompt names it."""

    side: str
    """left or right."""
    end: str
    """wrist or ankle."""

    def joints(self, skeleton: Skeleton) -> tuple[int, int]:
        """This joint and that of the other side."""
        own = skeleton.index(f"{self.side[0]}_{self.end}")
        return own, skeleton.mirror[own]


def named_limb(prompt: str) -> NamedLimb | None:
    """The limb that a prompt names with its side; None where mirroring could make something else wrong.

    That is so if both sides are named, a limb of each kind, a direction ("turns left", "clockwise"), or a limb that
    carries the body ("hops on the left leg").
    """
    if _OTHER_SIDES.search(prompt) or _SUPPORT.search(prompt):
        return None
    found = {_limb(match) for match in _SIDE.finditer(prompt)}
    return found.pop() if len(found) == 1 else None


def _limb(match: re.Match[str]) -> NamedLimb | None:
    words = re.split(r"[ -]", match[0].lower())
    ends = [_END_OF[word] for word in (w.removesuffix("s") for w in words) if word in _END_OF]
    return NamedLimb(match[1].lower(), ends[0]) if ends else None


def on_named_side(motion: Motion3D, prompt: str) -> Motion3D:
    """The motion, mirrored if the wrist or ankle of the other side travels farther than that of the named one.

    Mirroring exchanges left and right and reverses x; first frames that face +Z over the origin still do.
    """
    limb = named_limb(prompt)
    if limb is None:
        return motion
    own, other = limb.joints(motion.skeleton)
    if travelled(motion.joints, own) >= travelled(motion.joints, other):
        return motion
    mirrored = motion.joints[:, list(motion.skeleton.mirror)] * np.array([-1, 1, 1], dtype=motion.joints.dtype)
    return replace(motion, joints=mirrored)
