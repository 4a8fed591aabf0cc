"""Data types of the toolkit: one small dataclass per concept, validated on construction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.skeleton import HUMANML3D, Skeleton

Domain = Literal["2d", "3d"]
# The camera of a 2D motion: static, moving with its movement removed from the root's path, or moving in an unknown way
# most of the time, so that the root's path is unknown too.
Camera = Literal["still", "compensated", "unknown"]
DOMAINS: tuple[Domain, Domain] = ("2d", "3d")


def _expect(what: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ClipError(f"{what}: expected shape {wanted}, got {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ClipError(f"{what}: expected numbers, got {array.dtype}")


def _expect_frame_rate(what: str, fps: float) -> None:
    if not 0 < fps < np.inf:
        raise ClipError(f"{what}: frame rate must be positive, got {fps}")


@dataclass(frozen=True)
class Keypoints2D:
    """One person's detected keypoints in one video.

    xy: pixel positions, shape (F, K, 2), y down.
    score: confidence, shape (F, K) in [0, 1], 0 where not detected.
    frame: source frame numbers, shape (F,), increasing.
    fps: frame rate of the source.
    size: (width, height) in pixels.
    keypoint_set: name of the set of K keypoints, a key of `pipeline.motion2d.mapping.KEYPOINT_SETS`.
    time: seconds, shape (F,), increasing; by default frame / fps, as in a video of constant frame rate.
    camera: shape (F, 2, 3), affine map from this frame's pixels to the first frame's; the identity for a static camera.
    camera_known: shape (F,), whether the camera's movement since the previous frame is known. Where it is not, the map
    is unchanged.
    world: shape (F, K, 3), where the detector places the keypoints in space: metres, x right, y down, z away from the
    camera, origin between the hips, NaN where it did not; shape (F, 0, 3) without such a detector.
    """

    xy: Float[ndarray, "f k 2"]
    score: Float[ndarray, "f k"]
    frame: ndarray
    fps: float
    size: tuple[int, int]
    keypoint_set: str
    time: Float[ndarray, " f"] = None  # type: ignore[assignment]
    camera: Float[ndarray, "f 2 3"] = None  # type: ignore[assignment]
    camera_known: Bool[ndarray, " f"] = None  # type: ignore[assignment]
    world: Float[ndarray, "f k3 3"] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        _expect("keypoints", self.xy, (None, None, 2))
        _expect("scores", self.score, self.xy.shape[:2])
        _expect("frame numbers", self.frame, self.xy.shape[:1])
        _expect_frame_rate("keypoints", self.fps)
        count = len(self.frame)
        defaults = {
            "time": lambda: self.frame / self.fps,
            "camera": lambda: np.tile(np.eye(2, 3), (count, 1, 1)),
            "camera_known": lambda: np.ones(count, dtype=bool),
            "world": lambda: np.empty((count, 0, 3)),
        }
        for name, default in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default())
        _expect("times", self.time, (count,))
        _expect("camera", self.camera, (count, 2, 3))
        _expect("camera's mask", self.camera_known, (count,))
        _expect("keypoints in space", self.world, (count, self.xy.shape[1] if self.world.shape[1:2] != (0,) else 0, 3))

    def save(self, path: Path) -> None:
        from crossdiff.files import save_npz

        save_npz(
            path,
            xy=self.xy.astype(np.float32),
            score=self.score.astype(np.float32),
            frame=self.frame.astype(np.int32),
            fps=np.float64(self.fps),
            size=np.array(self.size, dtype=np.int32),
            keypoint_set=np.array(self.keypoint_set),
            time=self.time.astype(np.float64),
            camera=self.camera.astype(np.float32),
            camera_known=self.camera_known,
            world=self.world.astype(np.float32),
        )

    @classmethod
    def load(cls, path: Path) -> Keypoints2D:
        from crossdiff.files import load_npz

        names = ("xy", "score", "frame", "fps", "size", "keypoint_set", "time", "camera", "camera_known")
        z = load_npz(path, names, optional=("world",))  # files of older versions have none
        kinds = {"frame": np.int32, "time": np.float64, "camera_known": bool}
        present = [name for name in (*names[:3], *names[6:], "world") if name in z]
        try:
            arrays = {name: z[name].astype(kinds.get(name, np.float32)) for name in present}
            width, height = (int(n) for n in z["size"])
            return cls(**arrays, fps=float(z["fps"]), size=(width, height), keypoint_set=str(z["keypoint_set"]))
        except (ClipError, TypeError, ValueError) as error:
            raise ClipError(f"{path}: not keypoints ({error})") from None


@dataclass(frozen=True)
class Motion2D:
    """One person's joints in the image plane, in the units of the 3D skeleton.

    joints: shape (F, J, 2), y up, body-scaled (metres of the target skeleton), with the root of frame 0 at the origin
    (of every frame, if the camera is unknown; where `path_known` is False, the root stays where it was).
    valid: shape (F, J), True where the joint is visible or interpolated.
    filled: shape (F, J), True where it is interpolated over frames without it.
    start: time of frame 0 in the video, in seconds.
    path_known: shape (F,), True where the root's movement since the frame before is known.
    world: shape (F, J, 3), the joints as the detector itself places them in space, relative to the root, scaled to the
    skeleton's body: metres, x right, y up, z towards the camera; NaN in frames without; shape (F, 0, 3) where the
    detector gives none.
    """

    joints: Float[ndarray, "f j 2"]
    valid: Bool[ndarray, "f j"]
    fps: float
    skeleton: Skeleton = HUMANML3D
    filled: Bool[ndarray, "f j"] = None  # type: ignore[assignment]
    camera: Camera = "still"
    start: float = 0.0
    world: Float[ndarray, "f k 3"] = None  # type: ignore[assignment]
    path_known: Bool[ndarray, " f"] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        _expect("2D motion", self.joints, (None, self.skeleton.num_joints, 2))
        if self.filled is None:
            object.__setattr__(self, "filled", np.zeros(self.joints.shape[:2], dtype=bool))
        if self.world is None:
            object.__setattr__(self, "world", np.empty((len(self.joints), 0, 3), dtype=np.float32))
        if self.path_known is None:
            object.__setattr__(self, "path_known", np.full(len(self.joints), self.camera != "unknown"))
        _expect("2D motion's mask", self.valid, self.joints.shape[:2])
        _expect("2D motion's filled joints", self.filled, self.joints.shape[:2])
        joints_in_space = self.skeleton.num_joints if self.world.shape[1:2] != (0,) else 0
        _expect("2D motion's known path", self.path_known, (len(self.joints),))
        _expect("2D motion's joints in space", self.world, (len(self.joints), joints_in_space, 3))
        _expect_frame_rate("2D motion", self.fps)
        if self.camera not in get_args(Camera):
            raise ClipError(f"2D motion: camera must be one of {', '.join(get_args(Camera))}, got {self.camera!r}")

    def save(self, path: Path) -> None:
        from crossdiff.files import write_bytes

        write_bytes(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of its file."""
        from crossdiff.files import npz_bytes

        return npz_bytes(
            joints=self.joints.astype(np.float32),
            valid=self.valid,
            fps=np.float64(self.fps),
            filled=self.filled,
            camera=np.array(self.camera),
            start=np.float64(self.start),
            world=self.world.astype(np.float32),
            path_known=self.path_known,
        )

    @classmethod
    def load(cls, path: Path, skeleton: Skeleton = HUMANML3D) -> Motion2D:
        from crossdiff.files import load_npz

        names = ("joints", "valid", "fps", "filled", "camera", "start")
        z = load_npz(path, names, optional=("world", "path_known"))  # files of older versions lack these
        camera = cast(Camera, str(z["camera"]))
        world = z.get("world", np.empty((len(z["joints"]), 0, 3)))
        path_known = z.get("path_known", np.full(len(z["joints"]), camera != "unknown"))
        start, fps = float(z["start"]), float(z["fps"])
        return cls(z["joints"], z["valid"], fps, skeleton, z["filled"], camera, start, world, path_known)


@dataclass(frozen=True)
class Motion3D:
    """Joints in space: shape (F, J, 3), metres, Y up; frame rate in frames per second."""

    joints: Float[ndarray, "f j 3"]
    fps: float
    skeleton: Skeleton = HUMANML3D

    def __post_init__(self) -> None:
        _expect("3D motion", self.joints, (None, self.skeleton.num_joints, 3))
        _expect_frame_rate("3D motion", self.fps)
        if not np.isfinite(self.joints).all():
            raise ClipError("3D motion: has NaN or infinite joints; drop the clip or repair it")
