"""HTML pages from templates that lie beside the modules which fill them."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def fill_template(package: str, name: str, **values: object) -> str:
    """The text of template `name` in the folder of `package`, such as "crossdiff.viewing", with its values filled in.

    Text is escaped, and a value that the template lacks is an error.
    """
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
