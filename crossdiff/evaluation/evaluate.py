"""`evaluate`: run all replications, in one process or several, and collect the result."""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from crossdiff import __version__
from crossdiff.errors import ConfigError, CrossDiffError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.metrics import matching_scores, set_scores
from crossdiff.evaluation.plan import ReplicationPlan
from crossdiff.evaluation.protocol import (
    KINDS,
    ReplicationRunner,
    mean_measures,
    missing_replications,
    read_replication,
    replication_path,
)
from crossdiff.evaluation.report import REAL, write_report
from crossdiff.evaluation.result import (
    DatasetRecord,
    EvaluationResult,
    EvaluatorRecord,
    ModelRecord,
    Protocol,
    ScoreTable,
    Value,
)
from crossdiff.progress import progress_bar
from crossdiff.record import Record, check_pin, pin

_RECORD = "evaluation.yaml"
_OUTPUTS = ("replications", "result.json", "report.md", "report.html")
# Arguments of a runner, without the device.
_Arguments = tuple[EvaluationConfig, Path, Path, Path]


def evaluate(
    cfg: EvaluationConfig,
    checkpoint: Path,
    data: Path,
    evaluators: Path,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
    name: str | None = None,
    start_over: bool = False,
) -> EvaluationResult:
    """Evaluate a checkpoint on a split of a dataset; writes `result.json` and reports to `out`.

    evaluators: folder with any of `t2m-all`, `t2m-upper`, `t2m-lower` and `tmr-all`, as `train-evaluator` makes them.
    devices: several run in a process each; "cpu" may be repeated.
    start_over: replace an evaluation in `out` that had other settings or inputs, instead of raising ConfigError; one
    with the same is resumed.
    """
    name = name or checkpoint.name
    if name == REAL:
        raise ConfigError(f"name: {REAL!r} is the name of the row of real motion; choose another name")
    runner = ReplicationRunner(cfg, checkpoint, data, evaluators, devices[0])
    record = _record(runner)
    check_pin(out / _RECORD, record, _OUTPUTS, start_over)
    _ = runner.real_embeddings  # before anything is written, so that unreadable motion leaves nothing behind
    pin(out / _RECORD, record, _OUTPUTS, start_over)
    _replicate(runner, (cfg, checkpoint, data, evaluators), out, devices)
    result = collect(runner, out, name, devices)
    write_report(result, out)
    return result


def _record(runner: ReplicationRunner) -> Record:
    """What replications depend on; their number and the batch size of sampling may change."""
    settings = runner.cfg.model_dump(mode="json", exclude={"batch_size": True, "protocol": {"replications"}})
    return {"config": settings, "inputs": runner.inputs()}


def _replicate(runner: ReplicationRunner, arguments: _Arguments, out: Path, devices: tuple[str, ...]) -> None:
    missing = list(missing_replications(out, runner.cfg))
    with progress_bar() as bar:
        task = bar.add_task("generate", total=sum(map(runner.motions_of, missing)), note="")
        if len(devices) == 1 or len(missing) <= 1:
            for r in missing:
                runner.replicate(r, replication_path(out, r), lambda count: bar.advance(task, count))
            return
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        for device in devices:
            queue.put(device)
        threads = max(1, torch.get_num_threads() // len(devices))
        with ProcessPoolExecutor(len(devices), context, _open_runner, (arguments, queue, threads)) as pool:
            try:
                jobs = {pool.submit(_replicate_one, r, replication_path(out, r)): r for r in missing}
                for job in as_completed(jobs):
                    job.result()
                    bar.advance(task, runner.motions_of(jobs[job]))
            except BrokenProcessPool:
                raise CrossDiffError(
                    f"{', '.join(devices)}: a process could not start or was killed, perhaps for lack of memory; give "
                    "fewer devices with --device. The same command resumes after the replications that are done"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


_runner: ReplicationRunner | None = None


def _open_runner(arguments: _Arguments, queue: Any, threads: int) -> None:
    global _runner
    torch.set_num_threads(threads)
    _runner = ReplicationRunner(*arguments, queue.get())


def _replicate_one(replication: int, path: Path) -> None:
    assert _runner is not None
    _runner.replicate(replication, path)


def collect(runner: ReplicationRunner, out: Path, name: str, devices: tuple[str, ...]) -> EvaluationResult:
    """The result of all replications in `out`."""
    cfg = runner.cfg
    scores: dict[tuple[str, Protocol, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    motion: dict[str, dict[str, list[float]]] = {REAL: defaultdict(list), name: defaultdict(list)}
    seconds = []
    for r in range(cfg.protocol.replications):
        arrays = read_replication(replication_path(out, r))
        assert arrays is not None
        plan = runner.plan(r)
        rows = runner.real.rows(plan.order, plan.choices)
        for kind in KINDS:
            if f"{kind}-all" not in runner.evaluators:
                continue
            for row, generated in ((REAL, None), (name, arrays)):
                for protocol, values in _scores(runner, plan, rows, r, kind, generated).items():
                    _append(scores[kind, protocol, row], values)
        _append(motion[name], mean_measures(arrays["measures"]))
        real_measures = np.array([tuple(vars(runner.real.measures[i]).values()) for i in rows])
        _append(motion[REAL], mean_measures(real_measures))
        seconds.append(float(arrays["seconds"]))
    return EvaluationResult(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=__version__,
        model=ModelRecord.of(runner.model, runner.checkpoint, name),
        dataset=DatasetRecord.of(runner.real.data),
        evaluators=tuple(_evaluator_record(runner, k) for k in KINDS if f"{k}-all" in runner.evaluators),
        config=cfg.model_dump(mode="json"),
        most_frames=runner.model.config.max_frames,
        device=_device_name(devices),
        seconds_per_motion=float(np.median(seconds)),
        tables=tuple(
            ScoreTable(
                evaluator=kind,
                protocol=protocol,
                rows={row: _values(scores[kind, protocol, row]) for row in (REAL, name)},
            )
            for kind in KINDS
            for protocol in get_args(Protocol)
            if (kind, protocol, REAL) in scores
        ),
        motion={row: _values(values) for row, values in motion.items()},
    )


def _scores(
    runner: ReplicationRunner,
    plan: ReplicationPlan,
    rows: np.ndarray,
    replication: int,
    kind: str,
    generated: dict[str, np.ndarray] | None,
) -> dict[Protocol, dict[str, float]]:
    """Scores of a replication by one evaluator under both protocols; without `generated`, of its real motion."""
    cfg = runner.cfg.protocol

    def motions(evaluator: str) -> tuple[np.ndarray, np.ndarray]:
        real = runner.real_embeddings[evaluator]
        reference = real[runner.real.rows(range(len(runner.real)), plan.choices)]
        return (real[rows] if generated is None else generated[f"motion/{evaluator}"]), reference

    motion, reference = motions(f"{kind}-all")
    parts = {p: motions(f"{kind}-{p}") for p in ("upper", "lower") if f"{kind}-{p}" in runner.evaluators}
    modes = None if generated is None else generated.get(f"modes/{kind}-all")
    seed = (runner.cfg.seed, replication, 2)
    whole = set_scores(motion, reference, parts, modes, cfg, seed)
    text = runner.captions_of(plan, f"{kind}-all")
    by_clip = np.zeros_like(text)
    by_clip[plan.order] = motion
    classic = plan.order.reshape(-1, cfg.batch_size)
    return {
        "distinct": matching_scores(text, by_clip, plan.distinct) | whole,
        "classic": matching_scores(text, by_clip, list(classic)) | whole,
    }


def _append(lists: dict[str, list[float]], values: dict[str, float]) -> None:
    for key, value in values.items():
        lists[key].append(value)


def _values(lists: dict[str, list[float]]) -> dict[str, Value]:
    return {key: Value.of(values) for key, values in lists.items()}


def _evaluator_record(runner: ReplicationRunner, kind: str) -> EvaluatorRecord:
    parts = [n.removeprefix(f"{kind}-") for n in runner.evaluators if n.startswith(kind)]
    whole: Any = runner.evaluators[f"{kind}-all"]
    return EvaluatorRecord(
        kind=whole.config.kind,
        fingerprint=" ".join(runner.hashes[f"{kind}-{part}"] for part in parts),
        words=whole.words,
        dim=whole.config.dim,
        trained_on=whole.config.trained_on,
        parts=tuple(parts),
    )


def _device_name(devices: tuple[str, ...]) -> str:
    names = []
    for device in devices:
        with contextlib.suppress(RuntimeError, AssertionError, ValueError):
            if device.startswith("cuda"):
                names.append(torch.cuda.get_device_name(device))
                continue
        names.append(device)
    return ", ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in dict.fromkeys(names))
