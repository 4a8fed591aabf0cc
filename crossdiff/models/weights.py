"""Tensors of safetensors files, checked before a network gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode

from crossdiff.errors import CheckpointError
from crossdiff.files import decoding

_WRAPPER = "module."

T = TypeVar("T")


class shapes_only(TorchFunctionMode):
    """Within the block, modules get parameters of their shapes, without memory and initial values (device "meta").

    Only constants are computed. torch's own way of initialising on "meta" loads its compiler, in more than a second.
    """

    _INITIALISERS = frozenset({"uniform_", "normal_", "fill_", "zero_", "kaiming_uniform_"})

    def __enter__(self) -> Self:
        self._meta = torch.device("meta")
        self._meta.__enter__()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._meta.__exit__(*error)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__name__", "") in self._INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name; CheckpointError unless all are finite floating-point numbers."""
    with decoding(path, "a readable safetensors file", CheckpointError):
        state = without_wrapper(load_file(path))
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise CheckpointError(f"{path}: {name} holds {str(tensor.dtype).removeprefix('torch.')}, expected floats")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; use another checkpoint")
    return state


def check_shapes(folder: Path, expected: Mapping[str, Sequence[int]], weights: Path) -> None:
    """CheckpointError unless a safetensors file has these tensors; reads its header alone."""
    with decoding(weights, "a readable safetensors file", CheckpointError), safe_open(weights, "pt") as opened:
        shapes = without_wrapper({name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()})  # noqa: SIM118
    missing, extra = expected.keys() - shapes.keys(), shapes.keys() - expected.keys()
    wrong = [name for name in expected.keys() & shapes.keys() if tuple(expected[name]) != shapes[name]]
    if missing or extra or wrong:
        raise CheckpointError(
            f"{folder}: weights do not fit the configuration ({len(missing)} missing, {len(extra)} unexpected, "
            f"{len(wrong)} of another shape, such as {next(iter(wrong or missing or extra))}); use the folder as saved"
        )


def without_wrapper(state: Mapping[str, T]) -> dict[str, T]:
    """A state dict without the `module.` that a parallel wrapper puts in front of every name."""
    while state and all(name.startswith(_WRAPPER) for name in state):
        state = {name.removeprefix(_WRAPPER): value for name, value in state.items()}
    return dict(state)
