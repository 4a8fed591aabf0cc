"""Distillation of guidance and steps into a model that samples in a few passes of its network."""

from __future__ import annotations

from pathlib import Path

import torch

from crossdiff.checkpoint import load_model, weights_hash
from crossdiff.data.batches import BatchSource, MocapBatches
from crossdiff.data.captioned import CaptionBatches
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError
from crossdiff.learnt import learnt_captions
from crossdiff.models import CrossDiffModel
from crossdiff.models.config import Distillation
from crossdiff.training.distil_config import DistilConfig
from crossdiff.training.distiller import Distiller
from crossdiff.training.loop import fit
from crossdiff.training.stages import check_data, check_not_distilled, check_out, held_out_batches, list_captions
from crossdiff.training.trainer import TrainSummary
from crossdiff.types import DOMAINS


def distil(
    cfg: DistilConfig, checkpoint: Path, out: Path, data: Path | None = None, start_over: bool = False
) -> TrainSummary:
    """Distil a model on the captions that it has learnt, which its folder lists, or on those of a dataset.

    The student starts from the teacher's weights. Resumes from a state in `out`, as all trainings do.
    data: a HumanML3D folder (from `crossdiff prepare`), whose captions and lengths of clips are taken.
    """
    check_out(out, checkpoint)
    teacher = load_model(checkpoint)
    check_not_distilled(teacher.config, checkpoint)
    if cfg.mixture and teacher.config.domains == "3d":
        raise ConfigError(f"{checkpoint}: has no 2D half, which mixture sampling needs; leave mixture out")
    teacher.check_statistics(checkpoint, "3d")
    model = make_student(teacher, cfg, weights_hash(checkpoint))
    assert model.config.distilled is not None
    batches, validation, read = _batches(cfg, teacher, checkpoint, data)
    distiller = Distiller(teacher.network, model.config.distilled)
    inputs = {"data": read, "checkpoint": model.config.distilled.teacher}
    cache = out if data is None else data
    summary = fit(model, batches, cfg, cfg.objective(), out, cache, inputs, validation, start_over, distiller=distiller)
    list_captions(out, checkpoint, [])
    return summary


def _batches(
    cfg: DistilConfig, teacher: CrossDiffModel, checkpoint: Path, data: Path | None
) -> tuple[BatchSource, BatchSource, str]:
    """Batches to learn from and to validate on, and what identifies their captions."""
    max_frames = min(cfg.max_frames, teacher.config.max_frames)
    if data is not None:
        dataset = MocapDataset(data, "train", teacher.config.layout_2d)
        check_data(teacher, dataset)
        batches = MocapBatches(dataset, cfg.batch_size, max_frames, cfg.views, cfg.seed, balance=cfg.balance)
        return batches, held_out_batches(dataset, cfg.batch_size, max_frames, cfg), dataset.fingerprint()
    known = learnt_captions(checkpoint)
    if not known:
        raise ConfigError(f"{checkpoint}: lists no captions to distil on; give those of a dataset with --data DATASET")
    dims = {domain: teacher.config.layout(domain).dim for domain in DOMAINS}
    first, second = (CaptionBatches(known, dims, cfg.batch_size, max_frames, cfg.seed + n) for n in (0, 1))
    return first, second, f"{len(known)} captions of the checkpoint"


def make_student(teacher: CrossDiffModel, cfg: DistilConfig, weights: str) -> CrossDiffModel:
    """The teacher with an input for the scale of guidance, which has no effect yet, and without dropout.

    weights: hash of the teacher's.
    """
    distilled = Distillation(
        steps=cfg.sampling_steps,
        guidance=cfg.guidance,
        teacher_steps=cfg.teacher_steps,
        mixture=cfg.mixture,
        switch_step=cfg.switch_step,
        guidance_end=cfg.guidance_end,
        teacher=weights,
    )
    torch.manual_seed(cfg.seed)
    student = CrossDiffModel(teacher.config.model_copy(update={"distilled": distilled, "dropout": 0.0}))
    new = {name: value for name, value in student.state_dict().items() if name.startswith("network.scale.")}
    student.load_state_dict(new | teacher.state_dict())
    return student
