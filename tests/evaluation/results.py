"""Made-up results of an evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossdiff.evaluation.result import (
    DatasetRecord,
    EvaluationResult,
    EvaluatorRecord,
    ModelRecord,
    ScoreTable,
    Value,
)

# Mean by metric: of real motion, and of the model.
MEANS = {
    "FID": (0.002, 0.544),
    "R-precision top 1": (0.511, 0.32),
    "R-precision top 2": (0.703, 0.498),
    "R-precision top 3": (0.797, 0.611),
    "FID-U": (0.003, 0.321),
    "FID-L": (0.004, 0.433),
    "MM-Dist": (2.974, 5.566),
    "Diversity": (9.503, 9.559),
    "MultiModality": (None, 2.799),
}
MOTION = {
    "skating_share": (0.05, 0.12),
    "skating_speed": (11.0, 21.0),
    "floor_penetration": (0.1, 0.4),
    "jerk": (120.0, 240.0),
    "bone_drift": (0.0, 1.2),
}


def value(mean: float, replications: int = 20, spread: float = 0.01) -> Value:
    return Value.of(list(mean + spread * np.linspace(-1, 1, replications))) if replications > 1 else Value.of([mean])


def table(name: str, evaluator: str = "t2m", protocol: str = "classic", **means: float) -> ScoreTable:
    """means: changes of the model's, with `_` for a space or hyphen of the metric's name."""
    changed = {key: means.get(key.replace(" ", "_").replace("-", "_"), own) for key, (_, own) in MEANS.items()}
    rows = {
        name: {key: value(own) for key, own in changed.items()},
        "Real": {key: value(real) for key, (real, _) in MEANS.items() if real is not None},
    }
    return ScoreTable.model_validate({"evaluator": evaluator, "protocol": protocol, "rows": rows})


def result(name: str = "crossdiff", **changes: Any) -> EvaluationResult:
    """A whole result; metrics among the changes go into its tables, fields replace its own."""
    means = {key: changes.pop(key) for key in list(changes) if key not in EvaluationResult.model_fields}
    fields: dict[str, Any] = {
        "date": "2025-01-31",
        "version": "0.1.0",
        "model": ModelRecord(name=name, folder=f"models/{name}", fingerprint=f"hash-{name}", parameters=88_080_000),
        "dataset": DatasetRecord(folder="data/humanml3d", split="test", fingerprint="d1", clips=4042, captions=12635),
        "evaluators": tuple(
            EvaluatorRecord(kind=kind, fingerprint=f"e-{kind}", words="glove", dim=512, trained_on="humanml3d",
                            parts=("whole", "upper", "lower"))
            for kind in ("t2m", "tmr")
        ),
        "config": {"protocol": {"replications": 20, "batch": 32}, "sampling": {"steps": 50}, "seed": 7},
        "device": "cpu",
        "most_frames": 196,
        "seconds_per_motion": 0.1234,
        "tables": (table(name, **means), table(name, "tmr", "distinct", **means)),
        "motion": {
            name: {key: value(own) for key, (_, own) in MOTION.items()},
            "Real": {key: value(real, 1) for key, (real, _) in MOTION.items()},
        },
    }  # fmt: skip
    return EvaluationResult.model_validate(fields | changes)
