"""Models on the Hugging Face hub, named `hf://USER/MODEL` or `hf://USER/MODEL@REVISION`."""

from __future__ import annotations

import re
from pathlib import Path

from crossdiff.errors import CheckpointError

_SCHEME = "hf:/"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# A model's files; nothing else of its repository is downloaded.
_FILES = ["config.json", "model.safetensors", "captions.json", "captions.npz", "evaluation.json"]


def is_hub_name(checkpoint: Path | str) -> bool:
    """Whether a checkpoint is named by `hf://`, of which a `Path` keeps one slash."""
    return str(checkpoint).startswith(_SCHEME)


def looks_like_repository(name: Path | str) -> bool:
    """Whether a name is `USER/MODEL` and there is no such path here."""
    return _NAME.fullmatch(str(name)) is not None and not Path(name).exists()


def download_model(checkpoint: Path | str) -> Path:
    """The folder of a model in the hub's own cache (`~/.cache/huggingface`), downloaded if it is not there.

    CheckpointError: there is no such model, or neither network nor a copy in the cache.
    """
    from huggingface_hub import snapshot_download

    name, _, revision = str(checkpoint).removeprefix(_SCHEME).strip("/").partition("@")
    if not _NAME.fullmatch(name):
        raise CheckpointError(f"{checkpoint}: expected hf://USER/MODEL or hf://USER/MODEL@REVISION")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"hf://{name}: cannot be downloaded ({type(error).__name__}: {str(error).splitlines()[0]}); check the "
            "name, the network and HF_HUB_OFFLINE, and for private models log in with: hf auth login"
        ) from None
