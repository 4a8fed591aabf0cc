"""The names and sizes of the authors' released checkpoints in terms of our network (see `docs/model.md`)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import ValidationError
from torch import Tensor

from crossdiff.errors import CheckpointError, InputError
from crossdiff.models.config import ModelConfig
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.skeleton import SKELETONS
from crossdiff.types import Domain

HEADS = 4
# Entries of the text encoder in the authors' class, which are not part of the motion network.
TEXT_ENCODER = "clip_model."

_SUFFIX: dict[Domain, str] = {"3d": "m", "2d": "j"}
_QUERY: dict[Domain, str] = {"3d": "motion_token", "2d": "joint_token"}
# Position tables, which our network computes.
_IGNORED = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")
# Parameters that give the sizes.
_SIZED = (
    "motion_token", "joint_token", "p_linear_m.weight", "p_linear_j.weight", "r_linear_m.weight", "r_linear_j.weight",
    "embed_text.weight", "bridge.0.linear1.weight", "r_encoder_m.layers.0.linear1.weight",
)  # fmt: skip


def official_names(network: CrossDiffNetwork) -> dict[str, str]:
    """Our parameter name -> the authors' name, for every parameter of the network."""
    names = {}
    for ours in network.state_dict():
        head, *rest = ours.split(".")
        if head == "time":
            theirs = ".".join(["embed_timestep.time_embed", *rest])
        elif head == "text":
            theirs = ".".join(["embed_text", *rest])
        elif head == "shared":
            theirs = ".".join(["bridge", *rest])
        else:
            domain: Domain = "3d" if rest[0] == "3d" else "2d"
            theirs = _domain_name(head, domain, rest[1], rest[2:])
        names[ours] = theirs
    return names


def _domain_name(side: str, domain: Domain, part: str, rest: list[str]) -> str:
    if part == "query":
        return _QUERY[domain]
    stem = {
        ("encoders", "pose_in"): "p_linear_{}",
        ("encoders", "root_in"): "r_linear_{}",
        ("encoders", "pose_layers"): "seqTransEncoder_{}.layers",
        ("encoders", "root_layers"): "r_encoder_{}.layers",
        ("decoders", "pose_layers"): "decoder_{}",
        ("decoders", "root_layers"): "r_decoder_{}",
        ("decoders", "pose_out"): "p_linear2_{}",
        ("decoders", "root_out"): "r_linear2_{}",
    }[side, part]
    return ".".join([stem.format(_SUFFIX[domain]), *rest])


def load_official(
    network: CrossDiffNetwork, state: Mapping[str, Tensor], source: object = "official checkpoint"
) -> None:
    """Copy an official-format state dict into the network, strictly: every name and shape must fit.

    Entries of the text encoder and position tables are skipped. source: its name in errors.
    """
    names = official_names(network)
    held = {name for name in state if not name.startswith(TEXT_ENCODER)}
    unexpected = sorted(held - set(names.values()) - set(_IGNORED))
    missing = sorted(set(names.values()) - held)
    if unexpected or missing:
        raise CheckpointError(
            f"{source}: does not hold exactly the weights of the authors' two-domain network: "
            f"missing {_some(missing)}; unexpected {_some(unexpected)}"
        )
    own = network.state_dict()
    mapped = {}
    for ours, theirs in names.items():
        value = torch.as_tensor(state[theirs])
        if theirs in _QUERY.values():
            value = value.squeeze(1)
        if value.shape != own[ours].shape:
            raise CheckpointError(
                f"{source}: {theirs}: expected shape {tuple(own[ours].shape)}, got {tuple(value.shape)}"
            )
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{source}: {theirs}: holds NaN or infinite values; get the file again")
        mapped[ours] = value
    network.load_state_dict(mapped)


def official_config(
    state: Mapping[str, Tensor], heads: int = HEADS, source: object = "official checkpoint"
) -> ModelConfig:
    """The sizes of an official-format state dict, which does not tell the number of attention heads."""
    missing = [name for name in _SIZED if name not in state or state[name].ndim < 2]
    if missing:
        raise CheckpointError(
            f"{source}: not the authors' two-domain network: lacks {_some(missing)}; holds {_some(sorted(state))}"
        )
    width = state["motion_token"].shape[-1]
    if heads < 1 or width % heads:
        raise InputError(f"heads: {heads} does not divide the network's width {width}; the authors have {HEADS}")
    sizes = {
        "skeleton": _skeleton(state, source),
        "layout_2d": "official",
        "text_encoder": "clip",
        "text_dim": state["embed_text.weight"].shape[1],
        "width": width,
        "heads": heads,
        "feed_forward": state["bridge.0.linear1.weight"].shape[0],
        "domain_layers": _count(state, "seqTransEncoder_m.layers."),
        "shared_layers": _count(state, "bridge."),
        "root_layers": _count(state, "r_encoder_m.layers."),
        "root_feed_forward": state["r_encoder_m.layers.0.linear1.weight"].shape[0],
        "max_frames": state["motion_token"].shape[0],
    }
    try:
        return ModelConfig.model_validate(sizes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "sizes"
        raise CheckpointError(f"{source}: not the authors' network ({where}: {first['msg']})") from None


def _skeleton(state: Mapping[str, Tensor], source: object) -> str:
    """The skeleton and 2D layout, by the widths of the features."""
    got = tuple(sum(state[f"{part}_linear_{suffix}.weight"].shape[1] for part in "pr") for suffix in _SUFFIX.values())
    known = {(layout_3d(s).dim, layout_2d(s, "official").dim): name for name, s in SKELETONS.items()}
    if got not in known:
        choices = " or ".join(f"{in_3d} and {in_2d} ({name})" for (in_3d, in_2d), name in known.items())
        raise CheckpointError(f"{source}: 3D and 2D features of {got[0]} and {got[1]} values; expected {choices}")
    return known[got]


def _count(state: Mapping[str, Tensor], stem: str) -> int:
    return len({name.removeprefix(stem).split(".")[0] for name in state if name.startswith(stem)})


def _some(names: list[str]) -> str:
    """`none`, or the first few names and their total number."""
    if not names:
        return "none"
    return ", ".join(names[:3]) + (f", ... ({len(names)} in all)" if len(names) > 3 else "")
