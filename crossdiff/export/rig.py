"""A motion as rotations of a skeleton with bones of constant length, found from its joints (inverse kinematics)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from crossdiff.errors import ClipError
from crossdiff.representation.rotations import between, inverse, multiply, rotate, unit
from crossdiff.skeleton import HUMANML3D, Skeleton
from crossdiff.types import Motion3D

Names = Literal["humanml3d", "mixamo", "unreal", "vrm"]
# Joints in the order of `HUMANML3D` as other programs call them, so that their retargeting finds them by name.
JOINT_NAMES: dict[Names, tuple[str, ...]] = {
    "humanml3d": HUMANML3D.joint_names,
    "mixamo": tuple(
        f"mixamorig:{name}"
        for name in (
            "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot",
            "Spine2", "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm",
            "RightArm", "LeftForeArm", "RightForeArm", "LeftHand", "RightHand",
        )
    ),
    "unreal": (
        "pelvis", "thigh_l", "thigh_r", "spine_01", "calf_l", "calf_r", "spine_02", "foot_l", "foot_r", "spine_03",
        "ball_l", "ball_r", "neck_01", "clavicle_l", "clavicle_r", "head", "upperarm_l", "upperarm_r", "lowerarm_l",
        "lowerarm_r", "hand_l", "hand_r",
    ),
    "vrm": (
        "hips", "leftUpperLeg", "rightUpperLeg", "spine", "leftLowerLeg", "rightLowerLeg", "chest", "leftFoot",
        "rightFoot", "upperChest", "leftToes", "rightToes", "neck", "leftShoulder", "rightShoulder", "head",
        "leftUpperArm", "rightUpperArm", "leftLowerArm", "rightLowerArm", "leftHand", "rightHand",
    ),
}  # fmt: skip
# Iterations that alternate between the shape of a branch (directions of its bones) and its rotations.
_ROUNDS = 8
# A bone shorter than this, in metres, has no direction.
_SHORTEST_BONE = 1e-4
# Offsets from the parent in centimetres, of a body about 1.7 m tall, towards the joint's own side of the body. Only the
# directions are used; lengths are those of the motion or of a body.
_DIRECTIONS = {
    "hip": (6, -8, -1), "knee": (4, -38, 0), "ankle": (-2, -43, -4), "foot": (4, -6, 12), "spine1": (0, 12, -3),
    "spine2": (0, 14, 2), "spine3": (0, 6, 0), "neck": (0, 21, -3), "head": (0, 9, 5), "collar": (8, 11, -2),
    "shoulder": (12, 4, -1), "elbow": (26, -1, -3), "wrist": (26, 1, -1),
}  # fmt: skip
# From the last joint of a limb to the end of the body, in metres of the same body.
_ENDS = {"head": (0.0, 0.18, 0.02), "l_foot": (0.0, -0.01, 0.07), "r_foot": (0.0, -0.01, 0.07)}
_ENDS |= {"l_wrist": (0.17, 0.0, 0.0), "r_wrist": (-0.17, 0.0, 0.0)}
# Thigh and shin of that body, metres.
_LEG = 0.82


@dataclass(frozen=True)
class Rig:
    """A skeleton that moves. Y up, metres, quaternions as (w, x, y, z).

    offsets: (J, 3) from each joint's parent at rest, a T-pose facing +Z.
    root: (F, 3) positions of the root joint.
    rotations: (F, J, 4) of each joint relative to its parent (the root's: to the world), the identity at rest; they
    rotate the bones that start at the joint.
    names: (J) of the joints in files; see `JOINT_NAMES`.
    """

    offsets: Float[ndarray, "j 3"]
    root: Float[ndarray, "f 3"]
    rotations: Float[ndarray, "f j 4"]
    fps: float
    skeleton: Skeleton = HUMANML3D
    names: tuple[str, ...] = HUMANML3D.joint_names

    def __post_init__(self) -> None:
        frames, joints = len(self.root), self.skeleton.num_joints
        wanted = {"offsets": (joints, 3), "root": (frames, 3), "rotations": (frames, joints, 4)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ClipError(f"rig: expected {name} of shape {shape}, got {getattr(self, name).shape}")
        if len(self.names) != joints:
            raise ClipError(f"rig: expected {joints} names of joints, got {len(self.names)}")

    def posed(self) -> tuple[Float[ndarray, "f j 3"], Float[ndarray, "f j 4"]]:
        """World positions (metres) and world rotations of the joints: forward kinematics."""
        offsets, local = torch.from_numpy(self.offsets), torch.from_numpy(self.rotations)
        placed = {0: torch.from_numpy(self.root)}
        turned = {0: local[:, 0]}
        for parent, joint in self.skeleton.bones:
            placed[joint] = placed[parent] + rotate(turned[parent], offsets[joint])
            turned[joint] = multiply(turned[parent], local[:, joint])
        order = range(self.skeleton.num_joints)
        positions, rotations = torch.stack([placed[j] for j in order], 1), torch.stack([turned[j] for j in order], 1)
        return positions.numpy(), rotations.numpy()

    def joints(self) -> Float[ndarray, "f j 3"]:
        return self.posed()[0]


def resample_rig(rig: Rig, fps: float) -> Rig:
    """The same movement at another frame rate: rotations by slerp and the root by straight lines, from the first frame.

    The result ends at most one of its frames before the last frame of the rig.
    """
    if fps == rig.fps:
        return rig
    last = len(rig.root) - 1
    count = int(last / rig.fps * fps + 1e-6) + 1
    at = np.minimum(np.arange(count) / fps * rig.fps, last)
    before = np.minimum(at.astype(int), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    share = at - before
    root = rig.root[before] + share[:, None] * (rig.root[after] - rig.root[before])
    start = torch.from_numpy(rig.rotations[before])
    rotations = _slerp(start, torch.from_numpy(rig.rotations[after]), torch.from_numpy(share)[:, None, None])
    return replace(rig, root=root, rotations=rotations.numpy(), fps=fps)


def _slerp(start: torch.Tensor, end: torch.Tensor, share: torch.Tensor) -> Float[torch.Tensor, "f j 4"]:
    """Between unit quaternions, along the shorter arc."""
    cosine = (start * end).sum(-1, keepdim=True)
    end = torch.where(cosine < 0, -end, end)
    angle = cosine.abs().clamp(max=1).acos()
    near = angle < 1e-6  # where sin(angle) would divide by 0, the chord is the arc
    sine = torch.where(near, 1.0, angle.sin())
    first = torch.where(near, 1 - share, ((1 - share) * angle).sin() / sine)
    second = torch.where(near, share, (share * angle).sin() / sine)
    return unit(first * start + second * end)


@dataclass(frozen=True)
class RigFit:
    """A rig, and the mean and largest distance of its joints from those of the motion, in metres."""

    rig: Rig
    mean_error: float
    largest_error: float


def fit_rig(motion: Motion3D, offsets: Float[ndarray, "j 3"] | None = None) -> RigFit:
    """Find the rotations of a skeleton that reproduce a motion (inverse kinematics).

    offsets: the skeleton at rest, such as a body model's; without it bones have their median lengths over the clip, and
    those at the pelvis and the upper spine their relative directions.
    The root keeps its positions. Pelvis and upper spine, where three bones start, get the best rotation (Kabsch). Every
    other bone points from its rotated parent to its end in the motion, by the shortest rotation from its parent's, so
    bones are not twisted. Joints of rigid bones are reproduced exactly; where lengths vary, a bone compensates the
    error of its parent as far as its length allows.
    """
    skeleton, joints = motion.skeleton, np.asarray(motion.joints, dtype=np.float64)
    if skeleton is not HUMANML3D:
        raise ClipError(f"rig: expected the 22 joints of {HUMANML3D.name}, got the skeleton {skeleton.name}")
    if not len(joints):
        raise ClipError("rig: the motion has no frames; drop the clip")
    if offsets is None:
        offsets = own_offsets(joints, skeleton)
    rig = Rig(offsets, joints[:, 0], _solve(joints, offsets, skeleton), motion.fps, skeleton)
    error = np.linalg.norm(rig.joints() - joints, axis=-1)
    return RigFit(rig, float(error.mean()), float(error.max()))


def bone_medians(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, " j"]:
    """Median length over the clip of the bone that ends in each joint; 0 for the root."""
    up = [max(parent, 0) for parent in skeleton.parents]
    return np.median(np.linalg.norm(joints - joints[:, up], axis=-1), axis=0)


def own_offsets(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "j 3"]:
    """A clip's skeleton at rest: a T-pose with its median bone lengths and the shape of its branches."""
    offsets = rest_offsets(bone_medians(joints, skeleton), skeleton)
    for joint, children in _children(skeleton).items():
        if len(children) > 1:
            bones = joints[:, children] - joints[:, [joint]]
            offsets[children] = _branch_shape(bones, offsets[children])
    return offsets


def _children(skeleton: Skeleton) -> dict[int, list[int]]:
    """Children by joint, parents first."""
    children: dict[int, list[int]] = {}
    for parent, joint in skeleton.bones:
        children.setdefault(parent, []).append(joint)
    return children


def _branch_shape(bones: Float[ndarray, "f c 3"], start: Float[ndarray, "c 3"]) -> Float[ndarray, "c 3"]:
    """Bones of a branch as a rigid shape that fits all frames, with the lengths and orientation of `start`."""
    lengths = np.linalg.norm(start, axis=-1, keepdims=True)
    shape = start
    for _ in range(_ROUNDS):
        back = _best_rotations(shape, bones).inv()
        mean = np.mean([back.apply(bones[:, c]) for c in range(len(shape))], axis=1)
        size = np.linalg.norm(mean, axis=-1, keepdims=True)
        shape = np.where(
            size > _SHORTEST_BONE, mean / np.maximum(size, _SHORTEST_BONE), shape / np.maximum(lengths, _SHORTEST_BONE)
        )
        shape = shape * lengths
    return np.asarray(_best_rotations(shape, start[None]).apply(shape))


def _best_rotations(shape: Float[ndarray, "c 3"], bones: Float[ndarray, "f c 3"]) -> Rotation:
    """The rotation of the shape that fits the bones best, for each frame (Kabsch)."""
    u, _, vt = np.linalg.svd(np.einsum("fci,cj->fij", bones, shape))
    # Proper rotations only.
    u[..., -1] *= np.linalg.det(u @ vt)[:, None]
    return Rotation.from_matrix(u @ vt)


def _solve(joints: ndarray, offsets: ndarray, skeleton: Skeleton) -> Float[ndarray, "f j 4"]:
    """Local rotations, from the root outwards."""
    target, rest = torch.from_numpy(joints), torch.from_numpy(offsets)
    identity = target.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(joints), 4)
    local = [identity] * skeleton.num_joints
    placed, before = {0: target[:, 0]}, {0: identity}
    for joint, children in _children(skeleton).items():
        if len(children) > 1:
            bones = (target[:, children] - placed[joint][:, None]).numpy()
            x, y, z, w = _best_rotations(offsets[children], bones).as_quat().T
            world = torch.from_numpy(np.stack([w, x, y, z], axis=-1))
        else:
            (child,) = children
            resting = rotate(before[joint], unit(rest[child]))
            world = multiply(between(resting, unit(target[:, child] - placed[joint])), before[joint])
        local[joint] = unit(multiply(inverse(before[joint]), world))
        for child in children:
            placed[child], before[child] = placed[joint] + rotate(world, rest[child]), world
    return torch.stack([_continuous(q) for q in local], dim=1).numpy()


def _continuous(quaternions: torch.Tensor) -> torch.Tensor:
    """Choose between q and -q, the same rotation, by the previous frame, so that interpolation takes the short way."""
    steps = (quaternions[1:] * quaternions[:-1]).sum(-1)
    flips = torch.where(steps < 0, -1.0, 1.0).to(quaternions).cumprod(0)
    return torch.cat([quaternions[:1], quaternions[1:] * flips[:, None]])


def rest_directions(skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "j 3"]:
    """Unit direction of the bone that ends in each joint; zero for the root."""
    directions = np.zeros((skeleton.num_joints, 3))
    for _, joint in skeleton.bones:
        name = skeleton.joint_names[joint]
        side = {"l_": 1.0, "r_": -1.0}.get(name[:2])
        direction = np.multiply(
            _DIRECTIONS[name if side is None else name[2:]], (1.0 if side is None else side, 1.0, 1.0)
        )
        directions[joint] = direction / np.linalg.norm(direction)
    return directions


def rest_offsets(lengths: Float[ndarray, " j"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "j 3"]:
    """Offsets from the parents in the T-pose, metres, for bones of these lengths (as in `Skeleton.body`)."""
    return rest_directions(skeleton) * np.asarray(lengths, dtype=np.float64)[:, None]


def end_offsets(offsets: Float[ndarray, "j 3"], skeleton: Skeleton = HUMANML3D) -> dict[int, Float[ndarray, " 3"]]:
    """From each last joint to the end of the body (crown, finger tips, toes), scaled by the legs."""
    leg = float(np.linalg.norm(offsets[list(skeleton.scaling)], axis=-1).sum())
    return {skeleton.index(name): np.array(end) * leg / _LEG for name, end in _ENDS.items()}
