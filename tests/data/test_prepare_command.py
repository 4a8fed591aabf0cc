"""The command `crossdiff prepare`: options, what it says, and how it ends."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import yaml
from recordings import own_names, write_bvh
from synthetic import write_raw

from crossdiff.cli import main


def run(monkeypatch, *arguments) -> int:
    """Exit code of `crossdiff prepare ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["crossdiff", "prepare", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_broken_share_is_an_error_until_it_is_allowed(tmp_path, monkeypatch, capsys):
    write_raw(tmp_path / "raw", [50] * 6)
    np.save(tmp_path / "raw" / "joints" / "clip1.npy", np.full((50, 22, 3), np.nan))
    assert run(monkeypatch, tmp_path / "raw", "--out", tmp_path / "data") == 3
    said = capsys.readouterr()
    assert "1 of 6 clips are broken" in said.err and "clip1: with NaN or infinite joints" in said.err
    assert "10 clips (6 train, 2 val, 2 test)" in said.out
    assert run(monkeypatch, tmp_path / "raw", "--out", tmp_path / "data", "--max-bad-share", 0.2) == 0
    told = capsys.readouterr().out
    assert "10 clips (6 train, 2 val, 2 test), 0.2 of 0.2 minutes; left out: 1 with NaN or infinite joints" in told
    assert (tmp_path / "data" / "plots" / "velocities.png").is_file()


def test_bvh_with_a_map_of_ones_own(tmp_path, monkeypatch, capsys):
    for n in range(2):
        write_bvh(tmp_path / "raw" / f"{n}.bvh", 130, seed=n)
    shares = ("--set", "val_share=0", "--set", "test_share=0")
    assert run(monkeypatch, tmp_path / "raw", "--out", tmp_path / "data", "--joint-map", "bvh_cmu", *shares) == 1
    assert "lacks the joints" in capsys.readouterr().err
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(own_names()))
    names = tmp_path / "map.yaml"
    assert run(monkeypatch, tmp_path / "raw", "--out", tmp_path / "data", "--joint-map", names, *shares) == 0
    assert "4 clips (4 train" in capsys.readouterr().out
