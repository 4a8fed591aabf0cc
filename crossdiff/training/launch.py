"""Devices, processes and precision of a training run, through Lightning Fabric."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies import DDPStrategy

from crossdiff.device import has_fast_bf16, pick_device
from crossdiff.errors import ConfigError, InputError
from crossdiff.training.config import LoopConfig


def launch(cfg: LoopConfig, all_learn: bool) -> Fabric:
    """Start the other processes of a distributed run, and find the device of this one.

    all_learn: every parameter gets a gradient in every step.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    mixed = precision_of(cfg) == "bf16-mixed"
    kind, _, number = _device_of(cfg).partition(":")
    several = cfg.devices * cfg.num_nodes > 1
    fabric = Fabric(
        accelerator=kind,
        strategy=DDPStrategy(find_unused_parameters=not all_learn) if several else "auto",
        devices=[int(number)] if number else cfg.devices,
        num_nodes=cfg.num_nodes,
        precision=None if mixed else "32-true",
        plugins=[_Autocast("bf16-mixed", kind)] if mixed else None,
    )
    fabric.launch()
    return fabric


def _device_of(cfg: LoopConfig) -> str:
    """cpu, cuda or cuda:N; ConfigError for one that is not here, or that training does not know."""
    try:
        device = pick_device(cfg.device)
    except InputError as error:
        raise ConfigError(str(error)) from None
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise ConfigError(f"device {device!r}: training knows cpu, cuda and cuda:N; use one of them, or auto")
    return device


class _Autocast(MixedPrecision):
    """bf16 inside the layers only; inputs keep their precision.

    Rounding x_t to bf16 would spoil the x_start computed from v-prediction at small t.
    """

    def convert_input(self, data: Any) -> Any:
        return data


def check_one_process(cfg: LoopConfig, folder: Path) -> None:
    """Refuse several processes in a larger workflow, which each of them would repeat."""
    if cfg.devices * cfg.num_nodes > 1:
        raise ConfigError(
            f"{folder}: expected a training of one process, got {cfg.devices} devices and {cfg.num_nodes} nodes; "
            "set both to 1, or first train into that folder with `crossdiff train`"
        )


def precision_of(cfg: LoopConfig) -> Literal["32-true", "bf16-mixed"]:
    """The precision that `auto` selects: bf16 if the GPU, or else the CPU, has instructions for it."""
    if cfg.precision != "auto":
        return cfg.precision
    return "bf16-mixed" if has_fast_bf16(_device_of(cfg)) else "32-true"
