"""What `precision: auto` is on a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import loop_config

from crossdiff.errors import ConfigError
from crossdiff.training.launch import check_one_process, launch, precision_of


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16-mixed"),
        ({"avx2": True, "avx512_bf16": False}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_auto_is_bf16_only_where_the_cpu_has_instructions_for_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision_of(loop_config(precision="auto")) == expected


def test_older_torch_does_not_tell(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision_of(loop_config(precision="auto")) == "32-true"


def test_the_gpu_is_asked_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    # torch says yes where it only emulates.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert precision_of(loop_config(precision="auto")) == "32-true"


def test_what_is_asked_for_is_done(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert precision_of(loop_config(precision="bf16-mixed")) == "bf16-mixed"


@pytest.mark.parametrize("several", [{"devices": 3}, {"num_nodes": 3}])
def test_a_study_trains_in_one_process(several):
    check_one_process(loop_config(), Path("out"))
    with pytest.raises(ConfigError, match="out: expected a training of one process"):
        check_one_process(loop_config(**several), Path("out"))


def test_in_bf16_the_network_gets_its_inputs_as_they_are():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, x):
            self.given, self.inside = x.dtype, self.layer(x).dtype
            return x

    net = Net()
    fabric = launch(loop_config(precision="bf16-mixed"), all_learn=True)
    fabric.setup(net)(torch.ones(1, 2, device=fabric.device))
    assert (net.given, net.inside) == (torch.float32, torch.bfloat16)
