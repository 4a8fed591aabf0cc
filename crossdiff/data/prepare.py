"""Raw motion, or published features -> a HumanML3D folder: features, captions, splits, statistics, what is left out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from pydantic import Field

from crossdiff.config import Config
from crossdiff.data.bvh import JointMap
from crossdiff.data.captions import Caption, keep_captions, mirror_caption
from crossdiff.data.published import PublishedFolder
from crossdiff.data.sources import SPLITS, RawClip, RawSource, open_source
from crossdiff.data.tally import BAD_LINE, CUT_OFF, ClipResult, LeftOut, PrepareSummary, Tally, Written
from crossdiff.errors import ClipError, ConfigError, InputError
from crossdiff.files import save_npy, write_text
from crossdiff.progress import track
from crossdiff.representation.features3d import canonicalise, joints_to_features_3d, retarget
from crossdiff.representation.layouts import Layout2D
from crossdiff.skeleton import SKELETONS, Skeleton

log = logging.getLogger(__name__)

T = TypeVar("T")
# Half of the time goes by waiting for files to be synced; the rest mostly runs without Python's lock.
_THREADS = 4
_CHUNK = 64


class PrepareConfig(Config):
    """How motion becomes a dataset. null: as the source says, else the skeleton's default."""

    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    """Skeleton of the dataset."""
    layout_2d: Layout2D = "paper"
    """Layout of the 2D features, as the model will read them."""
    fps: float | None = Field(None, gt=0)
    """Frame rate of the source."""
    metres_per_unit: float | None = Field(None, gt=0)
    """Unit of length of joint arrays, in metres."""
    min_frames: int | None = Field(None, ge=2)
    """Fewest feature frames of a clip, after resampling."""
    max_frames: int = Field(199, ge=2)
    """Length that longer clips are cropped to."""
    retarget: bool = True
    """Scale every body to the skeleton's target body."""
    mirror: bool = True
    """Add a mirrored copy of every clip."""
    parity: bool = False
    """Keep HumanML3D's flaw in the yaw velocity; see `joints_to_features_3d`."""
    val_share: float = Field(0.05, ge=0, lt=1)
    """Fraction of the clips for validation, where the source has no splits."""
    test_share: float = Field(0.15, ge=0, lt=1)
    """Fraction of the clips for testing, where the source has no splits."""
    max_bad_share: float = Field(0.05, ge=0, le=1)
    """Fraction of broken clips, or unreadable caption lines, above which preparing fails."""


def prepare(
    source: Path,
    out: Path,
    cfg: PrepareConfig | None = None,
    joint_map: JointMap | None = None,
    body_models: Path | None = None,
    index: Path | None = None,
) -> PrepareSummary:
    """Write `new_joints/`, `new_joint_vecs/`, `texts/`, split lists, `Mean.npy`, `Std.npy` (3D), `Mean2d.npy`, ...

    Published features (`new_joint_vecs/` in the source) are kept; other motions are converted. Without any caption
    files, clips have no captions and train the null condition. Statistics are those of the training split; for 2D
    features, of its four orthographic side views. Omitted clips and captions are listed in `left_out.csv` with reasons;
    too many broken ones are an error.
    """
    cfg = cfg or PrepareConfig()
    if out.resolve() == (source if source.is_dir() else source.parent).resolve():
        raise InputError(f"{out}: is the source; name another folder with --out (published arrays are hard-linked)")
    published = PublishedFolder.find(source)
    if published is not None:
        return _take_over(published, out, cfg)
    if joint_map is not None and joint_map.skeleton != cfg.skeleton:
        raise ConfigError(f"joint map: for {joint_map.skeleton}, but the dataset is to be {cfg.skeleton}; set skeleton")
    raw = open_source(source, joint_map, body_models, index)
    skeleton = SKELETONS[cfg.skeleton]
    tally = Tally(skeleton, cfg.layout_2d)
    for clip_id in raw.absent:
        tally.add(ClipResult(left_out=[LeftOut(clip_id, "listed, but without a motion", broken=True)]))
    _begin(out)
    for outcome in _in_threads(_Maker(raw, out, skeleton, cfg), raw.clips):
        tally.add(outcome)
    tally.check(cfg.max_bad_share)
    return tally.finish(out, source=raw.kind, config=cfg.model_dump())


def _take_over(published: PublishedFolder, out: Path, cfg: PrepareConfig) -> PrepareSummary:
    min_frames = cfg.min_frames or published.skeleton.min_frames
    tally = Tally(published.skeleton, cfg.layout_2d)
    splits = published.splits or {i: _drawn_split(i, cfg) for i in published.ids}

    def place(clip_id: str) -> ClipResult:
        return published.place(clip_id, splits[clip_id], out, min_frames, cfg.max_frames)

    for clip_id in published.ids:
        if clip_id not in splits:
            tally.add(ClipResult(left_out=[LeftOut(clip_id, "in no split list")]))
    _begin(out)
    for outcome in _in_threads(place, list(splits)):
        tally.add(outcome)
    tally.check(cfg.max_bad_share)
    config = cfg.model_dump() | {"skeleton": published.skeleton.name, "mirror": False, "retarget": False}
    return tally.finish(out, published.statistics(), source="published", config=config)


def _begin(out: Path) -> None:
    """Delete the lists of an existing dataset, so that it is not read while its arrays are replaced."""
    for name in ("dataset.json", *(f"{split}.txt" for split in SPLITS)):
        (out / name).unlink(missing_ok=True)


def _in_threads(work: Callable[[T], ClipResult], items: Sequence[T]) -> Iterator[ClipResult]:
    """Results in the order of the items, with a progress bar; in chunks, to bound the memory."""
    with ThreadPoolExecutor(_THREADS) as pool:
        chunks = (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))
        yield from track((outcome for chunk in chunks for outcome in pool.map(work, chunk)), "prepare", len(items))


class _Maker:
    """Computes and writes the features of a clip and of its mirrored copy."""

    def __init__(self, raw: RawSource, out: Path, skeleton: Skeleton, cfg: PrepareConfig) -> None:
        self.raw, self.out, self.skeleton, self.cfg = raw, out, skeleton, cfg
        self.min_frames = cfg.min_frames or skeleton.min_frames
        self.ids = {clip.id for clip in raw.clips}

    def __call__(self, clip: RawClip) -> ClipResult:
        joints = self._joints(clip)
        if isinstance(joints, LeftOut):
            _, left, lines = self._captions(clip.id, 0)
            return ClipResult([], [*left, joints], lines)
        frames = len(joints) - 1
        captions, left, lines = self._captions(clip.id, frames)
        joints = joints[: self.cfg.max_frames + 1]
        split = self._split_of(clip.id)
        if not captions and self.raw.texts:
            left.append(LeftOut(clip.id, "without a caption"))
        elif len(joints) - 1 < self.min_frames:
            left.append(LeftOut(clip.id, f"shorter than {self.min_frames} frames", f"{len(joints) - 1} frames"))
        elif split is None:
            left.append(LeftOut(clip.id, "in no split list"))
        else:
            written = [self._write(clip.id, joints, captions, split)]
            if self.cfg.mirror and not self._mirrored_already(clip.id):
                flipped = joints[:, list(self.skeleton.mirror)] * np.array([-1.0, 1.0, 1.0], dtype=joints.dtype)
                # HumanML3D has separate captions for mirrored copies.
                own, bad, more = self._captions(f"M{clip.id}", frames)
                left, lines = left + bad, lines + more
                mirrored = own or [mirror_caption(c) for c in captions]
                written.append(self._write(f"M{clip.id}", flipped, mirrored, split))
            return ClipResult(written, left, lines)
        return ClipResult([], left, lines)

    def _joints(self, clip: RawClip) -> np.ndarray | LeftOut:
        """Joints of the clip's span, in the skeleton's unit and at its frame rate."""
        try:
            motion = clip.read()
        except (ClipError, InputError) as error:
            log.info("%s", error)
            return LeftOut(clip.id, "not readable", str(error), broken=True)
        joints, count = motion.joints, self.skeleton.num_joints
        if joints.dtype.kind not in "fiu" or joints.ndim != 3 or joints.shape[1:] != (count, 3):
            return LeftOut(clip.id, f"not of shape (frames, {count}, 3)", str(joints.shape), broken=True)
        if not np.isfinite(joints).all():
            return LeftOut(clip.id, "with NaN or infinite joints", broken=True)
        fps = self.cfg.fps or motion.fps or self.skeleton.fps
        unit = motion.metres_per_unit or self.cfg.metres_per_unit or self.skeleton.metres_per_unit
        resampled = resample(joints.astype(np.float32), fps, self.skeleton.fps)
        if unit != self.skeleton.metres_per_unit:
            resampled = resampled * np.float32(unit / self.skeleton.metres_per_unit)
        if clip.span is None:
            return resampled
        start, stop = (None if s is None else round(s * self.skeleton.fps) for s in clip.span)
        return resampled[start:stop]

    def _split_of(self, clip_id: str) -> str | None:
        return self.raw.splits.get(clip_id) if self.raw.splits else _drawn_split(clip_id, self.cfg)

    def _mirrored_already(self, clip_id: str) -> bool:
        """Whether the source holds both a clip and its mirrored copy, as HumanML3D's own folders do (ID and MID)."""
        return f"M{clip_id}" in self.ids or (clip_id.startswith("M") and clip_id[1:] in self.ids)

    def _captions(self, clip_id: str, frames: int) -> tuple[list[Caption], list[LeftOut], int]:
        """Captions of a clip of this length, the omitted ones, and the number of all lines."""
        good, bad = self.raw.captions(clip_id)
        kept, cut_off = keep_captions(good, frames, self.cfg.max_frames, self.skeleton.fps)
        left = [LeftOut(clip_id, BAD_LINE, why) for why in bad] + [LeftOut(clip_id, CUT_OFF, c.line) for c in cut_off]
        return kept, left, len(good) + len(bad)

    def _write(self, clip_id: str, joints: np.ndarray, captions: list[Caption], split: str) -> Written:
        motion = torch.from_numpy(np.ascontiguousarray(joints))
        if self.cfg.retarget and self.skeleton.body is not None:
            motion = retarget(motion, torch.tensor(self.skeleton.body), self.skeleton)
        features = joints_to_features_3d(motion, self.skeleton, self.cfg.parity).numpy()
        placed = canonicalise(motion, self.skeleton).numpy()
        save_npy(self.out / "new_joint_vecs" / f"{clip_id}.npy", features)
        save_npy(self.out / "new_joints" / f"{clip_id}.npy", placed)
        write_text(self.out / "texts" / f"{clip_id}.txt", "".join(c.line + "\n" for c in captions))
        return Written(clip_id, split, features, placed, len(captions))


def _drawn_split(clip_id: str, cfg: PrepareConfig) -> str:
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
