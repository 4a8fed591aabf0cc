"""Keeping part of a motion while text fills the rest: in-betweening, continuation, editing of the upper or lower body.

As in MDM (Tevet et al. 2023, section 3): at every step the kept values replace those of the predicted x_start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.representation.layouts import layout_3d
from crossdiff.representation.root_track import RootTrack, root_track
from crossdiff.skeleton import HUMANML3D, Skeleton
from crossdiff.types import Motion3D

GROUPS = ("lower", "upper")
# The root's first values describe the step to the next frame (yaw, x and z velocity); the last one is the height.
_ROOT_STEP = 3


@dataclass(frozen=True, eq=False)
class Edit:
    """A motion and which of its values to keep.

    Row t holds the pose of frame t (height, positions, rotations) and the step to frame t + 1 (root velocities, joint
    velocities, contacts); the last row has no step to keep.
    """

    features: Float[Tensor, "f d"]
    """3D features (F, D), not normalised, one row per frame of the motion."""
    keep: Bool[Tensor, "f d"]
    """True = keep."""
    skeleton: Skeleton = HUMANML3D
    """Skeleton of the motion."""

    def __post_init__(self) -> None:
        dim = layout_3d(self.skeleton).dim
        if self.features.ndim != 2 or self.features.shape[1] != dim or self.keep.shape != self.features.shape:
            raise InputError(
                f"edit: expected features and mask of one shape (frames, {dim}), "
                f"got {tuple(self.features.shape)} and {tuple(self.keep.shape)}"
            )
        if not self.keep.any():
            raise InputError("edit: nothing to keep: the mask is empty; name other frames or joints")

    @classmethod
    def from_joints(
        cls,
        joints: Float[ndarray, "f j 3"],
        keep_frames: slice | Sequence[slice] | Bool[ndarray, " f"] | None = None,
        keep_joints: str | Sequence[str] | None = None,
        skeleton: Skeleton = HUMANML3D,
    ) -> Edit:
        """Keep the given joints in the given frames of a motion in metres, Y up, at the skeleton's frame rate.

        keep_frames: slices, or a mask with one value per frame; None: all frames. keep_joints: names of joints, "lower"
        (root and legs) or "upper" (all others); None: all joints. The root's path and height are kept with the root. A
        step is kept if both of its frames are.

        Like every sample, the motion is canonical (`features3d.canonicalise`): first root over the origin, facing +Z,
        lowest point on the floor. Frames whose root is kept stand where they stand in it: `places`.
        """
        if keep_frames is None and keep_joints is None:
            raise InputError(
                "edit: expected frames or joints to keep, got neither; keeping all of both leaves nothing to generate"
            )
        Motion3D(joints, skeleton.fps, skeleton)  # checks the shape and the values
        if not len(joints):
            raise InputError("edit: expected a motion of one frame or more, got none")
        frames = _frame_mask(keep_frames, len(joints))
        values = _joint_values(keep_joints, skeleton)
        steps = torch.cat([frames[:-1] & frames[1:], torch.tensor([False])])
        of_step = _step_values(skeleton)
        keep = values & torch.where(of_step, steps[:, None], frames[:, None])

        moved = torch.as_tensor(joints, dtype=torch.float32) / skeleton.metres_per_unit
        # The last frame is repeated, so that it gets a row; the other rows do not change.
        features = joints_to_features_3d(torch.cat([moved, moved[-1:]]), skeleton, parity=False)
        return cls(features, keep, skeleton)

    @property
    def num_frames(self) -> int:
        return len(self.features)

    def places(self, count: int) -> tuple[Bool[ndarray, " t"], RootTrack]:
        """The first `count` frames whose root is kept, and its track; frames beyond the motion are not kept."""
        height = layout_3d(self.skeleton).root.stop - 1
        shown = min(count, self.num_frames)
        held = np.zeros(count, dtype=bool)
        held[:shown] = self.keep[:shown, height].cpu().numpy()
        track = root_track(self.features[:shown], self.skeleton)
        missing = (0, count - shown)
        return held, RootTrack(np.pad(track.place, missing, "edge"), np.pad(track.heading, missing, "edge"))

    @property
    def keeps_feet(self) -> Bool[ndarray, " f"]:
        """Frames in which a position of a foot is kept."""
        positions = self.keep[:, layout_3d(self.skeleton).positions].unflatten(-1, (-1, 3))
        return positions[:, [joint - 1 for joint in self.skeleton.feet]].any(-1).any(-1).cpu().numpy()

    @property
    def has_gaps(self) -> bool:
        """Whether the root is kept in frames that come after others in which it is not."""
        held, _ = self.places(self.num_frames)
        return bool((np.diff(held.astype(int), prepend=1) > 0).any())

    def fit(self, model: CrossDiffModel, lengths: Sequence[int]) -> tuple[Bool[Tensor, "t d"], Float[Tensor, "t d"]]:
        """Mask and normalised values, cut or padded (with free frames) to the longest of `lengths`."""
        if self.skeleton is not model.skeleton:
            raise InputError(
                f"edit: expected a motion of the model's skeleton {model.skeleton.name}, got {self.skeleton.name}"
            )
        for count in lengths:
            if not self.keep[:count].any():
                raise InputError(
                    f"edit: no kept values in the {count} frames to sample; sample more frames, or keep earlier ones"
                )
        frames = max(lengths)
        missing = (0, 0, 0, max(0, frames - self.num_frames))
        known = model.normalize("3d", self.features.to(model.device))
        keep = torch.nn.functional.pad(self.keep.to(model.device), missing)
        return keep[:frames], torch.nn.functional.pad(known, missing)[:frames]


def joint_group(name: str, skeleton: Skeleton = HUMANML3D) -> set[int]:
    """Joint indices of "lower" (root and legs, as in the authors' FID-L), "upper" (all others), or one joint's name."""
    legs = {joint for chain in skeleton.chains if chain[-1] in skeleton.feet for joint in chain}
    if name == "lower":
        return legs
    if name == "upper":
        return set(range(skeleton.num_joints)) - legs
    if name not in skeleton.joint_names:
        raise InputError(
            f"keep joints: expected {', '.join(GROUPS)}, or joints of {skeleton.name} "
            f"({', '.join(skeleton.joint_names)}), got {name!r}"
        )
    return {skeleton.index(name)}


def _frame_mask(keep: slice | Sequence[slice] | Bool[ndarray, " f"] | None, count: int) -> Bool[Tensor, " f"]:
    """True for frames that are kept."""
    if keep is None:
        return torch.ones(count, dtype=torch.bool)
    if isinstance(keep, np.ndarray):
        if keep.dtype != bool or keep.shape != (count,):
            raise InputError(
                f"keep frames: expected True or False for each of {count} frames, got {keep.dtype} {keep.shape}"
            )
        return torch.from_numpy(keep)
    mask = torch.zeros(count, dtype=torch.bool)
    for part in [keep] if isinstance(keep, slice) else keep:
        inside = all(end is None or -count <= end <= count for end in (part.start, part.stop))
        chosen = list(range(count)[part])
        if not inside or not chosen:
            raise InputError(f"keep frames: expected ranges within the motion's {count} frames, got {_text_of(part)}")
        mask[chosen] = True
    return mask


def _text_of(part: slice) -> str:
    return ":".join("" if end is None else str(end) for end in (part.start, part.stop))


def _joint_values(keep: str | Sequence[str] | None, skeleton: Skeleton) -> Bool[Tensor, " d"]:
    """True for feature values of kept joints; the root's path and height belong to joint 0."""
    names = [*GROUPS] if keep is None else [keep] if isinstance(keep, str) else list(keep)
    chosen = set[int]().union(*(joint_group(name, skeleton) for name in names))
    joints = torch.tensor([joint in chosen for joint in range(skeleton.num_joints)])
    layout = layout_3d(skeleton)
    values = torch.zeros(layout.dim, dtype=torch.bool)
    values[layout.root] = joints[0]
    values[layout.positions] = joints[1:].repeat_interleave(layout.position_dim)
    values[layout.rotations] = joints[1:].repeat_interleave(layout.rotation_dim)
    values[layout.velocities] = joints[list(layout.velocity_joints)].repeat_interleave(layout.position_dim)
    values[layout.contacts] = joints[list(skeleton.feet)]
    return values


def _step_values(skeleton: Skeleton) -> Bool[Tensor, " d"]:
    """True for feature values that describe the step to the next frame."""
    layout = layout_3d(skeleton)
    values = torch.zeros(layout.dim, dtype=torch.bool)
    values[layout.root][:_ROOT_STEP] = True
    values[layout.velocities] = True
    values[layout.contacts] = True
    return values
