"""One training loop for stage I, stage II, wild fine-tuning and distillation, with their own batches and losses.

Random numbers in step k depend only on the run's seed and k, so a resumed run takes the same steps as an
uninterrupted one.
"""

from __future__ import annotations

from pathlib import Path

from crossdiff.data.batches import BatchSource, load_steps
from crossdiff.models import CrossDiffModel
from crossdiff.progress import progress_bar
from crossdiff.training.config import LoopConfig
from crossdiff.training.distiller import Distiller
from crossdiff.training.loggers import check_logger
from crossdiff.training.losses import (
    KINDS,
    Objective,
)
from crossdiff.training.record import pin
from crossdiff.training.teacher import OwnTeacher
from crossdiff.training.trainer import Trainer, TrainSummary


def fit(
    model: CrossDiffModel,
    batches: BatchSource,
    cfg: LoopConfig,
    objective: Objective,
    out: Path,
    cache: Path | None,
    inputs: dict[str, str],
    validation: BatchSource,
    start_over: bool = False,
    teacher: OwnTeacher | None = None,
    anchored: bool = False,
    distiller: Distiller | None = None,
) -> TrainSummary:
    """Train up to `cfg.steps`, from the newest state in `out/state`; writes the averaged model to `out`.

    out: gets `model.safetensors` and `config.json`, the same in `best/` for the model with the lowest loss on
    `validation`, `train.yaml`, `loss.csv`, `validation.csv`, `state/`, `samples/` and the logger's files in `log/`.
    cache: folder of text embeddings, shared by runs.
    inputs: hashes of the data and the starting model.
    start_over: training resumes only with the configuration and inputs it was started with; where they differ, start
    from scratch instead of raising ConfigError.
    teacher: relabels clips as the model learns.
    anchored: clips that are not wild have the predictions of the model as it starts for their targets.
    distiller: the losses of a distillation, in place of those of the data.
    """
    check_logger(cfg.logger)
    pin(cfg, inputs, out, start_over)
    trainer = Trainer(model, cfg, objective, out, cache, validation, anchored, distiller)
    trainer.resume()
    trainer.check_agreement()
    if trainer.step >= cfg.steps:
        return trainer.finish()  # again, in case the run was killed before that
    if teacher is not None:
        teacher.resume(trainer.step, trainer.fabric.device)
        # Labels that were due at the end of the run that is now extended.
        teacher.renew(trainer.step, trainer.averaged)
    trainer.embed([*batches.captions(), *validation.captions(), *trainer.prompts])
    trainer.open_logger()
    fabric = trainer.fabric
    with trainer.logger, progress_bar(visible=fabric.is_global_zero) as bar:
        task = bar.add_task("train", total=cfg.steps, completed=trainer.step, note="")
        steps = range(trainer.step, cfg.steps)
        for batch in load_steps(batches, steps, cfg.workers, fabric.global_rank, fabric.world_size):
            trainer.train_step(batch)
            if trainer.is_due(cfg.log_every):
                bar.update(task, note=_note(trainer.log()))
            if cfg.validate_every and trainer.is_due(cfg.validate_every):
                trainer.validate()
            renewed = teacher is not None and trainer.step < cfg.steps and teacher.renew(trainer.step, trainer.averaged)
            if renewed or trainer.is_due(cfg.checkpoint_every):
                trainer.save()
            if cfg.sample_every and trainer.is_due(cfg.sample_every):
                trainer.preview()
            bar.update(task, completed=trainer.step)
    return trainer.finish()


def _note(row: dict[str, float]) -> str:
    """The loss and, in mixed batches, that of each kind of clip."""
    kinds = ", ".join(f"{kind} {row[kind]:.4f}" for kind in KINDS if kind in row)
    return f"loss {row['loss']:.4f}" + (f" ({kinds})" if kinds else "")
