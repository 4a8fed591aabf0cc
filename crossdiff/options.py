"""The options of a configuration as a table: name, type, default and description of each field."""

from __future__ import annotations

import types
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crossdiff.config import Config


@dataclass(frozen=True)
class Option:
    """One field. type, default and description are Markdown; default is empty for a required field."""

    name: str
    type: str
    default: str
    description: str


def options_of(cls: type[Config]) -> list[Option]:
    """The fields of a configuration, in order; a field without a description has that of the class it overrides."""
    return [
        Option(name, _type_of(field), _default_of(field), _description_of(cls, name))
        for name, field in cls.model_fields.items()
    ]


def option_table(cls: type[Config], without: Collection[str] = ()) -> str:
    """A Markdown table of the options, but for those named in `without`."""
    rows = [o for o in options_of(cls) if o.name not in without]
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{o.name}` | {o.type} | {o.default} | {o.description} |" for o in rows]
    return "\n".join(line.replace("->", "→") for line in lines) + "\n"


def _description_of(cls: type[Config], name: str) -> str:
    owners = [base for base in cls.__mro__ if issubclass(base, BaseModel) and name in base.model_fields]
    described = (owner.model_fields[name].description for owner in owners)
    return " ".join(next(filter(None, described), "").split()).replace("|", "\\|")


def _type_of(field: FieldInfo) -> str:
    return ", ".join([_spelt(field.annotation), *_limits(field.metadata)])


def _spelt(annotation: Any) -> str:
    """A type in words, such as `int or null`, or the values of a Literal."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_spelt(argument) for argument in arguments)
    if origin is Annotated:
        return ", ".join([_spelt(arguments[0]), *_limits(arguments[1:])])
    if origin in (tuple, list):
        kinds = [_spelt(argument) for argument in arguments if argument is not Ellipsis]
        return f"list of {kinds[0]}" if len(set(kinds)) == 1 else f"list of ({', '.join(kinds)})"
    if origin is dict:
        return "mapping"
    return "null" if annotation is type(None) else annotation.__name__


def _limits(metadata: Collection[Any]) -> list[str]:
    """Bounds of a number, such as `≥ 1`."""
    signs = ((annotated_types.Ge, "ge", "≥"), (annotated_types.Gt, "gt", ">"), (annotated_types.Le, "le", "≤"),
             (annotated_types.Lt, "lt", "<"))  # fmt: skip
    return [f"{sign} {getattr(m, key):g}" for m in metadata for kind, key, sign in signs if isinstance(m, kind)]


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return "" if isinstance(value, BaseModel) else f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """A value as YAML would spell it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'
