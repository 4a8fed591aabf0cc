"""What a training step costs: floating-point operations, which no other work on the machine changes."""

from __future__ import annotations

from pathlib import Path

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from crossdiff.data.batches import make_batch
from crossdiff.data.mocap import MocapDataset
from crossdiff.training.config import TrainConfig
from crossdiff.training.draws import draw
from crossdiff.training.losses import cross_losses
from crossdiff.training.stages import mocap_batches, new_model

_PROBES = 6
# Of a caption, where a network reads words.
_WORDS = 16


def step_flops(cfg: TrainConfig, data: Path) -> float:
    """Operations of a step forward and backward (of matrix products), the mean over steps spread over the run."""
    dataset = MocapDataset(data, "train", cfg.model.layout_2d)
    model = new_model(cfg.model, dataset, cfg.seed)
    batches = mocap_batches(cfg, dataset, cfg.batch_size, min(cfg.max_frames, cfg.model.max_frames))
    objective = cfg.objective()
    # The other kernels of attention are not counted.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        for probe in range(_PROBES):
            batch = make_batch(batches, (2 * probe + 1) * cfg.steps // (2 * _PROBES))
            text = model.null_text(cfg.batch_size, _WORDS) + 1
            draws = draw((cfg.seed, probe), batch.rows, 0.0)
            terms = cross_losses(model.network, model, batch, text, objective.pairs, draws)
            objective.clip_losses(terms, batch).mean().backward()
    return counter.get_total_flops() / _PROBES
