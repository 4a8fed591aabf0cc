"""Stage I and stage II on 3D data (paper, section 3.3), and fine-tuning on wild clips (section 3.5)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff.checkpoint import find_checkpoint, is_checkpoint, load_model, weights_hash
from crossdiff.data.batches import BatchSource, MixedBatches, MocapBatches, WildBatches, split_positions
from crossdiff.data.mocap import MocapDataset
from crossdiff.data.simulation.filmed import FilmedClips
from crossdiff.data.wild import WildDataset
from crossdiff.errors import ConfigError, InputError
from crossdiff.learnt import LearntCaption, count_captions, joined, learnt_captions, write_learnt
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.skeleton import HUMANML3D
from crossdiff.text import load_text_encoder
from crossdiff.training.config import FinetuneConfig, LoopConfig, TrainConfig
from crossdiff.training.loop import fit
from crossdiff.training.record import KEPT, TEACHERS, is_finished
from crossdiff.training.replay import replay_dataset, replay_name, sample_replay
from crossdiff.training.retention import measure_retention
from crossdiff.training.teacher import OwnTeacher
from crossdiff.training.trainer import TrainSummary

log = logging.getLogger(__name__)

# One device measures the validation loss, even if several share a batch in training.
_MOST_HELD_OUT = 64
# With fewer wild clips, none are held out.
_FEW = 20


def train(
    cfg: TrainConfig,
    data: Path,
    out: Path,
    checkpoint: Path | None = None,
    start_over: bool = False,
    extra_2d: Path | None = None,
) -> TrainSummary:
    """Train on a HumanML3D folder (from `crossdiff prepare`). Stage II starts from a stage-I checkpoint.

    With a checkpoint its network is used, and `cfg.model` must not ask for another. Resumes from a state in `out`.
    extra_2d: a pipeline run whose 2D clips fill `cfg.extra_ratio` of each batch; they train 2D -> 2D only.
    """
    check_out(out, checkpoint)
    if cfg.stage == 2 and checkpoint is None:
        raise ConfigError("stage 2 continues from a stage-1 model: give --checkpoint FOLDER")
    if checkpoint is not None:
        model = load_model(checkpoint)
        check_not_distilled(model.config, checkpoint)
        model.check_statistics(checkpoint, *model.config.domain_names)
        _check_sizes(cfg.model, model.config, checkpoint)
        dataset = MocapDataset(data, "train", model.config.layout_2d)
        check_data(model, dataset)
    else:
        dataset = MocapDataset(data, "train", cfg.model.layout_2d)
        model = new_model(cfg.model, dataset, cfg.seed)
    cfg = cfg.model_copy(update={"model": model.config})  # so that the record has the trained network
    if extra_2d is not None and (cfg.batch_size < 2 or ("2d", "2d") not in cfg.objective().wild):
        raise ConfigError("--extra-2d: its clips teach 2D -> 2D beside 3D clips: needs stage 1, w22 and batch_size > 1")
    max_frames = min(cfg.max_frames, model.config.max_frames)
    inputs = {"data": dataset.fingerprint(), "checkpoint": weights_hash(checkpoint) if checkpoint else "", "extra": ""}
    count = cfg.batch_size
    if extra_2d is not None:
        count -= min(cfg.batch_size - 1, max(1, round(cfg.batch_size * cfg.extra_ratio)))
    mocap = mocap_batches(cfg, dataset, count, max_frames)
    batches: BatchSource = mocap
    extra = None
    if extra_2d is not None:
        extra = WildDataset(extra_2d, labelled=False)
        _check_wild(model, extra, extra_2d)
        inputs["extra"] = extra.fingerprint()
        batches = MixedBatches(WildBatches(extra, cfg.batch_size - count, max_frames, cfg.seed), mocap)
    validation = held_out_batches(dataset, cfg.batch_size, max_frames, cfg)
    summary = fit(model, batches, cfg, cfg.objective(), out, data, inputs, validation, start_over)
    filmed = [] if extra is None else count_captions(extra.captions, "film")
    list_captions(out, checkpoint, joined(count_captions(_texts(dataset), "capture"), filmed))
    return summary


def mocap_batches(cfg: TrainConfig, dataset: MocapDataset, count: int, max_frames: int) -> MocapBatches:
    """Batches of `count` clips, of at most `max_frames` frames, by the configuration."""
    short = cfg.short_windows
    first = None if short is None else (round(short.share * cfg.steps), min(short.frames, max_frames))
    # Clips with 2D only are useless if nothing trains 2D.
    share_2d = cfg.share_2d if ("2d", "2d") in cfg.objective().mocap else cfg.share_3d
    film = FilmedClips(dataset, cfg.film, max_frames, cfg.seed) if cfg.film else None
    return MocapBatches(
        dataset, count, max_frames, cfg.views, cfg.seed, cfg.share_3d, share_2d, first, film, cfg.balance
    )


def finetune(
    cfg: FinetuneConfig,
    run: Path,
    checkpoint: Path,
    out: Path,
    data: Path | None = None,
    start_over: bool = False,
) -> TrainSummary:
    """Fine-tune on a run's wild clips and pseudo labels; `wild_ratio` of a batch is wild where there is 3D motion.

    data: 3D dataset that keeps what the model knows. Without one, the model samples `replay` motions of the captions
    that it learnt. Resumes from a state in `out` with the same labels, model and configuration; see `fit` for others.
    """
    check_out(out, checkpoint)
    if cfg.film is not None and data is None:
        raise ConfigError("film: filmed clips are made of 3D motion; give --data DATASET, or leave film out")
    model = load_model(checkpoint)
    check_not_distilled(model.config, checkpoint)
    model.check_statistics(checkpoint, "2d", "3d")
    wild = WildDataset(run, repeat=cfg.repeat_cycles, place_in=cfg.place_in)
    _check_wild(model, wild, run)
    teacher = None
    learnt, held_out = _parted(wild, cfg)
    judged = wild.copy()  # validation keeps the first labels
    if cfg.refresh_every:
        _check_length(model, int(wild.lengths[learnt].max()), run)
        teacher = OwnTeacher(wild, learnt.tolist(), cfg.refresh_every, cfg.labels, out / TEACHERS)
    inputs = {"labels": wild.fingerprint(), "checkpoint": weights_hash(checkpoint), "data": ""}
    rest = cfg.batch_size - min(cfg.batch_size, max(1, round(cfg.batch_size * cfg.wild_ratio)))
    replay = replay_name(checkpoint, cfg.replay, cfg.seed) if data is None and cfg.replay and rest else None
    if replay is not None:
        inputs["data"] = f"replay {replay}"
    # The motions of a finished training are not needed, and take seconds to become a dataset.
    sampled = replay is not None and not is_finished(cfg, inputs, out)
    with _known_motion(cfg, model, checkpoint, data, sampled) as known:
        if known is None:
            rest = 0
        count, max_frames = cfg.batch_size - rest, min(cfg.max_frames, model.config.max_frames)
        seen = WildBatches(wild, count, max_frames, cfg.seed, learnt, cfg.balance)
        unseen = WildBatches(judged, count, max_frames, cfg.seed + 1, held_out)
        batches: BatchSource = seen
        validation: BatchSource = unseen
        anchored = known is not None and known.replayed
        objective = cfg.objective(anchored)
        if known is not None and rest:
            if data is not None:
                inputs["data"] = known.dataset.fingerprint()
            film = FilmedClips(known.dataset, cfg.film, max_frames, cfg.seed) if cfg.film else None
            mocap = MocapBatches(known.dataset, rest, max_frames, cfg.views, cfg.seed, film=film, balance=cfg.balance)
            batches = MixedBatches(seen, mocap)
            validation = MixedBatches(unseen, held_out_batches(known.dataset, rest, max_frames, cfg))
        else:
            objective = replace(objective, mocap={})
        summary = fit(model, batches, cfg, objective, out, out, inputs, validation, start_over, teacher, anchored)
        # The captions of replayed motion are those of the starting model, which are listed with their origins.
        captured = [] if known is None or known.replayed else count_captions(_texts(known.dataset), "capture")
    list_captions(out, checkpoint, joined(count_captions(wild.captions, "film"), captured))
    if cfg.devices * cfg.num_nodes > 1:
        return summary
    kept = measure_retention(checkpoint, out, out / KEPT, cfg.device)
    return summary if kept is None else replace(summary, kept=str(kept))


def list_captions(out: Path, checkpoint: Path | None, captions: list[LearntCaption]) -> None:
    """Write what a trained model has learnt, with what it knew at the start, beside its weights and its best ones."""
    start = None if checkpoint is None else find_checkpoint(checkpoint)
    known = joined([] if start is None else learnt_captions(start), captions)
    for folder, encoded in ((out, start), (out / "best", out)):
        if known and is_checkpoint(folder):
            write_learnt(folder, known, encoded)


def _texts(dataset: MocapDataset) -> Iterator[list[str]]:
    return ([caption.text for caption in captions] for captions in dataset.captions)


@dataclass(frozen=True)
class _Known:
    """3D motion that the model knows."""

    dataset: MocapDataset
    replayed: bool = False


@contextmanager
def _known_motion(
    cfg: FinetuneConfig, model: CrossDiffModel, checkpoint: Path, data: Path | None, sampled: bool
) -> Iterator[_Known | None]:
    """The 3D dataset, else replay if it is to be sampled; None without either."""
    if data is not None:
        dataset = MocapDataset(data, "train", model.config.layout_2d)
        check_data(model, dataset)
        yield _Known(dataset)
    elif sampled and (replay := sample_replay(model, checkpoint, cfg.replay, cfg.seed, cfg.device)):
        with replay_dataset(replay, model) as folder:
            yield _Known(MocapDataset(folder, "train", model.config.layout_2d), replayed=True)
    else:
        yield None


def _check_length(model: CrossDiffModel, longest: int, run: Path) -> None:
    """The model labels whole clips when it relabels them."""
    most = model.config.max_frames
    if longest > most:
        raise ConfigError(
            f"refresh_every: the model labels clips of at most {most} frames, the longest of "
            f"{run} has {longest}; build it with: crossdiff build-2d --set max_frames={most + 1}"
        )


def _parted(wild: WildDataset, cfg: FinetuneConfig) -> tuple[ndarray, ndarray]:
    """Indices of training and validation clips; a few clips are used for both, with other windows and noise."""
    every = np.arange(len(wild))
    if len(wild) < _FEW:
        return every, every
    # Tracks and pieces of one video stay together: their names are VIDEO_tTRACK_PIECE.
    place = split_positions([name.rsplit("_t", 1)[0] for name in wild.ids], cfg.seed)
    chosen, left = [], cfg.wild_held_out * len(wild)
    for video, count in zip(*np.unique(place, return_counts=True), strict=True):
        if count <= left:
            chosen.append(video)
            left -= count
    held_out = np.isin(place, chosen)
    return every[~held_out], every[held_out] if chosen else every


def held_out_batches(dataset: MocapDataset, batch_size: int, max_frames: int, cfg: LoopConfig) -> MocapBatches:
    """Batches of the validation split, or of other windows of the training split if there is none."""
    try:
        dataset = MocapDataset(dataset.folder, "val", dataset.layout)
    except InputError as error:
        log.warning("%s; the validation loss is measured on training clips", error)
    film = FilmedClips(dataset, cfg.film, max_frames, cfg.seed + 1) if cfg.film else None
    return MocapBatches(dataset, min(batch_size, _MOST_HELD_OUT), max_frames, cfg.views, cfg.seed + 1, film=film)


def new_model(cfg: ModelConfig, dataset: MocapDataset, seed: int) -> CrossDiffModel:
    """A model with new weights, the dataset's statistics and its text encoder's hash."""
    encoder = load_text_encoder(cfg.text_encoder)
    torch.manual_seed(seed)
    bound = cfg.model_copy(update={"text_dim": encoder.dim, "text_fingerprint": encoder.fingerprint})
    model = CrossDiffModel(bound)
    check_data(model, dataset)
    for domain, stats in dataset.statistics().items():
        if domain in bound.domain_names:
            model.set_statistics(domain, torch.from_numpy(stats.mean), torch.from_numpy(stats.std))
    return model


def check_out(out: Path, checkpoint: Path | None) -> None:
    if checkpoint is not None and out.resolve() == find_checkpoint(checkpoint).resolve():
        raise ConfigError(f"{out}: is the checkpoint that training starts from; give another --out")


def check_not_distilled(model: ModelConfig, checkpoint: Path) -> None:
    """Refuse a model that was distilled, which no longer predicts the clean motion of a noisy one."""
    if (distilled := model.distilled) is not None:
        raise ConfigError(
            f"{checkpoint}: was distilled to {distilled.steps} steps, which cannot be trained further; start from the "
            "model that it was distilled from"
        )


def check_data(model: CrossDiffModel, dataset: MocapDataset) -> None:
    """Refuse another skeleton, and warn of unreadable clips."""
    _warn_skipped(dataset.folder, dataset.skipped)
    if model.skeleton != dataset.skeleton:
        raise ConfigError(
            f"{dataset.folder}: has the skeleton {dataset.skeleton.name}, the model {model.skeleton.name}; "
            "use a model or a dataset of the same skeleton"
        )


def _check_wild(model: CrossDiffModel, wild: WildDataset, run: Path) -> None:
    """Refuse features of another layout, and warn of clips that are unreadable or have no caption."""
    _warn_skipped(run, wild.skipped)
    if uncaptioned := wild.uncaptioned:
        log.warning(
            "%s: %d of %d clips have no caption, such as %s, and are learnt from without text; to give them some: "
            "crossdiff extract-2d VIDEOS --out %s --captions FILE.csv, then crossdiff pseudo-label %s",
            run, len(uncaptioned), len(wild), uncaptioned[0], run, run,
        )  # fmt: skip
    if model.skeleton != HUMANML3D:
        raise ConfigError(
            f"{run}: has the skeleton {HUMANML3D.name}, the model {model.skeleton.name}; use a model of the former"
        )
    wanted = {d: model.config.layout(d).dim for d in wild.dims}
    if wild.dims != wanted:
        raise ConfigError(
            f"{run}: has features of {wild.dims} values, the model needs {wanted}; "
            f"build the run again with --set layout={model.config.layout_2d}, and label it with this model"
        )


def _check_sizes(asked: ModelConfig, has: ModelConfig, checkpoint: Path) -> None:
    for name in sorted(asked.model_fields_set):
        if getattr(asked, name) != getattr(has, name):
            raise ConfigError(
                f"model.{name}: {getattr(asked, name)!r} was asked for, the checkpoint {checkpoint} has "
                f"{getattr(has, name)!r}; leave it out, or train without --checkpoint"
            )


def _warn_skipped(folder: Path, skipped: dict[str, str]) -> None:
    if skipped:
        clip_id, reason = next(iter(skipped.items()))
        log.warning("%s: %d clips left out, such as %s (%s)", folder, len(skipped), clip_id, reason)
