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
        ("", ["optimizer.steps=yes"], ["--set", "'optimizer.steps'", "got True", "truth value"]),
        ("optimizer:\n  lr: .nan\n", [], ["'optimizer.lr'", "finite"]),
        ("", ["optimizer.lr=-inf"], ["'optimizer.lr'", "finite"]),
        ("name: a\nname: b\n", [], ["c.yaml", "'name' appears twice", "line 2"]),
        ("name: " + "[" * 5000, [], ["c.yaml", "nested deeper than 50"]),
        ("name: " + "9" * 5000, [], ["c.yaml", "not valid YAML"]),
        ("", ["optimizer.steps=" + "9" * 5000], ["--set", "not valid YAML"]),
        ("name: &a [*a]\n", [], ["c.yaml", "alias of a value that contains it"]),
        ("name: 2001-99-99\n", [], ["c.yaml", "not valid YAML"]),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_next_step(tmp_path, yaml, overrides, said):
    path = tmp_path / "c.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError) as caught:
        load_config(Outer, path, overrides)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 1000
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


def test_aliases_that_blow_up_are_refused_before_they_do(tmp_path):
    """Nine lists of nine aliases each: 9**9 values."""
    lists = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (tmp_path / "c.yaml").write_text("\n".join(lists))
    with pytest.raises(ConfigError, match="aliases expand to more than 100000 values"):
        load_config(Outer, tmp_path / "c.yaml")


def test_aliases_and_merged_mappings_are_read(tmp_path):
    (tmp_path / "c.yaml").write_text("optimizer: &o {lr: 0.5, steps: 3}\nscheduler:\n  <<: *o\n  steps: 4\n")
    cfg = load_config(Outer, tmp_path / "c.yaml")
    assert cfg == Outer(optimizer=Inner(lr=0.5, steps=3), scheduler=Inner(lr=0.5, steps=4))


def test_flags_are_truth_values_and_measured_numbers_may_be_nan():
    class Flags(Config):
        on: bool = False
        rate: float | bool = 1.0

    assert load_config(Flags, overrides=["on=yes", "rate=no"]) == Flags(on=True, rate=False)
    assert Inner.model_validate({"lr": float("nan")}).lr != Inner().lr
