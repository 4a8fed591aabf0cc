"""Names of the solvers. Light to import, for configurations."""

from __future__ import annotations

from typing import Literal, get_args

from crossdiff.errors import InputError

Solver = Literal["dpm++", "ddim", "ddpm"]


def check_solver(name: str) -> None:
    if name not in get_args(Solver):
        raise InputError(f"solver: expected one of {', '.join(get_args(Solver))}, got {name!r}")
