"""The base of the schemas by which JSON files of poses are read: the one place where their types are checked."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from crossdiff.errors import InputError

T = TypeVar("T")
_SHOWN = 60  # characters of a value in a message


class Schema(BaseModel):
    """Numbers are finite numbers and never text; what a schema does not name is passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


def parse(adapter: TypeAdapter[T], value: Any) -> T:
    """The value by its schema; InputError says where it differs, and in what."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        more = f" (and {len(others)} more)" if others else ""
        got = "" if first["type"] == "missing" else f", got {_shown(first['input'])}"
        raise InputError(f"{where}: {first['msg'].lower()}{got}{more}") from None


def _shown(value: Any) -> str:
    """A value in few words; a long list is not written out for that."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
