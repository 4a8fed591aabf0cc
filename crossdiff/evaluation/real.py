"""The real clips of a split as an evaluation reads them, and their cached embeddings."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.captions import Caption
from crossdiff.data.mocap import MocapDataset, clip_span
from crossdiff.evaluators.evaluators import Evaluator
from crossdiff.evaluators.shared_captions import SharedCaptions
from crossdiff.files import load_npz, save_npz
from crossdiff.progress import track
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import MotionMeasures, measure_motion
from crossdiff.skeleton import Skeleton

log = logging.getLogger(__name__)
_UNIT = 4


class RealClips:
    """Clips of a split, each cropped to the span of one of its captions, to a multiple of 4 frames."""

    def __init__(self, data: MocapDataset, max_frames: int) -> None:
        self.data, self.max_frames = data, max_frames

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def shared(self) -> SharedCaptions:
        return SharedCaptions(self.data.captions)

    def caption(self, clip: int, choice: int) -> Caption:
        return self.data.captions[clip][choice]

    def span(self, clip: int, choice: int) -> tuple[int, int]:
        """First frame, and the frame after the last."""
        start, stop = clip_span(self.caption(clip, choice), int(self.data.lengths[clip]), self.data.skeleton)
        frames = min(stop - start, self.max_frames)
        return start, start + (frames // _UNIT * _UNIT if frames >= _UNIT else frames)

    def draw_captions(self, rng: np.random.Generator) -> ndarray:
        """Draw the index of a caption for every clip."""
        return np.array([rng.integers(len(captions)) for captions in self.data.captions])

    @cached_property
    def spans(self) -> list[tuple[int, int, int]]:
        """Every different (clip, start, stop) that a caption describes."""
        every = ((i, *self.span(i, k)) for i, cs in enumerate(self.data.captions) for k in range(len(cs)))
        return sorted(set(every))

    @cached_property
    def row(self) -> dict[tuple[int, int, int], int]:
        return {span: row for row, span in enumerate(self.spans)}

    def rows(self, clips: Sequence[int] | ndarray, choices: ndarray) -> ndarray:
        """Rows of `embeddings` and `measures` of clips with their chosen captions."""
        return np.array([self.row[(int(i), *self.span(int(i), int(choices[i])))] for i in clips])

    def features(self, clip: int, start: int, stop: int) -> Float[ndarray, "t d"]:
        return self.data.packed.features(clip, start, stop)

    def embeddings(self, evaluator: Evaluator, evaluator_hash: str) -> Float[ndarray, "n e"]:
        """Embeddings of every span, cached in the dataset's folder."""
        inputs = f"{evaluator_hash} {self.data.fingerprint()} {self.data.packed.key} {self.max_frames}"
        key = hashlib.sha256(inputs.encode()).hexdigest()[:12]
        path = self.data.folder / f"real_{self.data.split}_{key}.npz"
        if path.is_file():
            cached = load_npz(path, ("embeddings",))["embeddings"]
            if cached.shape == (len(self.spans), evaluator.config.dim):
                return cached
        chunks = [self.spans[i : i + 512] for i in range(0, len(self.spans), 512)]
        what = f"embed real motion ({evaluator.config.kind} {evaluator.config.part})"
        embedded = [evaluator.embed_motion([self.features(*span) for span in chunk]) for chunk in track(chunks, what)]
        embeddings = np.concatenate(embedded)
        try:
            save_npz(path, embeddings=embeddings)
        except OSError as error:
            log.warning("%s: embeddings are not cached (%s)", path, error.strerror)
        return embeddings

    @cached_property
    def measures(self) -> list[MotionMeasures]:
        """Measures of every span, from joints computed from its features, as for generated motion."""
        skeleton = self.data.skeleton
        return [measure_features(self.features(*span), skeleton) for span in track(self.spans, "measure real motion")]


def measure_features(features: Float[ndarray, "t d"], skeleton: Skeleton) -> MotionMeasures:
    """Measures of a motion given as features (not normalised)."""
    joints = features_to_joints(torch.from_numpy(features), skeleton) * skeleton.metres_per_unit
    return measure_motion(joints.numpy(), skeleton)
