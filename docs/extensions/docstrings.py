"""Docstrings as pages show them: names of parameters and fields as code, examples with prompts as blocks."""

from __future__ import annotations

import re

import griffe

# "name: what it is", at the start of a sentence of plain text.
_NAMED = re.compile(r"(?<![\w`.\[])(?P<names>\w+(?:, \w+)*): (?=\S)")
_EXAMPLE = re.compile(r"(?:^>>> .*\n?(?:^(?!>>>)\S.*\n?)*)+", re.MULTILINE)


class PlainDocstrings(griffe.Extension):
    """Converts plain-text docstrings to Markdown."""

    def on_function(self, *, func: griffe.Function, **kwargs: object) -> None:
        _mark(func, {parameter.name for parameter in func.parameters})

    def on_class(self, *, cls: griffe.Class, **kwargs: object) -> None:
        _mark(cls, set(cls.attributes))


def _mark(obj: griffe.Object, names: set[str]) -> None:
    if obj.docstring is None:
        return

    def coded(match: re.Match[str]) -> str:
        found = match["names"].split(", ")
        return ", ".join(f"`{name}`" for name in found) + ": " if names.issuperset(found) else match[0]

    text = _NAMED.sub(coded, obj.docstring.value)
    obj.docstring.value = _EXAMPLE.sub(lambda match: f"```python\n{match[0].rstrip()}\n```\n", text)
