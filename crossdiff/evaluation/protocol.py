"""Evaluation of a text-to-motion model in replications, which are resumed after an interruption.

A replication shuffles the split's clips, draws a caption for each, drops the last partial batch, and generates and
embeds a motion of each remaining clip's true length. Its embeddings are written to one file, so that replications can
run in any order, in any number of processes, and never twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy import ndarray

from crossdiff.checkpoint import load_model, weights_hash
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.sampling import sample
from crossdiff.errors import ConfigError, InputError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.plan import ReplicationPlan, check_protocol, evaluated_clips, make_plan
from crossdiff.evaluation.real import RealClips, measure_features
from crossdiff.evaluators.body_parts import PARTS
from crossdiff.evaluators.evaluators import Evaluator, fingerprint, is_evaluator, load_evaluator
from crossdiff.files import load_npz, save_npz
from crossdiff.models import CrossDiffModel
from crossdiff.representation.physics import MotionMeasures
from crossdiff.text import CachedEmbeddings

KINDS = ("t2m", "tmr")
# Parts of the seeds that separate a replication's motions from those for multimodality.
_MOTION, _MODES = 0, 1
OnMotions = Callable[[int], None]


@dataclass(frozen=True)
class SampleRequest:
    """One motion to generate: a clip, the index of its caption, and the numbers that make its seed."""

    clip: int
    choice: int
    key: tuple[int, ...]

    @property
    def seed(self) -> int:
        return int(np.random.SeedSequence(self.key).generate_state(1)[0])


class Generator:
    """The evaluated model: turns requests into features (T, D), batched by length."""

    def __init__(self, model: CrossDiffModel, real: RealClips, cfg: EvaluationConfig) -> None:
        self.model, self.real, self.cfg = model, real, cfg
        config = model.config
        self._text = CachedEmbeddings(
            config.text_encoder, real.data.folder, config.text_fingerprint, config.text == "sequence"
        )

    def __call__(self, requests: Sequence[SampleRequest], on_motions: OnMotions) -> tuple[list[ndarray], float]:
        """Motions in the order of the requests, and the seconds that sampling took."""
        spans = [self.real.span(r.clip, r.choice) for r in requests]
        lengths = np.array([stop - start for start, stop in spans])
        captions = [self.real.caption(r.clip, r.choice).text for r in requests]
        self._text.add(captions)
        motions: list[ndarray] = [np.empty(0)] * len(requests)
        seconds = 0.0
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), self.cfg.batch_size):
            rows = order[start : start + self.cfg.batch_size]
            text = self._text([captions[i] for i in rows], self.model.config.text_dim)
            began = time.perf_counter()
            x = sample(self.model, text, lengths[rows].tolist(), self.cfg.sampling, [requests[i].seed for i in rows])
            features = self.model.denormalize("3d", x).cpu().numpy()
            seconds += time.perf_counter() - began
            for row, i in enumerate(rows):
                motions[i] = features[row, : lengths[i]]
            on_motions(len(rows))
        return motions, seconds


class ReplicationRunner:
    """Runs replications; holds the split, the evaluators, the embeddings of real motion, and the model."""

    def __init__(self, cfg: EvaluationConfig, checkpoint: Path, data: Path, evaluators: Path, device: str) -> None:
        self.checkpoint, self.device = checkpoint, device
        self.folders = find_evaluators(evaluators)
        self.model = load_model(checkpoint, device)
        self.cfg = cfg = cfg.model_copy(update={"sampling": cfg.sampling.for_model(self.model.config)})
        self.model.check_statistics(checkpoint, "3d")
        dataset = MocapDataset(data, cfg.split, self.model.config.layout_2d)
        if dataset.skeleton != self.model.skeleton:
            raise ConfigError(
                f"{data}: has the skeleton {dataset.skeleton.name}, the model {self.model.skeleton.name}; "
                "evaluate on a dataset of the model's skeleton"
            )
        self.real = RealClips(dataset, self.model.config.max_frames)
        check_protocol(self.real, cfg)
        self.hashes = {name: fingerprint(folder) for name, folder in self.folders.items()}
        self.evaluators: dict[str, Evaluator] = {n: load_evaluator(f, device, data) for n, f in self.folders.items()}
        for name, evaluator in self.evaluators.items():
            if evaluator.config.skeleton != dataset.skeleton.name:
                raise ConfigError(
                    f"{self.folders[name]}: reads the skeleton {evaluator.config.skeleton}, the dataset has "
                    f"{dataset.skeleton.name}; train evaluators on it"
                )
        self.generator = Generator(self.model, self.real, cfg)

    @cached_property
    def real_embeddings(self) -> dict[str, ndarray]:
        return {name: self.real.embeddings(e, self.hashes[name]) for name, e in self.evaluators.items()}

    def inputs(self) -> dict[str, str]:
        """Hashes of the model, data and evaluators."""
        return {
            "model": weights_hash(self.checkpoint),
            "data": self.real.data.fingerprint(),
            **{f"evaluator {name}": value for name, value in self.hashes.items()},
        }

    def plan(self, replication: int) -> ReplicationPlan:
        return make_plan(self.real, self.cfg, replication)

    def requests(self, replication: int, plan: ReplicationPlan) -> tuple[list[SampleRequest], list[SampleRequest]]:
        """Requests for the replication's motions, and for those of multimodality (text by text)."""
        seed = self.cfg.seed
        motions = [SampleRequest(i, int(plan.choices[i]), (seed, replication, _MOTION, i)) for i in plan.order.tolist()]
        modes = [
            SampleRequest(i, int(plan.choices[i]), (seed, replication, _MODES, i, k))
            for i in plan.modes.tolist()
            for k in range(self.cfg.protocol.multimodality_samples)
        ]
        return motions, modes

    def motions_of(self, replication: int) -> int:
        p = self.cfg.protocol
        kept = evaluated_clips(len(self.real), p.batch_size)
        modes = p.multimodality_texts * p.multimodality_samples
        return kept + (modes if replication < p.multimodality_replications else 0)

    def replicate(self, replication: int, path: Path, on_motions: OnMotions = lambda count: None) -> None:
        """Generate, embed and measure the motions of one replication, and write the results."""
        plan = self.plan(replication)
        requests, modes = self.requests(replication, plan)
        motions, seconds = self.generator(requests, on_motions)
        skeleton = self.real.data.skeleton
        embeddings = {f"motion/{name}": e.embed_motion(motions) for name, e in self.evaluators.items()}
        measures = np.array([astuple(measure_features(m, skeleton)) for m in motions])
        if modes:
            motions, _ = self.generator(modes, on_motions)
            shape = (len(plan.modes), self.cfg.protocol.multimodality_samples, -1)
            whole = {name: e for name, e in self.evaluators.items() if e.config.part == "all"}
            embeddings |= {f"modes/{name}": e.embed_motion(motions).reshape(shape) for name, e in whole.items()}
        save_npz(path, clips=plan.order, measures=measures, seconds=np.float64(seconds / len(requests)), **embeddings)

    def captions_of(self, plan: ReplicationPlan, name: str) -> ndarray:
        """Text embeddings (clips of the split, e); rows of dropped clips are zero."""
        evaluator = self.evaluators[name]
        embedded = self._text_rows(name)
        rows = np.zeros((len(self.real), evaluator.config.dim), dtype=np.float32)
        for i in plan.order.tolist():
            rows[i] = embedded[self.real.caption(i, int(plan.choices[i])).line]
        return rows

    def _text_rows(self, name: str) -> dict[str, ndarray]:
        if name not in self._texts:
            every = {c.line: c for captions in self.real.data.captions for c in captions}
            embedded = self.evaluators[name].embed_text(list(every.values()))
            self._texts[name] = dict(zip(every, embedded, strict=True))
        return self._texts[name]

    @cached_property
    def _texts(self) -> dict[str, dict[str, ndarray]]:
        return {}


def find_evaluators(folder: Path) -> dict[str, Path]:
    """Folders of the evaluators in a folder, by `KIND-PART`; InputError if none is of the whole body."""
    names = [f"{kind}-{part}" for kind in KINDS for part in PARTS]
    folders = {name: folder / name for name in names if is_evaluator(folder / name)}
    if not any(f"{kind}-all" in folders for kind in KINDS):
        raise InputError(
            f"{folder}: no evaluator ({', '.join(names)}); make them with: crossdiff train-evaluator --data DATASET"
        )
    return folders


def read_replication(path: Path) -> dict[str, ndarray] | None:
    """The arrays of a replication; None if it has not run."""
    return load_npz(path) if path.is_file() else None


def replication_path(out: Path, replication: int) -> Path:
    return out / "replications" / f"{replication:03d}.npz"


def missing_replications(out: Path, cfg: EvaluationConfig) -> Iterator[int]:
    return (r for r in range(cfg.protocol.replications) if not replication_path(out, r).is_file())


def mean_measures(measures: ndarray) -> dict[str, float]:
    """Means over clips, by measure; measures: (clips, measures) in the order of `MotionMeasures`."""
    names = list(MotionMeasures.__dataclass_fields__)
    return dict(zip(names, np.nanmean(measures, axis=0).tolist(), strict=True))
