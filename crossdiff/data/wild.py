"""Wild clips: 2D features of a pipeline run with their pseudo 3D labels and captions."""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from crossdiff.data.batch import ClipWindow
from crossdiff.data.captions import read_caption_file
from crossdiff.data.cycles import find_cycle, hold_still, placed_rows, repeated_rows
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npz
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Domain


class WildDataset:
    """Clips of a run folder that have `features2d/ID.npz`, `pseudo3d/ID.npz` and `texts/ID.txt`.

    A clip without captions has the empty one, the null condition. Clips are kept in memory: they are small and read
    often. All pseudo 3D values are used in the loss, 2D values only where they are visible. A clip has the quality of
    its label, 1 without one. With `labelled` off, no labels are read, and the clips have 2D motion only.
    repeat: repeat the cycles of clips in random windows; see `find_cycle`. place_in: frames of the longest windows that
    shorter clips are placed in; see `placed_rows`.
    """

    def __init__(self, run: Path, labelled: bool = True, repeat: bool = False, place_in: int = 0) -> None:
        self._labelled, self._repeat, self._place_in = labelled, repeat, place_in
        folder = "pseudo3d" if labelled else "features2d"
        self.ids = [p.stem for p in sorted((run / folder).glob("*.npz"))]
        self.skipped: dict[str, str] = {}
        self._cycles: dict[int, tuple[int, int] | None] = {}
        self.clips: list[ClipWindow] = []
        self.captions: list[list[str]] = []
        for clip_id in list(self.ids):
            try:
                self._add(run, clip_id)
            except (ClipError, InputError) as error:
                self.skipped[clip_id] = str(error)
                self.ids.remove(clip_id)
        if not self.ids:
            raise InputError(self._why_none(run, folder))
        self.lengths = np.array([c.num_frames for c in self.clips], dtype=int)

    def _why_none(self, run: Path, folder: str) -> str:
        if self._labelled and not self.skipped and any((run / "pseudo3d_filtered").glob("*.npz")):
            return (
                f"{run}: no clip to learn from (all labels were filtered); see crossdiff status {run} --stage pseudo, "
                f"then loosen limits with: crossdiff pseudo-label {run} --set LIMIT=VALUE"
            )
        reason = next(iter(self.skipped.values()), f"{folder}/ is empty")
        command = "pseudo-label" if self._labelled else "build-2d"
        return f"{run}: no clip to learn from ({reason}); run: crossdiff {command} {run}"

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """Hash of features, labels and captions, which identifies the clips."""
        digest = hashlib.sha256()
        for clip_id, clip, captions in zip(self.ids, self.clips, self.captions, strict=True):
            digest.update(f"{clip_id} {captions} {clip.quality}\n".encode())
            for array in (clip.features["3d"], clip.features["2d"], clip.seen):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    @property
    def uncaptioned(self) -> list[str]:
        """Ids of the clips that have no caption."""
        return [clip_id for clip_id, captions in zip(self.ids, self.captions, strict=True) if not any(captions)]

    @property
    def dims(self) -> dict[Domain, int]:
        """Widths of the features, the same for all clips."""
        return {d: x.shape[1] for d, x in self.clips[0].features.items()}

    def _add(self, run: Path, clip_id: str) -> None:
        flat = load_npz(run / "features2d" / f"{clip_id}.npz", ("features", "mask"))
        quality = 1.0
        if self._labelled:
            label = load_npz(run / "pseudo3d" / f"{clip_id}.npz", ("features",), optional=("quality",))
            lifted, quality = label["features"], float(label.get("quality", 1.0))
        else:
            lifted = np.zeros((len(flat["features"]), layout_3d(HUMANML3D).dim))
        text = run / "texts" / f"{clip_id}.txt"
        captions = [c.text for c in read_caption_file(text)] if text.is_file() else []
        clip = ClipWindow(
            {"3d": lifted.astype(np.float32), "2d": flat["features"].astype(np.float32)},
            {"3d": np.full(lifted.shape, self._labelled), "2d": flat["mask"]},
            flat["mask"],
            "",
            wild=True,
            has_3d=self._labelled,
            quality=quality,
        )
        for domain, x in clip.features.items():
            if not len(x) or not np.isfinite(x).all():
                raise ClipError(f"{clip_id}: {domain} features are empty, NaN or infinite")
            if self.clips and x.shape[1] != self.dims[domain]:
                raise ClipError(f"{clip_id}: expected {self.dims[domain]} {domain} values, got {x.shape[1]}")
        self.clips.append(clip)
        self.captions.append(captions or [""])

    def copy(self) -> WildDataset:
        """The same clips with separate labels."""
        other = copy(self)
        other.clips, other._cycles = list(self.clips), {}
        return other

    def _cycle(self, index: int) -> tuple[int, int] | None:
        if index not in self._cycles:
            self._cycles[index] = find_cycle(self.clips[index].features["3d"])
        return self._cycles[index]

    def relabel(self, index: int, features: Float[ndarray, "t d"]) -> None:
        """Replace the pseudo label of a clip."""
        clip = self.clips[index]
        self._cycles.pop(index, None)
        self.clips[index] = replace(clip, features={**clip.features, "3d": features.astype(np.float32)})

    def crop(self, index: int, max_frames: int, rng: Generator) -> ClipWindow:
        """A random caption and a random window of at most `max_frames` frames."""
        clip, captions = self.clips[index], self.captions[index]
        layout = layout_2d(HUMANML3D, "official")
        absolute = self.dims["2d"] == layout.dim  # the root's position is relative to the first frame of the window
        cycle = None if absolute or not self._repeat else self._cycle(index)
        rows, own = np.arange(clip.num_frames), np.ones(clip.num_frames, dtype=bool)
        if cycle is not None:
            rows = repeated_rows(cycle, clip.num_frames, max_frames, rng)
            own = np.ones(len(rows), dtype=bool)
        elif self._place_in and not absolute:
            rows, own = placed_rows(clip.num_frames, min(self._place_in, max_frames), rng)
        length = min(max_frames, len(rows))
        start = int(rng.integers(len(rows) - length + 1))
        rows, own = rows[start : start + length], own[start : start + length]
        features = {d: x[rows] for d, x in clip.features.items()}
        if start and absolute:
            features["2d"][:, layout.root] -= clip.features["2d"][start - 1, layout.root]
        if not own.all():
            hold_still(features["3d"], layout_3d(HUMANML3D), own)
            hold_still(features["2d"], layout_2d(HUMANML3D), own)
        return replace(
            clip,
            features=features,
            trusted={d: x[rows] & own[:, None] for d, x in clip.trusted.items()},
            seen=clip.seen[rows],
            caption=captions[rng.integers(len(captions))],
        )
