"""Model checkpoints: a folder with `config.json` and `model.safetensors`, written atomically."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import read_json, sha256, write_atomically, write_text
from crossdiff.hub import download_model, is_hub_name
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.models.weights import check_shapes, read_weights, shapes_only

Task = Literal["lift", "text"]

WEIGHTS, CONFIG = "model.safetensors", "config.json"
# Result of `crossdiff evaluate` beside the weights of a shared model.
EVALUATION = "evaluation.json"
# Shipped model for each task: stage I lifts, is fine-tuned and samples by mixture; stage II is for standard sampling
# from text.
SHIPPED: dict[Task, str] = {"lift": "stage1-small", "text": "stage2-small"}


def save_model(model: CrossDiffModel, folder: Path, dtype: Literal["float32", "float16"] = "float32") -> Path:
    """Write the model; `float16` halves the network's weights, not the feature statistics."""
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if dtype == "float16":
        state = {k: v.half() if k.startswith("network.") else v for k, v in state.items()}
    write_atomically(folder / WEIGHTS, lambda tmp: save_file(state, tmp, metadata={"format": "pt"}))
    write_text(folder / CONFIG, json.dumps({"config": model.config.model_dump()}, indent=2) + "\n")
    return folder


def load_model(checkpoint: Path | str, device: str | torch.device = "cpu") -> CrossDiffModel:
    """Read a checkpoint folder, strictly; the model is in eval mode and float32."""
    folder = find_checkpoint(checkpoint)
    config = model_config(folder)
    with shapes_only():  # no memory: the configuration may be of another, enormous model
        model = CrossDiffModel(config)
    check_shapes(folder, {name: tensor.shape for name, tensor in model.state_dict().items()}, folder / WEIGHTS)
    state = read_weights(folder / WEIGHTS)
    for name in (n for n in state if n.startswith("normalizers.") and n.endswith(".std")):
        if not (state[name] > 0).all():
            raise CheckpointError(f"{folder / WEIGHTS}: {name}: standard deviations must be above 0")
    # Copies, because the tensors may be views of the file.
    model.load_state_dict({name: tensor.to(torch.float32, copy=True) for name, tensor in state.items()}, assign=True)
    return model.to(device).eval()


def model_config(folder: Path) -> ModelConfig:
    """The configuration of the model in a checkpoint folder."""
    try:
        return ModelConfig.model_validate(read_json(folder / CONFIG)["config"])
    except (InputError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG}: not a CrossDiff configuration ({_reason(error)}); "
            "use a folder that `crossdiff train` or `finetune` wrote"
        ) from None


def find_checkpoint(checkpoint: Path | str) -> Path:
    """The folder of a checkpoint, given as a path, the name of a shipped one, or `hf://USER/MODEL`.

    CheckpointError if there is none; see `download_model` for those of the hub.
    """
    if is_hub_name(checkpoint):
        return _checked(download_model(checkpoint), checkpoint)
    folder, name = Path(checkpoint), str(checkpoint).rstrip("/")
    if name and is_checkpoint(folder):
        return folder
    if name in shipped_models():
        return _shipped_folder() / name
    raise CheckpointError(
        f"{name or '(empty name)'}: no checkpoint there (expected a folder with {CONFIG} and {WEIGHTS}, "
        f"hf://USER/MODEL, or the name of a shipped model: {', '.join(shipped_models()) or 'none'})"
    )


def _checked(folder: Path, name: Path | str) -> Path:
    if not is_checkpoint(folder):
        raise CheckpointError(f"{name}: holds no CrossDiff model (expected {CONFIG} and {WEIGHTS}); name another one")
    return folder


def is_checkpoint(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    folder = _shipped_folder()
    return sorted(p.parent.name for p in folder.glob(f"*/{WEIGHTS}"))


def shipped_model(task: Task = "lift", steps: int | None = None) -> Path:
    """Folder of the default model for standard sampling from text, or for everything else; steps: `few_step_model`."""
    return find_checkpoint(few_step_model(SHIPPED[task], steps))


def few_step_model(checkpoint: Path | str, steps: int | None) -> Path | str:
    """The shipped model that was distilled from a shipped one to this number of steps; the same checkpoint if there is
    none.
    """
    few = f"{str(checkpoint).rstrip('/')}-{steps}step"
    return checkpoint if few not in shipped_models() or is_checkpoint(Path(checkpoint)) else few


def _shipped_folder() -> Path:
    return Path(str(resources.files("crossdiff.pretrained")))


def weights_hash(checkpoint: Path) -> str:
    """sha256 of the weights, which identifies the teacher of a pseudo label."""
    return sha256(find_checkpoint(checkpoint) / WEIGHTS)


def save_state(path: Path, state: dict[str, object]) -> None:
    """Write a training state (tensors, numbers, strings, and lists and dicts of them)."""
    write_atomically(path, lambda tmp: torch.save(state, tmp))


def load_state(path: Path) -> dict[str, object]:
    """Read a training state without unpickling objects."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, with messages of no use to the user
        raise CheckpointError(
            f"{path}: not a readable training state ({type(error).__name__}); delete it to resume from the previous one"
        ) from None


def latest_state(folder: Path) -> Path | None:
    """The newest training state of a folder."""
    return max(folder.glob("step_*.pt"), default=None)


def step_of(state: Path) -> int:
    """The step after which a training state was saved; 0 for a file of another name."""
    number = state.stem.removeprefix("step_")
    return int(number) if number.isdecimal() else 0


def keep_newest(folder: Path, count: int) -> None:
    """Delete all training states except the newest."""
    states = sorted(folder.glob("step_*.pt"))
    for path in states[: len(states) - count]:
        path.unlink(missing_ok=True)


def drop_leftovers(folder: Path) -> None:
    """Delete files that a killed process left half-written."""
    for path in folder.glob(".step_*.tmp.pt"):
        path.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    return "no entry 'config'" if isinstance(error, KeyError | TypeError) else str(error).splitlines()[0]
