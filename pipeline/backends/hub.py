"""Pretrained networks from the Hugging Face hub or a folder, through transformers: strictly, and never unpickled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from crossdiff.errors import MissingDependencyError
from crossdiff.files import sha256

CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"


@dataclass(frozen=True)
class Pretrained:
    """A network in eval mode, its image processor, and one hash of all that decides what they give."""

    model: Any
    processor: Any
    fingerprint: str


def load_pretrained(model: Any, processor: Any, source: str, setting: str, device: torch.device) -> Pretrained:
    """Load a network with classes of transformers. source: hub id or folder; setting: for messages."""
    from transformers.utils import cached_file
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    try:
        files = [Path(str(cached_file(source, name))) for name in (CONFIG, PROCESSOR, WEIGHTS)]
        network, loading = model.from_pretrained(source, use_safetensors=True, output_loading_info=True)
        read = processor.from_pretrained(source)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise MissingDependencyError(
            f"pose weights {source!r} cannot be loaded ({str(error).splitlines()[0]}); on a machine with access to "
            f"https://huggingface.co download {CONFIG}, {PROCESSOR} and {WEIGHTS} of a model (see docs/pose.md) into "
            f"a folder, and name it: --pose-set {setting}=FOLDER"
        ) from None
    # transformers fills what is missing with random numbers.
    if wrong := sorted([*loading["missing_keys"], *loading["unexpected_keys"]]):
        raise MissingDependencyError(
            f"pose weights {source!r}: not those of {model.__name__}: missing or unexpected {', '.join(wrong[:3])}; "
            f"name another model: --pose-set {setting}=HUB_ID_OR_FOLDER"
        )
    joined = "".join(sha256(path) for path in files)
    return Pretrained(network.to(device).eval(), read, hashlib.sha256(joined.encode()).hexdigest())
