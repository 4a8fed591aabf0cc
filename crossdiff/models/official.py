"""Reads the state dict of the authors' released checkpoints into our network (see `docs/differences.md`)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crossdiff.errors import CheckpointError
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.types import Domain

_SUFFIX: dict[Domain, str] = {"3d": "m", "2d": "j"}
_QUERY: dict[Domain, str] = {"3d": "motion_token", "2d": "joint_token"}
# Position tables, which ours computes.
_IGNORED = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")


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


def load_official(network: CrossDiffNetwork, state: Mapping[str, Tensor]) -> None:
    """Copy an official-format state dict into the network, strictly: every name and shape must fit."""
    names = official_names(network)
    left_over = set(state) - set(names.values()) - set(_IGNORED)
    missing = set(names.values()) - set(state)
    if left_over or missing:
        raise CheckpointError(
            f"official checkpoint: missing {sorted(missing)[:3]}, unexpected {sorted(left_over)[:3]} "
            f"({len(missing)} and {len(left_over)} in all); check the sizes in the model's configuration"
        )
    own = network.state_dict()
    mapped = {}
    for ours, theirs in names.items():
        value = torch.as_tensor(state[theirs])
        if theirs in _QUERY.values():
            value = value.squeeze(1)
        if value.shape != own[ours].shape:
            raise CheckpointError(
                f"official checkpoint: {theirs}: expected shape {tuple(own[ours].shape)}, got {tuple(value.shape)}"
            )
        mapped[ours] = value
    network.load_state_dict(mapped)
