"""What `precision: auto` is on a machine."""

from __future__ import annotations

import pytest
import torch
from small_runs import loop_config

from crossdiff.training.launch import precision_of


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
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert precision_of(loop_config(precision="auto")) == "32-true"


def test_what_is_asked_for_is_done(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert precision_of(loop_config(precision="bf16-mixed")) == "bf16-mixed"
