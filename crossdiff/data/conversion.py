"""A clip of raw motion -> features, joints and captions of the dataset, with its mirrored copy."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from crossdiff.data.captions import Caption, keep_captions, mirror_caption, window_captions
from crossdiff.data.events import event_captions
from crossdiff.data.on_the_spot import on_the_spot, spot_caption
from crossdiff.data.plausible import bone_names, bones_without_length, check_frame_rate, check_joints, rebuild_end
from crossdiff.data.sources import RawClip, RawSource
from crossdiff.data.tally import BAD_LINE, CUT_OFF, LONG, ClipResult, LeftOut, Written
from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, save_npy, write_text
from crossdiff.representation.features3d import canonicalise, joints_to_features_3d, retarget
from crossdiff.skeleton import HUMANML3D, Skeleton

if TYPE_CHECKING:
    from crossdiff.data.prepare import PrepareConfig

log = logging.getLogger(__name__)

# Features and placed joints of a clip.
_Features = tuple[np.ndarray, np.ndarray]
# Every eighth training clip of walking or running straight ahead is also written on the spot.
_SPOT_EVERY = 8


class ClipConverter:
    """Computes and writes the features of a clip and of its mirrored copy."""

    def __init__(
        self,
        raw: RawSource,
        out: Path,
        skeleton: Skeleton,
        cfg: PrepareConfig,
        names: Sequence[str],
        ids: Collection[str],
    ) -> None:
        """names, ids: those of all clips that become part of the dataset, also of other sources."""
        self.raw, self.out, self.skeleton, self.cfg = raw, out, skeleton, cfg
        self.min_frames = cfg.min_frames or skeleton.min_frames
        self.ids = ids
        self.window = next(mark for n in itertools.count() if not _any_window(names, mark := "_" * n + "_w"))

    def __call__(self, clip: RawClip) -> ClipResult:
        """The features are computed before any is written: an unusable clip leaves nothing."""
        good, left, lines = self._captions(clip.id)
        try:
            # Whatever is wrong with a clip costs the clip alone; the disk is not touched here.
            with decoding(clip.id, "usable motion", ClipError):
                joints, rebuilt = self._joints(clip)
                pieces = self._pieces(joints) if len(joints) > self.min_frames else []
                features = [self._features(joints[start : stop + 1]) for start, stop in pieces]
        except (ClipError, InputError) as error:
            log.info("%s: %s", clip.id, error)
            broken = error if isinstance(error, _Unfit) else _Unfit("not readable", str(error))
            return ClipResult([], [*left, LeftOut(clip.id, broken.reason, broken.detail, broken=True)], lines)
        left += rebuilt
        frames = max(len(joints) - 1, 0)
        split = self._split_of(clip.id)
        spot: ClipResult | None = None
        if self.cfg.describe and split == "train" and self.skeleton == HUMANML3D:
            seed = int(hashlib.sha256(clip.id.encode()).hexdigest()[:8], 16)
            spot = self._on_the_spot(clip, joints, good, seed) if pieces else None
            good = [*good, *event_captions(joints, self.skeleton, seed)]
        if not good and self.raw.texts:
            left.append(LeftOut(clip.id, "without a caption"))
        elif not pieces:
            left.append(LeftOut(clip.id, f"shorter than {self.min_frames} frames", f"{len(joints) - 1} frames"))
        elif split is None:
            left.append(LeftOut(clip.id, "in no split list"))
        else:
            made = self._written(clip, split, good, pieces, features, ClipResult([], left, lines, frames))
            if spot is None:
                return made
            return replace(made, written=[*made.written, *spot.written], left_out=[*made.left_out, *spot.left_out])
        return ClipResult([], left, lines, frames)

    def _on_the_spot(self, clip: RawClip, joints: np.ndarray, captions: list[Caption], seed: int) -> ClipResult | None:
        """The same motion on the spot, of some clips."""
        caption = spot_caption(captions, seed) if seed % _SPOT_EVERY == 0 else None
        still = on_the_spot(joints[: self.cfg.max_frames + 1], self.skeleton) if caption is not None else None
        if caption is None or still is None or len(still) <= self.min_frames:
            return None
        named = replace(clip, id=f"{clip.id}_spot", name=f"{clip.name}_spot")
        try:
            features = [self._features(still)]
        except ClipError as error:  # the clip itself is good
            return ClipResult([], [LeftOut(named.id, "not plausible", str(error))])
        return self._written(named, "train", [caption], [(0, len(still) - 1)], features, ClipResult())

    def _written(
        self,
        clip: RawClip,
        split: str,
        captions: list[Caption],
        pieces: list[tuple[int, int]],
        features: list[list[_Features]],
        outcome: ClipResult,
    ) -> ClipResult:
        """Write the windows of a clip and their mirrored copies; returns `outcome` with them."""
        written, left, lines, frames = outcome.written, outcome.left_out, outcome.lines, outcome.frames
        versions = {"": captions}
        if self.cfg.mirror and not self._mirrored_already(clip.id):
            # HumanML3D has separate captions for mirrored copies.
            own, bad, more = self._captions(f"M{clip.id}")
            left, lines = left + bad, lines + more
            versions["M"] = own or [mirror_caption(c) for c in captions]
        for mark, of_all in versions.items():
            kept = [self._of_piece(of_all, piece, frames, len(pieces)) for piece in pieces]
            lost = [c for c in of_all if len(pieces) == 1 and c not in kept[0]]
            left += [LeftOut(f"{mark}{clip.id}", CUT_OFF, c.line) for c in lost]
            for n, (piece, made, own) in enumerate(zip(pieces, features, kept, strict=True)):
                name = f"{mark}{clip.name}" + (f"{self.window}{n}" if len(pieces) > 1 else "")
                if own or not self.raw.texts:
                    written.append(self._write(name, made[bool(mark)], own, split, bool(mark)))
                elif not mark:
                    left.append(LeftOut(name, "without a caption", f"frames {piece[0]} to {piece[1]} of {clip.id}"))
        used = sum(stop - start for start, stop in pieces)
        if used < frames:
            left.append(LeftOut(clip.id, LONG, f"{frames - used} of {frames} frames"))
        return ClipResult(written, left, lines, frames)

    def _pieces(self, joints: np.ndarray) -> list[tuple[int, int]]:
        """First frame and frame after the last of each window of the clip's features."""
        frames, longest = len(joints) - 1, self.cfg.max_frames
        if frames <= longest or self.cfg.long_clips == "crop":
            return [(0, min(frames, longest))]
        parts = -(-frames // longest)
        if frames // parts < self.min_frames:  # equal windows would be too short: the end is left out
            return [(n * longest, (n + 1) * longest) for n in range(frames // longest)]
        bounds = np.linspace(0, frames, parts + 1).round().astype(int).tolist()
        return list(itertools.pairwise(bounds))

    def _of_piece(self, captions: list[Caption], piece: tuple[int, int], frames: int, pieces: int) -> list[Caption]:
        if pieces == 1:
            return keep_captions(captions, frames, self.cfg.max_frames, self.skeleton.fps)[0]
        start, stop = (frame / self.skeleton.fps for frame in piece)
        return window_captions(captions, start, stop, frames / self.skeleton.fps)

    def _joints(self, clip: RawClip) -> tuple[np.ndarray, list[LeftOut]]:
        """Joints of the clip's span, in the skeleton's unit and at its frame rate; and what was rebuilt in them."""
        motion = clip.read()
        joints, count = motion.joints, self.skeleton.num_joints
        if joints.dtype.kind not in "fiu" or joints.ndim != 3 or joints.shape[1:] != (count, 3):
            raise _Unfit(f"not of shape (frames, {count}, 3)", str(joints.shape))
        if not np.isfinite(joints).all():
            raise _Unfit("with NaN or infinite joints")
        fps = self.cfg.fps or motion.fps or self.skeleton.fps
        unit = motion.metres_per_unit or self.cfg.metres_per_unit or self.skeleton.metres_per_unit
        rebuilt: list[LeftOut] = []
        try:
            check_frame_rate(fps)
            check_joints(joints * unit)
            if len(joints) and (flat := bones_without_length(joints, self.skeleton)):
                names = bone_names(flat, self.skeleton)
                ends = set(range(self.skeleton.num_joints)) - set(self.skeleton.parents)
                if len(flat) > 1 or flat[0] not in ends or self.skeleton.body is None:
                    raise ClipError(f"bones without length: {names}; check the joint map")
                joints = rebuild_end(joints, flat[0], self.skeleton)
                rebuilt.append(LeftOut(clip.id, "end joints rebuilt from the target body", names))
        except ClipError as error:
            raise _Unfit("not plausible", str(error)) from None
        resampled = resample(joints.astype(np.float32), fps, self.skeleton.fps)
        if unit != self.skeleton.metres_per_unit:
            resampled = resampled * np.float32(unit / self.skeleton.metres_per_unit)
        if clip.span is None:
            return resampled, rebuilt
        start, stop = (None if s is None else round(s * self.skeleton.fps) for s in clip.span)
        return resampled[start:stop], rebuilt

    def _split_of(self, clip_id: str) -> str | None:
        return self.raw.splits.get(clip_id) if self.raw.splits else drawn_split(clip_id, self.cfg)

    def _mirrored_already(self, clip_id: str) -> bool:
        """Whether the source holds both a clip and its mirrored copy, as HumanML3D's own folders do (ID and MID)."""
        return f"M{clip_id}" in self.ids or (clip_id.startswith("M") and clip_id[1:] in self.ids)

    def _captions(self, clip_id: str) -> tuple[list[Caption], list[LeftOut], int]:
        """Captions of a clip, the unreadable ones, and the number of all lines."""
        good, bad = self.raw.captions(clip_id)
        return good, [LeftOut(clip_id, BAD_LINE, why) for why in bad], len(good) + len(bad)

    def _features(self, joints: np.ndarray) -> list[_Features]:
        """Features of a clip and, if wanted, of its mirrored copy."""
        versions = [joints]
        if self.cfg.mirror:
            versions.append(joints[:, list(self.skeleton.mirror)] * np.array([-1.0, 1.0, 1.0], dtype=joints.dtype))
        made = []
        for version in versions:
            motion = torch.from_numpy(np.ascontiguousarray(version))
            if self.cfg.retarget and self.skeleton.body is not None:
                motion = retarget(motion, torch.tensor(self.skeleton.body), self.skeleton)
            features = joints_to_features_3d(motion, self.skeleton, self.cfg.parity).numpy()
            placed = canonicalise(motion, self.skeleton).numpy()
            if not (np.isfinite(features).all() and np.isfinite(placed).all()):
                raise _Unfit("not plausible", "its features are not finite; check the skeleton's joints")
            made.append((features, placed))
        return made

    def _write(self, name: str, made: _Features, captions: list[Caption], split: str, mirrored: bool) -> Written:
        features, placed = made
        save_npy(self.out / "new_joint_vecs" / f"{name}.npy", features)
        save_npy(self.out / "new_joints" / f"{name}.npy", placed)
        write_text(self.out / "texts" / f"{name}.txt", "".join(c.line + "\n" for c in captions))
        return Written(name, split, features, placed, len(captions), mirrored)


class _Unfit(ClipError):
    """A clip that cannot be used."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def _any_window(names: Sequence[str], mark: str) -> bool:
    """Whether a clip has a name as windows with this mark would have."""
    return any(re.search(rf"{mark}\d+$", name) for name in names)


def drawn_split(clip_id: str, cfg: PrepareConfig) -> str:
    """A split by a hash of the clip's name, which does not depend on the other clips."""
    draw = int(hashlib.sha256(clip_id.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    if draw < cfg.test_share:
        return "test"
    return "val" if draw < cfg.test_share + cfg.val_share else "train"


def resample(joints: np.ndarray, fps: float, target_fps: float) -> np.ndarray:
    """Linear interpolation of (F, J, C) to another frame rate; the first frame is kept."""
    if fps == target_fps or len(joints) < 2:
        return joints
    last = len(joints) - 1
    # Frame times are rounded in files, so the last frame may appear slightly early.
    count = int(last / fps * target_fps + 1e-3) + 1
    times = np.minimum(np.arange(count) / target_fps * fps, last)
    low = np.minimum(times.astype(int), last - 1)
    part = (times - low)[:, None, None].astype(joints.dtype)
    return joints[low] * (1 - part) + joints[low + 1] * part
