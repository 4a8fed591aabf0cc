"""Sentences of known actions that training held out, beside those that it had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.annotations.actions import captions_for
from crossdiff.annotations.captions import caption_line
from crossdiff.data.captions import parse_caption
from crossdiff.errors import InputError
from crossdiff.evaluation.metrics import r_precision
from crossdiff.evaluators.evaluators import Evaluator
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.studies.actions.samples import SampledActions
from crossdiff.studies.actions.windows import on_one_body

TOP = 3


class SentenceParts(NamedTuple):
    """Sentences of each action that training had, and those that it held out."""

    trained: dict[str, list[str]]
    held_out: dict[str, list[str]]


def sentence_parts(actions: Sequence[str]) -> SentenceParts:
    """The sentences of `import-2d --hold-out-captions`, for actions that have both kinds; InputError without any."""
    parts = {a: (captions_for(a, "train"), captions_for(a, "held-out")) for a in actions}
    both = {a: pair for a, pair in parts.items() if all(pair)}
    if not both:
        raise InputError(f"actions: none has held-out sentences, got {', '.join(actions)}; give known actions")
    return SentenceParts({a: trained for a, (trained, _) in both.items()}, {a: held for a, (_, held) in both.items()})


def retrieval(evaluator: Evaluator, sampled: SampledActions) -> Float[ndarray, " 3"]:
    """R-precision, top 1, 2 and 3, in groups of one motion of each action: the n-th group has the n-th of each.

    So a group has as many candidates as there are actions, and no two of them share an action.
    """
    actions = list(dict.fromkeys(sampled.labels))
    if len(actions) < TOP or len(sampled.labels) % len(actions):
        raise InputError(f"retrieval: needs {TOP} actions or more with equally many motions, got {len(actions)}")
    features = [joints_to_features_3d(torch.from_numpy(on_one_body(m))).numpy() for m in sampled.motions]
    motion = evaluator.embed_motion(features)
    text = evaluator.embed_text([parse_caption(caption_line(sentence)) for sentence in sampled.sentences])
    groups = np.arange(len(features)).reshape(len(actions), -1).T
    return np.mean([r_precision(text[rows], motion[rows], TOP) for rows in groups], axis=0)
