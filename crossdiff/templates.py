"""HTML pages from templates beside their modules."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def fill_template(package: str, name: str, **values: object) -> str:
    """Fill in the template `name` in the folder of `package`, such as "crossdiff.viewing".

    Text is escaped, and a missing value is an error.
    """
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
