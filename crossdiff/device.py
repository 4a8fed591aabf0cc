"""The devices that motion is lifted, sampled and found on, by torch's names."""

from __future__ import annotations

import torch

from crossdiff.errors import InputError


def pick_device(name: str) -> str:
    """The name of a torch device; `auto` is the GPU where there is one."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device: expected auto, cpu, or one that is here, got {name!r} ({reason})") from None
    return name


def pick_devices(names: str) -> tuple[str, ...]:
    """Of torch devices with commas between, see `pick_device`."""
    return tuple(pick_device(name.strip()) for name in names.split(","))
