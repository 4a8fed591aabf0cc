"""The authors' checkpoints in our network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import official_state, small_config
from torch.testing import assert_close

from crossdiff.errors import CheckpointError
from crossdiff.models import ModelConfig
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.models.official import load_official, official_config, official_names
from crossdiff.types import DOMAINS

GOLDEN = ModelConfig(
    layout_2d="official", text_dim=512, width=32, feed_forward=1024, domain_layers=1, shared_layers=4, max_frames=196
)


@pytest.mark.shared
def test_four_directions_with_and_without_text_are_the_authors(shared):
    with np.load(shared / "golden" / "official_model_small.npz") as z:
        golden = {name: torch.from_numpy(z[name]) for name in z.files}
    network = CrossDiffNetwork(GOLDEN).eval()
    load_official(network, {k.removeprefix("state/"): v for k, v in golden.items() if k.startswith("state/")})
    x = {d: golden[f"in/x{d}"].squeeze(2).transpose(1, 2) for d in DOMAINS}
    for name, text in (("text", golden["in/text"]), ("null", torch.zeros_like(golden["in/text"]))):
        with torch.no_grad():
            outputs = network(x, golden["in/t"], text)
        for (source, target), y in outputs.items():
            expected = golden[f"out/{source}to{target}/{name}"].squeeze(2).transpose(1, 2)
            assert_close(y, expected, atol=1e-4, rtol=0)


def test_names_are_one_to_one_and_weights_arrive():
    source, target = (CrossDiffNetwork(small_config()) for _ in range(2))
    names = official_names(source)
    assert len(set(names.values())) == len(names)
    load_official(target, official_state(source))
    for ours, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[ours])


def test_missing_unknown_and_misshapen_weights_are_named():
    network = CrossDiffNetwork(small_config())
    state = official_state(network)
    with pytest.raises(CheckpointError, match=r"embed_text\.bias"):
        load_official(network, {k: v for k, v in state.items() if k != "embed_text.bias"})
    with pytest.raises(CheckpointError, match=r"unexpected motion_model\.weight"):
        load_official(network, state | {"motion_model.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"bridge.0.linear1.bias: expected shape \(16,\), got \(17,\)"):
        load_official(network, state | {"bridge.0.linear1.bias": torch.zeros(17)})


def test_the_text_encoders_weights_are_no_part_of_the_network():
    source, target = (CrossDiffNetwork(small_config()) for _ in range(2))
    load_official(target, official_state(source) | {"clip_model.weight": torch.zeros(1)})
    assert torch.equal(target.text.weight, source.text.weight)


def test_sizes_are_found_in_the_weights():
    sizes = {"layout_2d": "official", "domain_layers": 2, "shared_layers": 4, "root_layers": 3, "feed_forward": 24}
    for skeleton in ("humanml3d", "kit"):
        cfg = small_config(skeleton=skeleton, text_encoder="clip", **sizes)
        found = official_config(official_state(CrossDiffNetwork(cfg)), heads=2)
        assert found == cfg.model_copy(update={"dropout": found.dropout})
