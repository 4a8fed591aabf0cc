"""Configurations: pydantic models filled from YAML and `--set a.b=c`; errors are reported in one line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from crossdiff.errors import ConfigError, CrossDiffError
from crossdiff.yaml_text import parse_yaml


class Config(BaseModel):
    """Base of every configuration: frozen; unknown keys are errors; a string below a field describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `on` as true, which pydantic would take for the number 1."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and bool not in (types := _types_in(field.annotation)) and types & {int, float}:
            raise ValueError("expected a number, got a truth value (yes, no, on, off, true or false)")
        return value

    @field_validator("*")
    @classmethod
    def _finite_settings(cls, value: Any, info: ValidationInfo) -> Any:
        """Settings are finite numbers; measured values, which are loaded without this context, may be NaN."""
        numbers = value if isinstance(value, tuple) else (value,)
        if info.context == _SETTINGS and any(isinstance(n, float) and not math.isfinite(n) for n in numbers):
            raise ValueError("expected a finite number")
        return value


C = TypeVar("C", bound=Config)
_MAX_SHOWN = 200
# Context in which settings of users are validated.
_SETTINGS = "settings"


def load_config(
    cls: type[C], path_or_name: str | Path | None = None, overrides: list[str] | None = None, option: str = "--set"
) -> C:
    """Fill `cls` from a YAML file, then from overrides such as `optimizer.lr=1e-4` (values are YAML too).

    A path that exists is read; any other value is the name of a shipped file of `crossdiff.configs` ("filter"
    or "filter.yaml"); None gives the class's defaults. option: name of the override option, for messages.
    """
    values = {} if path_or_name is None else _read(path_or_name)
    overridden = {_override(values, text, option) for text in overrides or []}
    try:
        return cls.model_validate(values, context=_SETTINGS)
    except ValidationError as error:
        raise ConfigError(_one_line(cls, error, str(path_or_name or cls.__name__), overridden, option)) from None


def make_config(cls: type[C], source: str, error: type[CrossDiffError] = ConfigError, **values: Any) -> C:
    """`cls` of these values; a mistake raises `error` with one line that begins with `source`."""
    try:
        return cls.model_validate(values, context=_SETTINGS)
    except ValidationError as wrong:
        raise error(_one_line(cls, wrong, source, set(), "--set")) from None


def shipped_configs() -> list[str]:
    """Names of the configurations that come with the package, such as `filter.yaml` and `ablations/full.yaml`."""
    return sorted(_yaml_files(resources.files("crossdiff.configs")))


def _yaml_files(folder: Traversable, prefix: str = "") -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name


def _types_in(annotation: Any) -> set[Any]:
    """The classes in a type, such as `int` and `NoneType` in `int | None`."""
    arguments = get_args(annotation)
    return {kind for argument in arguments for kind in _types_in(argument)} if arguments else {annotation}


def known_keys(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all values of a configuration."""
    keys = []
    for name, field in cls.model_fields.items():
        options = (field.annotation, *get_args(field.annotation))
        nested = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        keys += [key for o in nested for key in known_keys(o, f"{prefix}{name}.")] or [prefix + name]
    return keys


def _read(path_or_name: str | Path) -> dict[str, Any]:
    text = _text_of(path_or_name)
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{path_or_name}: not valid YAML ({error}); correct it") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path_or_name}: expected `key: value` lines, got a {type(values).__name__}")
    return values


def _text_of(path_or_name: str | Path) -> str:
    path = Path(path_or_name)
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as text ({error})") from None
    name = path.as_posix() if path.suffix == ".yaml" else f"{path.as_posix()}.yaml"
    if name in shipped_configs():
        return (resources.files("crossdiff.configs") / name).read_text(encoding="utf-8")
    shipped = ", ".join(n.removesuffix(".yaml") for n in shipped_configs()) or "none"
    raise ConfigError(f"{path_or_name}: no such file, nor a shipped configuration (those are: {shipped})")


def _override(values: dict[str, Any], text: str, option: str) -> str:
    """Put `a.b=c` into the nested values; returns the dotted key."""
    key, equals, value = text.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not all([*parents, last]):
        raise ConfigError(f"{option} {text!r}: expected key=value, such as {option} min_frames=20")
    try:
        parsed = parse_yaml(value)
    except ValueError:
        raise ConfigError(f"{option} {_short(text)}: the value is not valid YAML; quote it") from None
    for name in parents:
        if not isinstance(values.setdefault(name, {}), dict):
            raise ConfigError(f"{option} {text!r}: {name!r} holds {values[name]!r}, which has no nested keys")
        values = values[name]
    values[last] = parsed
    return key.strip()


def _one_line(cls: type[Config], error: ValidationError, source: str, overridden: set[str], option: str) -> str:
    first, *others = error.errors(include_url=False)
    key = ".".join(str(part) for part in first["loc"])
    source = option if key in overridden else source
    if first["type"] == "extra_forbidden":
        known = known_keys(cls)
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.4) or known[:8]
        line = f"{source}: unknown key {key!r} (got {_short(first['input'])}); nearest known keys: {', '.join(near)}"
    elif first["type"] == "missing":
        line = f"{source}: {key!r} is missing; give it in the file or as {option} {key}=VALUE"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        line = f"{source}: {key or 'the whole'!r}: got {_short(first['input'])}: {reason[:1].lower()}{reason[1:]}"
    return line + (f" (and {len(others)} more)" if others else "")


def _short(value: Any) -> str:
    """A value in a message, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"a {type(value).__name__} of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
