"""Engines by name: they distribute extraction over processes and machines, with the same results."""

from __future__ import annotations

from crossdiff.errors import InputError
from crossdiff.pipeline.engines.base import Engine, ExtractResult, InProcess, Job, WorkerConfig

ENGINES = ("local", "ray")


def create_engine(
    name: str,
    workers: int | None = None,
    time_limit: float = 60.0,
    gpus_per_actor: float = 0.0,
    address: str | None = None,
) -> Engine:
    """The engine of a name; its class explains the arguments. gpus_per_actor, address: for `ray` only."""
    if name == "local":
        from crossdiff.pipeline.engines.local import LocalEngine

        if gpus_per_actor or address:
            raise InputError("GPUs per actor and an address belong to Ray; add --engine ray, or leave them out")
        return LocalEngine(workers, time_limit)
    if name == "ray":
        from crossdiff.pipeline.engines.ray import RayEngine

        return RayEngine(workers, time_limit, gpus_per_actor, address)
    raise InputError(f"no engine {name!r}; there are: {', '.join(ENGINES)}")


__all__ = ["ENGINES", "Engine", "ExtractResult", "InProcess", "Job", "WorkerConfig", "create_engine"]
