"""Torch devices by name."""

from __future__ import annotations

import torch

from crossdiff.errors import InputError


def pick_device(name: str) -> str:
    """The name of an available torch device; `auto`: the GPU if there is one, else the CPU."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} is not available ({reason}); use auto, cpu, cuda or cuda:N") from None
    return name


def pick_devices(names: str) -> tuple[str, ...]:
    """Device names from a comma-separated list; see `pick_device`."""
    return tuple(pick_device(name.strip()) for name in names.split(","))


def has_fast_bf16(device: str) -> bool:
    """Whether a device has instructions for bf16; a CPU without them is dozens of times slower than in float32."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    ask = getattr(torch.cpu, "get_capabilities", None)  # missing in older releases of torch
    return ask is not None and any(ask().get(name, False) for name in ("amx_bf16", "avx512_bf16"))
