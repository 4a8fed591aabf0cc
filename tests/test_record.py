"""A folder's record: the same settings resume its work, others are refused or start over."""

import pytest
import yaml

from crossdiff.errors import ConfigError
from crossdiff.record import differences, pin

MADE = ("result.json", "states")
RECORD = {"config": {"seed": 0, "loss": {"margin": 1.0}}, "inputs": {"data": "abc"}}


def changed(**values):
    return {**RECORD, "config": {**RECORD["config"], **values}}


@pytest.fixture
def folder(tmp_path):
    """A folder of work that was started with RECORD, with a file of the user's own beside it."""
    pin(tmp_path / "record.yaml", RECORD, MADE, start_over=False)
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "states").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_same_record_keeps_all(folder):
    pin(folder / "record.yaml", RECORD, MADE, start_over=True)
    assert names(folder) == ["notes.txt", "record.yaml", "result.json", "states"]
    assert yaml.safe_load((folder / "record.yaml").read_text()) == RECORD


def test_another_record_is_refused_by_the_names_of_its_values(folder):
    other = {**changed(seed=1, loss={"margin": 2.0}), "inputs": {}}
    with pytest.raises(ConfigError, match=r"\(seed, loss\.margin, data\); give another --out, or .* --start-over"):
        pin(folder / "record.yaml", other, MADE, start_over=False)
    assert yaml.safe_load((folder / "record.yaml").read_text()) == RECORD


def test_starting_over_deletes_what_the_work_made(folder):
    pin(folder / "record.yaml", changed(seed=1), MADE, start_over=True)
    assert names(folder) == ["notes.txt", "record.yaml"]
    assert yaml.safe_load((folder / "record.yaml").read_text()) == changed(seed=1)


def test_free_values_may_change(folder):
    pin(folder / "record.yaml", changed(seed=1), MADE, start_over=False, free=["seed"])
    assert "result.json" in names(folder)


@pytest.mark.parametrize("text", [None, "config: ["])
def test_work_without_a_readable_record_is_refused(folder, text):
    (folder / "record.yaml").unlink() if text is None else (folder / "record.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"record\.yaml is missing or damaged"):
        pin(folder / "record.yaml", RECORD, MADE, start_over=False)


def test_values_of_either_record_alone_differ():
    assert differences({"a": 1, "b": {"c": 2}}, {"b": {"c": 2, "d": 3}}) == ["b.d", "a"]
