"""Configurations: sources, overrides, and mistakes told in one line."""

import pytest

from crossdiff.config import Config, known_keys, load_config, shipped_configs
from crossdiff.errors import ConfigError


class Inner(Config):
    lr: float = 1e-3
    steps: int = 10


class Outer(Config):
    name: str = "a"
    optimizer: Inner = Inner()
    scheduler: Inner | None = None


def test_defaults_without_a_file():
    assert load_config(Outer) == Outer()


def test_file_then_overrides(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: b\noptimizer:\n  lr: 0.5\n  steps: 3\n")
    cfg = load_config(Outer, path, ["optimizer.lr=1e-4", "scheduler.steps=7"])
    assert cfg == Outer(name="b", optimizer=Inner(lr=1e-4, steps=3), scheduler=Inner(steps=7))


def test_an_empty_file_gives_the_defaults(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing set\n")
    assert load_config(Outer, tmp_path / "c.yaml") == Outer()


def test_known_keys_are_dotted():
    assert known_keys(Outer) == ["name", "optimizer.lr", "optimizer.steps", "scheduler.lr", "scheduler.steps"]


@pytest.mark.parametrize(
    ("yaml", "overrides", "said"),
    [
        ("optimizer:\n  lrr: 1\n", [], ["c.yaml", "'optimizer.lrr'", "got 1", "optimizer.lr"]),
        ("nam: b\n", [], ["c.yaml", "'nam'", "name"]),
        ("optimizer:\n  steps: many\n", [], ["'optimizer.steps'", "'many'", "integer"]),
        ("- 1\n- 2\n", [], ["c.yaml", "list"]),
        ("a: [1\n", [], ["c.yaml", "not valid YAML"]),
        ("", ["optimizer.step=1"], ["--set", "'optimizer.step'", "optimizer.steps"]),
        ("", ["optimizer"], ["'optimizer'", "key=value"]),
        ("name: b\n", ["name.deep=1"], ["'name.deep=1'", "no nested keys"]),
        ("", ["optimizer.steps="], ["--set", "got None"]),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_next_step(tmp_path, yaml, overrides, said):
    path = tmp_path / "c.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError) as caught:
        load_config(Outer, path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    for word in said:
        assert word in message


def test_an_unknown_name_lists_the_shipped_files():
    with pytest.raises(ConfigError, match="no_such_config: no such file"):
        load_config(Outer, "no_such_config")


def test_a_directory_and_a_binary_file_are_refused(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "c.yaml"):
        with pytest.raises(ConfigError):
            load_config(Outer, path)


def test_shipped_names_end_in_yaml():
    assert all(name.endswith(".yaml") for name in shipped_configs())
