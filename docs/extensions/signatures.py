"""The constructor of every configuration class in the API pages, and a table of its options."""

from __future__ import annotations

from importlib import import_module

import griffe

from crossdiff.options import option_table

CONFIG = "crossdiff.config.Config"


class ConfigSignatures(griffe.Extension):
    """Gives classes derived from `Config` the constructor that pydantic makes, and their options as one table."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        for cls in _classes(pkg):
            if "__init__" not in cls.members and any(base.path == CONFIG for base in _bases(cls)):
                cls.set_member("__init__", _constructor(cls))
                _tabulate(cls)


def _tabulate(cls: griffe.Class) -> None:
    """Put the table of options in place of an entry for each described field."""
    if cls.docstring is None or not any(a.docstring for a in cls.attributes.values()):
        return
    table = option_table(getattr(import_module(cls.module.path), cls.name))
    cls.docstring.value = f"{cls.docstring.value.rstrip()}\n\n{table}"
    for attribute in cls.attributes.values():
        attribute.docstring = None


def _classes(module: griffe.Module) -> list[griffe.Class]:
    here = [c for c in module.classes.values() if not c.is_alias]
    below = [m for m in module.modules.values() if not m.is_alias]
    return here + [c for m in below for c in _classes(m)]


def _bases(cls: griffe.Class) -> list[griffe.Class]:
    """Classes of this project that a class derives from, the nearest first."""
    try:
        return [base for base in cls.mro() if isinstance(base, griffe.Class | griffe.Alias)]
    except ValueError:
        return []


def _constructor(cls: griffe.Class) -> griffe.Function:
    fields: dict[str, griffe.Parameter] = {}
    for owner in [*reversed(_bases(cls)), cls]:
        for attribute in owner.attributes.values():
            if attribute.annotation is None or attribute.name.startswith("_"):
                continue
            fields[attribute.name] = griffe.Parameter(
                attribute.name,
                annotation=attribute.annotation,
                kind=griffe.ParameterKind.keyword_only,
                default=attribute.value,
            )
    return griffe.Function("__init__", parameters=griffe.Parameters(*fields.values()), parent=cls)
