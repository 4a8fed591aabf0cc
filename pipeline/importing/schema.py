"""The base of the schemas of JSON files of poses; it checks all types."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from crossdiff.errors import InputError

T = TypeVar("T")
_SHOWN = 60  # characters of a value in a message


class Schema(BaseModel):
    """Numbers are finite and never text; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


def parse(adapter: TypeAdapter[T], value: Any) -> T:
    """Parse a value; InputError names the place and the mistake."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        more = f" (and {len(others)} more)" if others else ""
        got = "" if first["type"] == "missing" else f", got {_shown(first['input'])}"
        raise InputError(f"{where}: {first['msg'].lower()}{got}{more}") from None


def _shown(value: Any) -> str:
    """A short text for a value, however long it is."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
