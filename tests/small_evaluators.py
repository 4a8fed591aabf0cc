"""Evaluators of a few thousand random weights."""

from __future__ import annotations

import torch

from crossdiff.evaluators.evaluators import Evaluator, EvaluatorConfig, new_evaluator

SIZES = {"dim": 8, "movement_width": 12, "movement_dim": 10, "motion_width": 8, "text_width": 8, "width": 16}
SIZES |= {"heads": 2, "layers": 1}


def random_evaluator(kind: str, part: str = "all", seed: int = 0) -> Evaluator:
    torch.manual_seed(seed)
    evaluator = new_evaluator(EvaluatorConfig.model_validate({"kind": kind, "part": part, **SIZES}))
    return evaluator.eval()
